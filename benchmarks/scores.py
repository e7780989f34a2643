"""What a model scores on the small image sets of the paper."""

from glanet.data import catalog
from glanet.evaluation.benchmark import evaluate, mean_scores
from glanet.inference import upscale

SETS = ("Set5", "Set14", "B100")


def measure(model) -> dict[str, tuple[float, float]]:
    """{set: (PSNR in dB, SSIM)} on Y, at the model's scale; whole images, no tiles."""
    scores = (
        score
        for name in SETS
        for score in evaluate(
            lambda lr: (upscale(model, lr), None),
            name,
            catalog.hr_images(name),
            model.config.scale,
        )
    )
    return mean_scores(scores)
