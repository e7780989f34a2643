"""Train, being killed at random moments: python kill.py SETTINGS.json (see test_resume)."""

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from glanet import ModelConfig
from glanet.training import Recipe, checkpoint, train
from glanet.training.folder import RunFolder


def child(settings, dies_while_writing):
    if dies_while_writing:
        write = checkpoint.save_file

        def half(tensors, path, metadata):
            write(tensors, path, metadata)
            path.write_bytes(path.read_bytes()[: random.randrange(path.stat().st_size)])
            os.kill(os.getpid(), signal.SIGKILL)

        checkpoint.save_file = half
    config, recipe = ModelConfig(**settings["config"]), Recipe(**settings["recipe"])
    train(config, recipe, settings["folder"], device="cpu")
    os._exit(0)


def main():
    settings = json.loads(Path(sys.argv[1]).read_text())
    random.seed(settings["seed"])
    torch.set_num_threads(1)
    run = RunFolder(settings["folder"])
    steps = settings["recipe"]["steps"]
    moments = sorted(random.sample(range(steps - 2), settings["kills"]))
    for number, moment in enumerate(moments):
        pid = os.fork()
        if pid == 0:
            child(settings, dies_while_writing=number % 4 == 3)
        while not (run.saved() and run.saved_step() >= moment):
            if os.waitpid(pid, os.WNOHANG)[0]:
                break
            time.sleep(0.001)
        else:
            time.sleep(random.uniform(0, 0.05))
            os.kill(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            assert os.WIFSIGNALED(status), "it ended before it was killed"
    print("killed", len(moments), "times")
    child(settings, dies_while_writing=False)


if __name__ == "__main__":
    main()
