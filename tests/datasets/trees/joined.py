"""Livers in CT as LiTS ships them, and livers in MR from a table."""

import importlib.util
from pathlib import Path

import nibabel as nib
import numpy as np

ROWS = "subject,domain,image,label\n"


def write(root: Path) -> dict[str, object]:
    """Lay the dataset out below root; return the options to open it with."""
    place = Path(__file__).with_name("lits.py")
    spec = importlib.util.spec_from_file_location("miniature_lits_part", place)
    lits = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(lits)
    (root / "lits").mkdir()
    (root / "local").mkdir()
    lits.write(root / "lits")
    table = ROWS
    for number in (1, 2, 3):
        label = np.zeros((8, 9, 4), np.uint8)
        label[2:5, 3:6, 1:3] = 1
        image = np.random.default_rng(number).normal(50, 5, label.shape).astype(np.float32)
        for name, array in (("image", image), ("label", label)):
            file = root / "local" / f"{name}{number}.nii"
            nib.save(nib.Nifti1Image(array, np.eye(4)), file)
        table += f"p{number},mr,image{number}.nii,label{number}.nii\n"
    (root / "local" / "manifest.csv").write_text(table)
    local = {"dataset": "manifest", "root": "local", "labels": {"liver": [1]}}
    return {"parts": [{"dataset": "lits", "root": "lits"}, local]}
