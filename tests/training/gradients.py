"""One step of training: python gradients.py SETTINGS.json; the main process writes gradients."""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from glanet import ModelConfig
from glanet.training import Recipe
from glanet.training.loop import Run


def main():
    settings = json.loads(Path(sys.argv[1]).read_text())
    torch.set_num_threads(1)
    config, recipe = ModelConfig(**settings["config"]), Recipe(**settings["recipe"])
    run = Run(config, recipe, settings["folder"], device="cpu")
    loss, _, _ = run.step()
    processes = run.accelerator.num_processes
    if processes > 1:
        assert run.model.gradient_as_bucket_view
        assert not run.model.broadcast_buffers
    if run.accelerator.is_main_process:
        found = {n: p.grad.contiguous() for n, p in run.state.model.named_parameters()}
        save_file(found, sys.argv[2], {"loss": repr(loss), "processes": str(processes)})
    run.close()


if __name__ == "__main__":
    main()
