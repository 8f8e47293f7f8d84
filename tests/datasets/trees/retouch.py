"""One volume of each scanner with three fluids; that of Topcon is one folder deeper."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk  # noqa: N813

SHAPES = {"Cirrus": (16, 32, 6), "Spectralis": (16, 15, 4), "Topcon": (16, 20, 6)}
FIRST = {"Cirrus": 1, "Spectralis": 25, "Topcon": 49}


def write(root: Path) -> dict[str, object]:
    """Lay the dataset out below root; return the options to open it with."""
    for scanner, shape in SHAPES.items():
        folder = root / f"RETOUCH-TrainingSet-{scanner}"
        folder = folder / folder.name if scanner == "Topcon" else folder
        folder = folder / f"TRAIN{FIRST[scanner]:03d}"
        folder.mkdir(parents=True)
        label = np.zeros(shape, np.uint8)
        for value in (1, 2, 3):
            label[4 * value - 2 : 4 * value, 4:12, 1:3] = value
        noise = np.random.default_rng(FIRST[scanner]).integers(0, 60, shape)
        for name, array in (("oct", noise + 60 * label), ("reference", label)):
            picture = sitk.GetImageFromArray(array.astype(np.uint8).T)
            picture.SetSpacing((0.0117, 0.0039 * 15 / shape[1], 0.12 * 4 / shape[2]))
            sitk.WriteImage(picture, str(folder / f"{name}.mhd"))
    return {}
