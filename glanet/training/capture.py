"""A training step on a GPU, captured as a CUDA graph.

A step has thousands of small kernels. Python takes several times as long to launch them one by one
as the GPU takes to run them. `glanet.compile` fuses many of them; the remaining ones are captured
once, and from then on launched as a whole.
"""

import warnings
from contextlib import contextmanager

import torch

WARM_UP = 3  # runs before a capture, as PyTorch demands: they allocate memory, choose kernels
WAITS = "called a synchronizing CUDA operation"  # what torch says of it


class WaitsError(RuntimeError):
    """A function waits for the GPU, so no graph can hold it."""


class Captured:
    """A function of tensors on a GPU, captured with ``inputs`` and then launched as a whole.

    A call takes inputs of the same shapes and returns what the function would. It overwrites the
    result of the call before, and every ``grad`` that the function left. The function's Python code
    runs only for the capture, so it must not depend on the values of its inputs. It runs `WARM_UP`
    times before that, with all its effects.

    Raises:
        WaitsError: the function waits for the GPU, for example to look at a value. It is found in
            the last of these runs, because after a capture that failed no random number can be had.
    """

    def __init__(self, function, *inputs):
        self.inputs = [tensor.clone() for tensor in inputs]
        self.graph = torch.cuda.CUDAGraph()
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        # all shapes are fixed, so trying out cuDNN's kernels once pays
        with torch.backends.cudnn.flags(enabled=True, benchmark=True):
            try:
                with torch.cuda.stream(aside):
                    for _ in range(WARM_UP - 1):
                        function(*self.inputs)
                    with _not_waiting():
                        function(*self.inputs)
            finally:
                torch.cuda.current_stream().wait_stream(aside)
            with torch.cuda.graph(self.graph):
                self.result = function(*self.inputs)

    def __call__(self, *inputs):
        for mine, given in zip(self.inputs, inputs, strict=True):
            mine.copy_(given)
        self.graph.replay()
        return self.result


@contextmanager
def _not_waiting():
    """Inside, it is a WaitsError to wait for the GPU."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls this mode a prototype
        torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    except RuntimeError as error:
        if WAITS in str(error):
            raise WaitsError(str(error)) from error
        raise
    finally:
        torch.cuda.set_sync_debug_mode("default")
