"""Is anything that we measure on, or a piece of it, among what we train on?

    GLANET_DATA=... python -m benchmarks.duplicates

Compares every image of the training sets with every image of the benchmarks, also mirrored, by ORB
features (Rublee et al., ICCV 2011), which survive cropping, scaling and turning. Two images are
alike if one similarity transform puts many features of one on their partners in the other.

The method is calibrated on the same images: a crop of each benchmark image, made smaller, is to be
found (``found``, a share), and no pair of different benchmark images (``false_alarms``).
"""

import sys
from dataclasses import dataclass

import numpy as np
from skimage.color import rgb2gray
from skimage.feature import ORB
from skimage.transform import rescale
from tqdm import tqdm

from benchmarks import ledger
from benchmarks.scores import SETS
from glanet.data import catalog
from glanet.data.images import read_rgb

TRAINED = ("T91", "BSDS200", "BSDS500-test", "CID22", "CLIC2025")
LONGEST = 512  # pixels of the side to which larger images are shrunk
KEYPOINTS = 400
BITS = 256  # of a descriptor
NEAR = 64  # bits in which the descriptors of a pair may differ
ALIKE = 10  # features on their partners, from which two images count as alike
PIXELS = 3.0  # within which a feature lies on its partner
MATCHES = 60  # of two images, the best, among which a transform is looked for
ZOOM = 4.0  # by which one image may be larger than the other
CROPS = {"half, ×0.8": (0.5, 0.8), "quarter": (0.25, 1.0), "whole, ×0.5": (1.0, 0.5)}


@dataclass(frozen=True)
class Features:
    """Positions (n, 2) in pixels, and descriptors (n, 256) of -1 and +1."""

    positions: np.ndarray
    descriptors: np.ndarray


def main():
    ledger.started()
    measured = {(name, path.stem): grey(path) for name in SETS for path in catalog.hr_images(name)}
    known = {key: features(image) for key, image in tqdm(measured.items(), "benchmarks")}
    mirrored = {key: features(image[:, ::-1]) for key, image in measured.items()}
    pairs, count = [], 0
    for name in TRAINED:
        for path in tqdm(catalog.hr_images(name), name):
            count += 1
            for (theirs, stem), inliers in alike(features(grey(path)), known, mirrored):
                pairs.append([f"{name}/{path.stem}", f"{theirs}/{stem}", inliers])
    found, false_alarms = calibrate(measured, known)
    ledger.record(
        "near-duplicates",
        {"pairs": len(pairs), **{f"found: {kind}": share for kind, share in found.items()}},
        "pairs of a trained and a measured image; shares of crops that are found",
        pairs=pairs,
        false_alarms=false_alarms,
        trained=list(TRAINED),
        measured=list(SETS),
        images=count,
        seed=0,
    )


def grey(path):
    """Grey values (H, W) in [0, 1], no side longer than `LONGEST`."""
    image = rgb2gray(read_rgb(path))
    return rescale(image, min(1.0, LONGEST / max(image.shape)), anti_aliasing=True)


def features(image) -> Features:
    """The ORB features of grey values (H, W); none where nothing stands out."""
    orb = ORB(n_keypoints=KEYPOINTS, fast_threshold=0.03)
    try:
        orb.detect_and_extract(image)
    except RuntimeError:  # skimage's way to say that there are none
        return Features(np.zeros((0, 2)), np.zeros((0, BITS), np.float32))
    return Features(orb.keypoints, 2 * orb.descriptors.astype(np.float32) - 1)


def alike(image, *collections):
    """[(key, inliers)] of the images in the collections that show the same as ``image``."""
    counts = {}
    for collection in collections:
        for key, other in collection.items():
            counts[key] = max(counts.get(key, 0), inliers(image, other))
    return [(key, int(count)) for key, count in counts.items() if count >= ALIKE]


def inliers(ours, theirs):
    """How many features lie on their partners under the best similarity transform."""
    if min(len(ours.positions), len(theirs.positions)) < ALIKE:
        return 0
    products = ours.descriptors @ theirs.descriptors.T  # BITS minus twice the differing bits
    best, back = products.argmax(1), products.argmax(0)
    mutual = back[best] == np.arange(len(best))
    chosen = np.flatnonzero(mutual & (products.max(1) >= BITS - 2 * NEAR))
    if len(chosen) < ALIKE:
        return 0
    best_first = chosen[np.argsort(-products.max(1)[chosen])][:MATCHES]
    return most_that_fit(ours.positions[best_first], theirs.positions[best[best_first]])


def most_that_fit(points, partners):
    """How many points (n, 2) one similarity transform takes to within `PIXELS` of their partners.

    Every two points with their partners define a transform: in complex numbers, w = az + b.
    """
    z, w = (rows @ (1, 1j) for rows in (points, partners))
    i, j = np.triu_indices(len(z), 1)
    with np.errstate(divide="ignore", invalid="ignore"):  # two features at one place define none
        a = (w[i] - w[j]) / (z[i] - z[j])
        b = w[i] - a * z[i]
        near = np.abs(a[:, None] * z + b[:, None] - w) <= PIXELS
    plausible = (np.abs(a) <= ZOOM) & (np.abs(a) >= 1 / ZOOM)
    return near[plausible].sum(1).max(initial=0)


def calibrate(measured, known):
    """Shares of benchmark images found again by a crop, and pairs of different ones found alike."""
    rng = np.random.default_rng(0)
    found, alarms = {}, set()
    for kind, (share, scale) in CROPS.items():
        hits = 0
        for key, image in tqdm(measured.items(), kind):
            matches = {k for k, _ in alike(features(crop(image, share, scale, rng)), known)}
            hits += key in matches
            alarms |= {tuple(sorted((key, other))) for other in matches - {key}}
        found[kind] = round(hits / len(measured), 3)
    return found, [[f"{a}/{b}" for a, b in pair] for pair in sorted(alarms)]


def crop(image, share, scale, rng):
    """A random piece with that share of the area, resized by ``scale``."""
    size = [round(side * share**0.5) for side in image.shape]
    top, left = (
        rng.integers(side - part + 1) for side, part in zip(image.shape, size, strict=True)
    )
    return rescale(image[top : top + size[0], left : left + size[1]], scale, anti_aliasing=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        sys.exit(__doc__)
    main()
