"""A measurement in a Python process of its own, which inherits no memory, threads or settings."""

import importlib
import json
import os
import subprocess
import sys


def call(function, *arguments, **variables):
    """What ``function(*arguments)`` returns, called in a Python process of its own.

    ``function`` belongs to a module; what it takes and returns are values that JSON has.
    ``variables`` are added to the environment of the process.

    Raises:
        RuntimeError: the process failed or was asked to stop; the message ends with its output.
    """
    module = sys.modules[function.__module__].__spec__.name  # of a program, __module__ is __main__
    asked = [module, function.__name__, json.dumps(arguments)]
    run = subprocess.run(
        [sys.executable, "-m", __name__, *asked],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
    )
    if run.returncode:
        output = (run.stdout + run.stderr)[-2000:]
        raise RuntimeError(f"{' '.join(asked)}: exit status {run.returncode}\n{output}")
    return json.loads(run.stdout.splitlines()[-1])


if __name__ == "__main__":
    module, name, arguments = sys.argv[1:]
    function = getattr(importlib.import_module(module), name)
    print(json.dumps(function(*json.loads(arguments))))
