"""Entry of the command line: Ctrl-C stops it quietly, even while torch is being imported."""

import os
import signal

# How often a thread of GNU's OpenMP, by which PyTorch computes, asks whether another one is ready
# before it sleeps. Its default is far more often, and wastes time that the other may need.
SPINS_VARIABLE, SPINS = "GOMP_SPINCOUNT", 10_000


def main() -> None:
    """Run the command in ``sys.argv``."""
    os.environ.setdefault(SPINS_VARIABLE, str(SPINS))  # is read when torch is imported
    heeded = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if heeded:  # else whoever started this process has Ctrl-C ignored
        signal.signal(signal.SIGINT, _stop)
    from glanet import cli

    if heeded:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    cli.main()


def _stop(*_):
    """End at once: a library could swallow an exception raised in the middle of its import."""
    os.write(2, b"glanet: stopped\n")
    os._exit(1)


if __name__ == "__main__":
    main()
