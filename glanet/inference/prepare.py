"""What inference computes once, where the model as it is written computes it in every forward."""

from contextlib import contextmanager
from functools import cache, lru_cache

from glanet.model.attention import WindowAttention, shift_mask


@contextmanager
def biases_kept(model):
    """Within it, position biases are gathered once, and a shift mask serves all layers.

    Both depend on the weights and the image's size alone. Weights must not change within it.
    """
    attentions = [part for part in model.modules() if isinstance(part, WindowAttention)]
    kept_mask = lru_cache(maxsize=2)(shift_mask)  # as large as an activation: the last sizes only

    def mask_of(attention):
        device = attention.bias_table.device
        return lambda height, width, dtype: kept_mask(
            height, width, attention.window, attention.shift, dtype, device
        )

    for attention in attentions:
        attention.position_bias = cache(attention.position_bias)
        attention.mask = mask_of(attention)
    try:
        yield
    finally:
        for attention in attentions:
            for name in ("position_bias", "mask"):
                attention.__dict__.pop(name, None)  # another thread may have been quicker
