"""Draw the README's picture: ``python -m benchmarks.readme_picture`` writes docs/detail.png."""

from skimage import data

from benchmarks.ledger import ROOT
from glanet import GLANet
from glanet.course.kit.photo import details
from glanet.data.degradation import imresize, modcrop
from glanet.inference import upscale


def main():
    original = modcrop(data.rocket(), 2)
    lr = imresize(original, 1 / 2)
    images = {
        "original": original,
        "bicubic": imresize(lr, 2),
        "GLA-Net, tiny-x2": upscale(GLANet.from_pretrained("tiny-x2"), lr),
    }
    details(images, top=346, left=560, side=80).savefig(ROOT / "docs" / "detail.png", dpi=100)


if __name__ == "__main__":
    main()
