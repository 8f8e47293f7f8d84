"""Two subjects per hospital and their tissue maps."""

from pathlib import Path

import nibabel as nib
import numpy as np

SUBJECTS = (
    "IXI002-Guys-0828",
    "IXI016-Guys-0697",
    "IXI012-HH-1211",
    "IXI013-HH-1212",
    "IXI035-IOP-0873",
    "IXI036-IOP-0869",
)


def write(root: Path) -> dict[str, object]:
    """Lay the dataset out below root; return the options to open it with."""
    (root / "T1").mkdir()
    (root / "tissues").mkdir()
    for seed, subject in enumerate(SUBJECTS):
        tissues = np.zeros((8, 9, 4), np.uint8)
        for value in (1, 2, 3):
            tissues[2:6, 2 * value : 2 * value + 2] = value
        rng = np.random.default_rng(seed)
        image = (rng.normal(50, 10, tissues.shape) + 10 * tissues).astype(np.float32)
        nib.save(nib.Nifti1Image(image, np.eye(4)), root / "T1" / f"{subject}-T1.nii.gz")
        nib.save(nib.Nifti1Image(tissues, np.eye(4)), root / "tissues" / f"{subject}-T1_seg.nii.gz")
    return {"labels": "tissues"}
