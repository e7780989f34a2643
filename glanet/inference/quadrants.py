"""The cutting that the authors of EDSR's descendants measured their networks with.

An image is cut into four quadrants that overlap a little, and each quadrant again unless it is
small. Every output pixel comes from the quadrant in which it lies; nothing is blended. A network
that looks at the whole image sees only a piece of it, so scores depend on the cutting.
"""

# LR pixels by which a quadrant reaches beyond the middle of the image: RCAN, SAN and HAN. The tests
# of IGNN, NLSN, CSNLN and RNAN reach 9 to 18 instead, so that sides are multiples of what those
# networks need; here they pad
OVERLAP = 10


def in_quadrants(model, lr, limit):
    """The model's answer, piece by piece: (B, 3, H, W) -> (B, 3, scale·H, scale·W).

    The image itself is always cut. A quadrant is cut again if it has ``limit`` LR pixels or more.
    Nothing is cut whose quadrants would be as large as itself.
    """
    height, width = lr.shape[-2:]
    top, left = height // 2 + OVERLAP, width // 2 + OVERLAP
    if top >= height and left >= width:
        return model(lr)
    scale = model.config.scale
    sr = lr.new_empty(*lr.shape[:2], scale * height, scale * width)
    for rows, inside in _halves(height, top):
        for columns, beside in _halves(width, left):
            piece = lr[..., rows, columns]
            small = piece.shape[-2] * piece.shape[-1] < limit
            answer = model(piece) if small else in_quadrants(model, piece, limit)
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
