"""Two chest X-rays at a sixteenth of the published sides, one upright and one across."""

from pathlib import Path

import numpy as np

from uda_study.testing.tiny_files import write_picture

SIDES = {"MCUCXR_0001_0.png": (251, 306), "MCUCXR_0104_1.png": (306, 251)}


def write(root: Path) -> dict[str, object]:
    """Lay the dataset out below root; return the options to open it with."""
    folder = root / "MontgomerySet"
    for seed, (name, (width, height)) in enumerate(SIDES.items()):
        image = np.random.default_rng(seed).integers(100, 180, (width, height), dtype=np.uint8)
        for side, left in (("rightMask", width // 8), ("leftMask", width * 5 // 8)):
            lung = np.zeros((width, height), np.uint8)
            lung[left : left + width // 4, height // 4 : height * 3 // 4] = 255
            image[lung > 0] -= 90
            write_picture(folder / "ManualMask" / side / name, lung)
        write_picture(folder / "CXR_png" / name, image)
    return {}
