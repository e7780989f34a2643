"""Second-order statistics: the covariance of channels, and its square root. For SAN.

Dai, Cai, Zhang, Xia, Zhang: *Second-Order Attention Network for Single Image Super-Resolution*,
CVPR 2019, §3.3. The iteration is that of Li, Xie, Wang, Gao: *Towards Faster Training of Global
Covariance Pooling Networks by Iterative Matrix Square Root Normalization*, CVPR 2018.
"""

import torch
from einops import rearrange

STEPS = 5  # of the square root's iteration


def covariance(features):
    """Covariance of the channels over all positions (Eq. 10): (B, C, H, W) -> (B, C, C).

    The paper multiplies by a centring matrix of (H·W)² entries. Subtracting the mean does the same.
    """
    flat = rearrange(features, "b c h w -> b c (h w)")
    centred = flat - flat.mean(-1, keepdim=True)
    return centred @ centred.mT / flat.shape[-1]


def square_root(matrix):
    """Square root of positive semi-definite matrices, approximately: (B, N, N) -> (B, N, N).

    Five steps of the coupled Newton–Schulz iteration (§3.3). It converges for eigenvalues in
    (0, 1], so the matrix is divided by its trace before. The roots of eigenvalues far below the
    trace come out too small.
    """
    # the trace is 0 where nothing varies
    trace = matrix.diagonal(dim1=1, dim2=2).sum(-1).clamp(min=1e-12)[:, None, None]
    three = 3 * torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
    root, inverse = matrix / trace, three / 3  # Y and Z of the paper
    for _ in range(STEPS):
        step = (three - inverse @ root) / 2
        root, inverse = root @ step, step @ inverse
    return root * trace.sqrt()
