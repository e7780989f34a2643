"""What a network scores on the small image sets of the paper."""

from glanet.data import catalog
from glanet.evaluation.benchmark import evaluate, mean_scores
from glanet.inference import upscale

SETS = ("Set5", "Set14", "B100")


def measure(network) -> dict[str, tuple[float, float]]:
    """{set: (PSNR in dB, SSIM)} on Y, at the network's scale; whole images, no tiles."""
    scores = (
        score
        for name in SETS
        for score in evaluate(
            lambda low: (upscale(network, low), None),
            name,
            catalog.hr_images(name),
            network.config.scale,
        )
    )
    return mean_scores(scores)
