"""Four subjects of two sites in T1w and FLAIR, labelled by one pipeline."""

from pathlib import Path

import nibabel as nib
import numpy as np

SITES = {"01": "leiden", "02": "leiden", "03": "ghent", "04": "ghent"}


def write(root: Path) -> dict[str, object]:
    """Lay the dataset out below root; return the options to open it with."""
    rows = ["participant_id\tage\tsite"]
    for subject, site in SITES.items():
        raw = root / f"sub-{subject}" / "anat"
        made = root / "derivatives" / "manual" / f"sub-{subject}" / "anat"
        label = np.zeros((8, 9, 4), np.uint8)
        label[2:5, 3:6, 1:3] = 1
        rng = np.random.default_rng(int(subject))
        for folder in (raw, made):
            folder.mkdir(parents=True)
        for suffix in ("T1w", "FLAIR"):
            image = rng.normal(100, 10, label.shape).astype(np.float32)
            nib.save(nib.Nifti1Image(image, np.eye(4)), raw / f"sub-{subject}_{suffix}.nii.gz")
        name = f"sub-{subject}_label-lesion_mask.nii.gz"
        nib.save(nib.Nifti1Image(label, np.eye(4)), made / name)
        rows.append(f"sub-{subject}\tn/a\t{site}")
    (root / "participants.tsv").write_text("\n".join(rows) + "\n")
    return {"domain": "column:site", "images": ["T1w", "FLAIR"], "label": "label-lesion_mask"}
