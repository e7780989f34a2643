"""What a model scores on the small image sets of the paper."""

from glanet.data import catalog
from glanet.data.degradations import BICUBIC
from glanet.evaluation.benchmark import evaluate, mean_scores
from glanet.inference import upscale

SETS = ("Set5", "Set14", "B100")
JPEG = f"{BICUBIC}+jpeg70"  # how LR images are made to measure weights for photographs


def measure(model, sets=SETS, degradation=BICUBIC) -> dict[str, tuple[float, float]]:
    """{set: (PSNR in dB, SSIM)} on Y, at the model's scale; whole images, no tiles."""
    scores = (
        score
        for name in sets
        for score in evaluate(
            lambda lr: (upscale(model, lr), None),
            name,
            catalog.hr_images(name),
            model.config.scale,
            degradation=degradation,
        )
    )
    return mean_scores(scores)
