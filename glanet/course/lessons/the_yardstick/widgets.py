"""A menu and a slider around notebook 02's distortions."""

from ipywidgets import Dropdown, IntSlider

from glanet.course.kit.explore import explore
from glanet.course.lessons.the_yardstick.figures import DISTORTIONS, distort, local_similarity
from glanet.evaluation.metrics import psnr_y, rgb_to_y


def explore_distortions(image, ssim_map, *, top=0, left=0, side=96):
    """``figures.yardstick.local_similarity`` of an image and a distortion of it, as you choose.

    ``image`` is uint8 (H, W, 3); ``ssim_map`` takes the luma of two images and returns the SSIM of
    each window. A menu has the kinds of distortion, a slider their strength: the error of them all
    is that of an image so many grey levels too bright.
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
