"""Every public entry point carries an example, and it prints what its docstring shows."""

import doctest
from pathlib import Path

import pytest

import glanet
from glanet import inference, networks, training, weights
from glanet.data import catalog, degradation, images, patches
from glanet.evaluation import metrics

ENTRY_POINTS = {
    "GLANet.from_pretrained": glanet.GLANet.from_pretrained,
    "ModelConfig.preset": glanet.ModelConfig.preset,
    "PatchStore.from_images": patches.PatchStore.from_images,
    "Recipe.preset": training.Recipe.preset,
    "catalog.hr_images": catalog.hr_images,
    "imresize": degradation.imresize,
    "load": weights.load,
    "load_released": weights.load_released,
    "networks.build": networks.build,
    "prepare": inference.prepare,
    "psnr_y": metrics.psnr_y,
    "read_image": images.read_image,
    "ssim_y": metrics.ssim_y,
    "train": training.train,
    "upscale": inference.upscale,
}


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_the_example_prints_what_it_shows(name):
    globs = {}  # an example imports what it uses, so that it can be copied
    (example,) = doctest.DocTestFinder(recurse=False).find(ENTRY_POINTS[name], name, globs=globs)
    assert example.examples, f"{name} has no example"
    printed = []
    failed, _ = doctest.DocTestRunner().run(example, out=printed.append)
    assert not failed, "".join(printed)


def test_no_example_goes_untested():
    package = Path(glanet.__file__).parent
    files = package.rglob("*.py")
    examples = sum(path.read_text(encoding="utf-8").count("Example:\n") for path in files)
    assert examples == len(ENTRY_POINTS)
