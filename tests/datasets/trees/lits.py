"""Three volumes in two batches, uncompressed, the last without a tumour."""

from pathlib import Path

import nibabel as nib
import numpy as np

BATCHES = {"Training Batch 1": (0, 2), "Training Batch 2": (28,)}


def write(root: Path) -> dict[str, object]:
    """Lay the dataset out below root; return the options to open it with."""
    for batch, numbers in BATCHES.items():
        (root / batch).mkdir()
        for number in numbers:
            label = np.zeros((8, 9, 4), np.uint8)
            label[2:5, 3:6, 1:3] = 1
            if number != 28:
                label[3, 4, 1] = 2
            rng = np.random.default_rng(number)
            image = np.where(label > 0, 100, rng.normal(0, 30, label.shape)).astype(np.int16)
            image[0] = image[-1] = image[:, 0] = image[:, -1] = -1000
            for what, array in (("volume", image), ("segmentation", label)):
                nib.save(nib.Nifti1Image(array, np.eye(4)), root / batch / f"{what}-{number}.nii")
    return {}
