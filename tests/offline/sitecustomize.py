"""No test reaches the network: with this folder on PYTHONPATH, sockets reach this machine only.

Python imports it at start, so it holds in the kernels of notebooks and in subprocesses too.
"""

import ipaddress
import socket


class NetworkBlockedError(OSError):
    """A test asked for another machine; the course and its tests must work without any."""


def _check(host):
    if host in ("localhost", "", None):
        return
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = False
    if not local:
        raise NetworkBlockedError(f"tests run without a network, and this asked for {host!r}")


def _local_only(connect):
    def checked(self, address):
        if isinstance(address, tuple):  # a Unix socket's address is a path
            _check(address[0])
        return connect(self, address)

    return checked


_getaddrinfo = socket.getaddrinfo


def _local_getaddrinfo(host, *args, **kwargs):
    _check(host.decode() if isinstance(host, bytes) else host)
    return _getaddrinfo(host, *args, **kwargs)


socket.socket.connect = _local_only(socket.socket.connect)
socket.socket.connect_ex = _local_only(socket.socket.connect_ex)
socket.getaddrinfo = _local_getaddrinfo
