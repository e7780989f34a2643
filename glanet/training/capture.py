"""A training step on a GPU, captured as a CUDA graph.

A step has thousands of small kernels. Python takes several times as long to launch them one by one
as the GPU takes to run them. `glanet.compile` fuses many of them; the remaining ones are captured
once, and from then on launched as a whole.
"""

import torch

WARM_UP = 3  # runs before a capture, as PyTorch demands: they allocate memory, choose kernels


class Captured:
    """A function of tensors on a GPU, captured with ``inputs`` and then launched as a whole.

    A call takes inputs of the same shapes and returns what the function would. It overwrites the
    result of the call before, and every ``grad`` that the function left. The function's Python code
    runs only for the capture, so it must not depend on the values of its inputs. It runs `WARM_UP`
    times before that, with all its effects.
    """

    def __init__(self, function, *inputs):
        self.inputs = [tensor.clone() for tensor in inputs]
        self.graph = torch.cuda.CUDAGraph()
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        # all shapes are fixed, so trying out cuDNN's kernels once pays
        with torch.backends.cudnn.flags(enabled=True, benchmark=True):
            with torch.cuda.stream(aside):
                for _ in range(WARM_UP):
                    function(*self.inputs)
            torch.cuda.current_stream().wait_stream(aside)
            with torch.cuda.graph(self.graph):
                self.result = function(*self.inputs)

    def __call__(self, *inputs):
        for mine, given in zip(self.inputs, inputs, strict=True):
            mine.copy_(given)
        self.graph.replay()
        return self.result
