"""A training step's forward and backward pass on a GPU, captured as a CUDA graph.

A step is thousands of small kernels. To launch them one by one takes Python several times as long
as the GPU needs to run them. `glanet.compile` makes few kernels of many; what is left is captured
once and from then on launched as a whole.
"""

import torch

WARM_UP = 3  # runs before a capture, as PyTorch asks for: memory is found, kernels are chosen


class Captured:
    """A function of tensors on a GPU, launched as a whole: the same inputs, the same results.

    The function is run once for the capture, on ``inputs``, and never again: later inputs are
    copied to where these are, and what it returned, and every ``grad`` that it left, is
    overwritten. So it must not look at a number, and all inputs have the shapes of the first.
    """

    def __init__(self, function, *inputs):
        self.inputs = [tensor.clone() for tensor in inputs]
        self.graph = torch.cuda.CUDAGraph()
        aside = torch.cuda.Stream()
        aside.wait_stream(torch.cuda.current_stream())
        # shapes stay, so it pays to try cuDNN's kernels out once
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
