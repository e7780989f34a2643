"""The cutting that the authors of EDSR's descendants measured their networks with.

An image is cut into four quadrants that overlap a little, each of these again, until a piece is
small enough. Every output pixel comes from the quadrant it lies in; nothing is blended. A network
that looks at the whole image sees only a piece of it, so scores depend on the cutting.
"""

OVERLAP = 10  # LR pixels by which a quadrant reaches beyond the middle of the image


def in_quadrants(model, lr, limit):
    """The model's answer, piece by piece: (B, 3, H, W) -> (B, 3, scale·H, scale·W).

    A piece of fewer than ``limit`` LR pixels is not cut again, nor one whose quadrants would be as
    large as itself.
    """
    height, width = lr.shape[-2:]
    top, left = height // 2 + OVERLAP, width // 2 + OVERLAP
    if height * width < limit or (top >= height and left >= width):
        return model(lr)
    scale = model.config.scale
    sr = lr.new_empty(*lr.shape[:2], scale * height, scale * width)
    for rows, inside in _halves(height, top):
        for columns, beside in _halves(width, left):
            answer = in_quadrants(model, lr[..., rows, columns], limit)
            kept = answer[
                ..., _scaled(inside, rows.start, scale), _scaled(beside, columns.start, scale)
            ]
            sr[..., _scaled(inside, 0, scale), _scaled(beside, 0, scale)] = kept
    return sr


def _halves(size, reach):
    """For either half of an axis: the slice that is read, and the slice that is kept."""
    middle, reach = size // 2, min(reach, size)
    yield slice(0, reach), slice(0, middle)
    yield slice(size - reach, size), slice(middle, size)


def _scaled(part, start, scale):
    return slice(scale * (part.start - start), scale * (part.stop - start))
