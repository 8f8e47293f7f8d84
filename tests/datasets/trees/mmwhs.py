"""Three hearts in CT and three in MR, all seven structures and one stray value."""

from pathlib import Path

import nibabel as nib
import numpy as np

VALUES = (500, 600, 420, 421, 550, 205, 820, 850)
AFFINE = np.diag([20.0, 20.0, 20.0, 1.0])


def write(root: Path) -> dict[str, object]:
    """Lay the dataset out below root; return the options to open it with."""
    for domain in ("ct", "mr"):
        (root / f"{domain}_train").mkdir()
        for number in (1001, 1002, 1003):
            label = np.zeros((10, 10, 10), np.int16)
            for place, value in enumerate(VALUES, 1):
                label[4:7, place, 4:7] = value
            rng = np.random.default_rng(number + len(domain) * 7 + ord(domain[0]))
            image = rng.normal(100, 10, label.shape).astype(np.float32)
            for what, array in (("image", image), ("label", label)):
                name = f"{domain}_train_{number}_{what}.nii.gz"
                nib.save(nib.Nifti1Image(array, AFFINE), root / f"{domain}_train" / name)
    return {}
