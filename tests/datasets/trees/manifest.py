"""Two domains of two subjects each, a bright box in noise."""

from pathlib import Path

import nibabel as nib
import numpy as np


def write(root: Path) -> dict[str, object]:
    """Lay the dataset out below root; return the options to open it with."""
    rows = ["subject,domain,image,label"]
    for number, domain in enumerate(("mr", "mr", "ct", "ct")):
        label = np.zeros((8, 9, 4), np.uint8)
        label[2:5, 3:6, 1:3] = 1
        image = np.random.default_rng(number).normal(size=label.shape).astype(np.float32) + label
        for name, array in ((f"i{number}.nii", image), (f"l{number}.nii", label)):
            nib.save(nib.Nifti1Image(array, np.eye(4)), root / name)
        rows.append(f"p{number},{domain},i{number}.nii,l{number}.nii")
    (root / "manifest.csv").write_text("\n".join(rows))
    return {}
