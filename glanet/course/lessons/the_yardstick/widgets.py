"""Widgets of notebook 02: its distortions with a menu and a slider."""

from ipywidgets import Dropdown, IntSlider

from glanet.course.kit.explore import explore
from glanet.course.lessons.the_yardstick.figures import DISTORTIONS, distort, local_similarity
from glanet.evaluation.metrics import psnr_y, rgb_to_y


def explore_distortions(image, ssim_map, *, top=0, left=0, side=96):
    """`local_similarity` of an image and its distortion, with a menu and a slider to choose it.

    ``image``: uint8 (H, W, 3). ``ssim_map`` maps the luma of two images, float64 (H, W), to the
    SSIM of each window, (H - 10, W - 10). The menu selects the kind of distortion, the slider
    the ``error`` of `distort` in grey levels.
    """
    luma = rgb_to_y(image)

    def draw(kind, error):
        spoiled = distort(image, kind, error)
        similarity = ssim_map(rgb_to_y(spoiled), luma)
        title = f"{kind}\n{psnr_y(spoiled, image, 0):.2f} dB, SSIM {similarity.mean():.3f}"
        return local_similarity(
            {"original": image, title: spoiled},
            {"original": ssim_map(luma, luma), title: similarity},
            top=top,
            left=left,
            side=side,
        )

    return explore(
        draw,
        kind=Dropdown(options=list(DISTORTIONS), description="distortion"),
        error=IntSlider(12, 1, 20, description="error", continuous_update=False),
    )
