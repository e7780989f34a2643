"""A model that OpenVINO runs, Intel's library for inference, on the CPU.

OpenVINO takes the graph that `glanet export` writes, and compiles it for each size of image.
"""

import copy
import sys
import warnings
from functools import lru_cache

import torch

from glanet.inference.export import ExportError, traced
from glanet.inference.prepare import Prepared

SIZES = 8  # how many stay compiled: a photograph in tiles has four


class OnOpenVINO(Prepared):
    """A model for `upscale`: images (B, 3, H, W) in [0, 1] -> (B, 3, scale·H, scale·W).

    A snapshot like what `prepare` returns, in float32. To make it takes longer than to enlarge an
    image, and the first image of each size takes longer than the next: it can pay for many images.

    Raises:
        ExportError: the extra ``openvino`` is not installed, or the network has no graph for images
            of any size.
    """

    def __init__(self, model):
        super().__init__(copy.deepcopy(model).eval().cpu(), torch.float32)
        openvino = _imported()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the exporter, about its own parts
            graph = openvino.convert_model(traced(self.model, "float32"))
        core = openvino.Core()
        settings = {
            "INFERENCE_PRECISION_HINT": "f32",  # else bf16 where the CPU has it
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        }

        @lru_cache(maxsize=SIZES)
        def compiled(height, width):
            graph.reshape([1, 3, height, width])
            return core.compile_model(graph, "CPU", settings)

        self._compiled = compiled

    @torch.no_grad()
    def forward(self, image):
        run = self._compiled(*image.shape[2:])
        return torch.cat([torch.from_numpy(run(one.numpy())[0]) for one in image.split(1)])


def _imported():
    # when imported, OpenVINO sends usage data to Intel, unless its package for that is missing
    sys.modules.setdefault("openvino_telemetry", None)
    try:
        import openvino
    except ImportError as error:
        raise ExportError("openvino is not installed: pip install glanet[openvino]") from error
    return openvino
