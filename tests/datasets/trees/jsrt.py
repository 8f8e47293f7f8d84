"""Two raw chest films and the outlines at half their sides, one in each fold."""

from pathlib import Path

import numpy as np

from uda_study.testing.tiny_files import write_picture, write_raw_xray

FOLDS = {"JPCLN001": "fold1", "JPCNN002": "fold2"}


def write(root: Path) -> dict[str, object]:
    """Lay the dataset out below root; return the options to open it with."""
    for seed, (name, fold) in enumerate(FOLDS.items()):
        film = np.random.default_rng(seed).integers(500, 1500, (64, 64)).astype(np.uint16)
        for side, left in (("right lung", 8), ("left lung", 40)):
            film[left : left + 16, 16:48] += 2000  # air lets more light through, the film is dark
            lung = np.zeros((1024, 1024), np.uint8)
            lung[left * 16 : (left + 16) * 16, 256:768] = 255
            write_picture(root / "SCR" / fold / "masks" / side / f"{name}.gif", lung)
        write_raw_xray(root / "All247images" / f"{name}.IMG", film)
    return {}
