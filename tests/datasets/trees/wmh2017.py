"""Three centres of two subjects, and two scanners of the test part, as the second release."""

from pathlib import Path

import nibabel as nib
import numpy as np

TRAINING = {"Utrecht": (0, 2), "Singapore": (50, 51), "Amsterdam/GE3T": (100, 101)}
TEST = {"Amsterdam/GE1T5": (150,), "Amsterdam/Philips_VU .PETMR_01.": (160,)}
SHAPE = (8, 9, 4)


def subject(folder: Path, seed: int) -> None:
    """Write one subject: the channels of both parts, an unaligned 3DT1 and the lesions."""
    rng = np.random.default_rng(seed)
    label = np.zeros(SHAPE, np.uint8)
    label[2:5, 3:6, 1:3] = 1
    label[6, 6, 2] = 2
    for part, channels in {"pre": ("T1", "FLAIR", "3DT1"), "orig": ("T1", "FLAIR")}.items():
        (folder / part).mkdir(parents=True)
        for channel in channels:
            shape = (4, 4, 4) if channel == "3DT1" else SHAPE
            image = rng.normal(100, 10, shape).astype(np.float32)
            nib.save(nib.Nifti1Image(image, np.eye(4)), folder / part / f"{channel}.nii.gz")
    nib.save(nib.Nifti1Image(label, np.eye(4)), folder / "wmh.nii.gz")


def write(root: Path) -> dict[str, object]:
    """Lay the dataset out below root; return the options to open it with."""
    for part, sites in (("training", TRAINING), ("test", TEST)):
        for site, numbers in sites.items():
            for number in numbers:
                subject(root / part / site / str(number), number)
    observed = root / "additional_annotations/observer_o3/training/Utrecht/0"
    observed.mkdir(parents=True)
    (observed / "result.nii.gz").write_bytes(b"")
    return {}
