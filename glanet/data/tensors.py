"""The one place where images become tensors and tensors images."""

import numpy as np
import torch

from glanet.errors import ArgumentError


def to_tensor(image, device=None):
    """uint8 or uint16 (H, W, 3) -> float32 (1, 3, H, W) in [0, 1] on ``device``.

    Raises:
        ArgumentError: the image is not a uint8 or uint16 (H, W, 3) array.
    """
    if image.dtype not in (np.uint8, np.uint16) or image.ndim != 3 or image.shape[2] != 3:
        raise ArgumentError(
            f"image is {image.dtype} {image.shape}; expected uint8 or uint16 (H, W, 3)"
        )
    white = np.iinfo(image.dtype).max
    known = image if image.dtype == np.uint8 else image.astype(np.int32)  # few devices know uint16
    pixels = torch.tensor(known, device=device)  # copies: the array may be read-only
    return pixels[None].permute(0, 3, 1, 2).float() / white  # in channels-last memory


def to_image(tensor, dtype=np.uint8):
    """Floating-point (1, 3, H, W) -> ``dtype`` (H, W, 3), clamped to [0, 1] and rounded.

    ``dtype`` is uint8 or uint16.

    Raises:
        ArgumentError: the tensor is not (1, 3, H, W), or holds a NaN, which no pixel can show.
    """
    if tensor.ndim != 4 or tensor.shape[:2] != (1, 3):
        raise ArgumentError(f"tensor is {tuple(tensor.shape)}; expected (1, 3, H, W)")
    if tensor.isnan().any():
        raise ArgumentError("the tensor holds NaN: the network that made it is broken")
    pixels = tensor[0].float().clamp(0, 1) * np.iinfo(dtype).max
    known = torch.uint8 if dtype == np.uint8 else torch.int32  # few devices know uint16
    return pixels.round().to(known).permute(1, 2, 0).cpu().numpy().astype(dtype, copy=False)
