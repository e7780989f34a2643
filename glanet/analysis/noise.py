"""Band-limited noise: which frequencies a network, or one kind of its parts, depends on.

Park and Kim (ICLR 2022) add noise of one band of frequencies to the images that a network reads,
and measure what it loses. `noise_response` does the same, for a whole network of any kind, and at
the inputs or the outputs of parts of it.
"""

from contextlib import ExitStack, contextmanager

import torch

from glanet.errors import ArgumentError


def band_noise(shape, low, high, generator) -> torch.Tensor:
    """Noise with waves from ``low`` up to ``high`` cycles/pixel alone: (B, H, W, C), variance 1.

    Raises:
        ArgumentError: maps of that size have no wave in the band.
    """
    rows, columns = (torch.fft.fftfreq(size) for size in shape[1:3])
    radius = torch.hypot(rows[:, None], columns)
    inside = ((low <= radius) & (radius < high) & (radius > 0))[..., None]
    if not inside.any():
        raise ArgumentError(f"maps of {shape[1]}×{shape[2]} have no wave from {low} to {high}")
    white = torch.randn(shape, generator=generator)
    noise = torch.fft.ifft2(torch.fft.fft2(white, dim=(1, 2)) * inside, dim=(1, 2)).real
    return noise / noise.square().mean((1, 2, 3), keepdim=True).sqrt()


def noise_response(model, images, bands, *, parts=(), where="input", strength=0.1, seed=0):
    """How much noise of each band changes the enlarged images: (n, bands), mean square.

    images: (n, 3, H, W) in [0, 1]. bands: pairs of edges in cycles per LR pixel. The noise is added
    to the images; or to the "input" or "output" of all ``parts``, modules of the model on tokens
    (B, H, W, C). Its deviation is ``strength`` times that of the image or the tokens to which it is
    added, so that a louder branch gets louder noise. The result is in the squared unit of images.

    Raises:
        ArgumentError: ``where`` is neither "input" nor "output".
    """
    if where not in ("input", "output"):
        raise ArgumentError(f"where is {where!r}; expected 'input' or 'output'")
    model.eval()
    with torch.no_grad():
        quiet, found = model(images), []
        for low, high in bands:
            generator = torch.Generator().manual_seed(seed)

            def add(tokens, low=low, high=high, generator=generator):
                noise = band_noise(tokens.shape, low, high, generator).to(tokens)
                deviation = tokens.std((1, 2), keepdim=True).square().mean(-1, keepdim=True).sqrt()
                return tokens + strength * deviation * noise

            if parts:
                with _changed(parts, where, add):
                    noisy = model(images)
            else:
                noisy = model(add(images.permute(0, 2, 3, 1)).permute(0, 3, 1, 2))
            found.append((noisy - quiet).square().mean((1, 2, 3)))
    return torch.stack(found, dim=1).double().cpu().numpy()


@contextmanager
def _changed(parts, where, change):
    with ExitStack() as hooks:
        for part in parts:
            if where == "output":
                hook = part.register_forward_hook(lambda module, inputs, output: change(output))
            else:
                hook = part.register_forward_pre_hook(lambda module, inputs: (change(inputs[0]),))
            hooks.enter_context(hook)
        yield
