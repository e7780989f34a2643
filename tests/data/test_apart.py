"""What is measured on is not among what is trained on, but for one photograph."""

import numpy as np
from PIL import Image

from glanet.data import catalog

TRAINED = ("T91", "BSDS200", "BSDS500-test")
MEASURED = ("Set5", "Set14", "B100")


def thumbnails(names):
    """{(set, image): 16 × 24 grey values, mean 0, length 1}; an upright image lies on its side."""
    found = {}
    for name in names:
        for path in catalog.hr_images(name):
            image = Image.open(path).convert("L")
            if image.height > image.width:
                image = image.transpose(Image.Transpose.ROTATE_90)
            small = np.asarray(image.resize((24, 16), Image.Resampling.BOX), float)
            small -= small.mean()
            found[name, path.stem] = small / np.linalg.norm(small)
    return found


def test_only_woman_of_set5_is_in_the_291_in_another_size(data_root, monkeypatch):
    monkeypatch.setenv("GLANET_DATA", str(data_root))
    trained, measured = thumbnails(TRAINED), thumbnails(MEASURED)
    known = np.stack([*trained.values()])
    views = np.stack([known, known[:, ::-1], known[..., ::-1], known[:, ::-1, ::-1]])
    alike = np.einsum("vtij,mij->tmv", views, np.stack([*measured.values()])).max(-1)
    found = {([*trained][t], [*measured][m]) for t, m in np.argwhere(alike > 0.97)}
    assert found == {(("BSDS200", "302003"), ("Set5", "woman"))}
