"""One subject in CT and two in MR, a bright liver in noise, labels paired by file name."""

from pathlib import Path

import numpy as np

from uda_study.testing.tiny_files import write_dicom, write_picture

SHAPE = (20, 24, 4)


def volume(seed: int, liver: int) -> tuple[np.ndarray, np.ndarray]:
    """Return an image and its label values, the label nearer to the first slices."""
    label = np.zeros(SHAPE, np.uint8)
    label[4:12, 6:15, :2] = liver
    noise = np.random.default_rng(seed).normal(40, 10, SHAPE)
    return (noise + 60 * (label > 0)).astype(np.int16), label


def lay_out(images: list[Path], ground: Path, seed: int, liver: int) -> None:
    """Write one label folder and its images, whose file names run against the positions."""
    names = [f"IMG-0001-{SHAPE[2] - z:05d}.dcm" for z in range(SHAPE[2])]
    image, label = volume(seed, liver)
    for number, folder in enumerate(images):
        write_dicom(folder, image + number, (1.6, 1.6, 7.8), names)
    for z in range(SHAPE[2]):
        write_picture(ground / f"liver_GT_{SHAPE[2] - z:03d}.png", label[:, :, z])


def write(root: Path) -> dict[str, object]:
    """Lay the dataset out below root; return the options to open it with."""
    ct, mr = root / "Train_Sets" / "CT", root / "Train_Sets" / "MR"
    lay_out([ct / "2" / "DICOM_anon"], ct / "2" / "Ground", 0, 255)
    for subject in (1, 13):
        dual, spir = mr / str(subject) / "T1DUAL", mr / str(subject) / "T2SPIR"
        phases = [dual / "DICOM_anon" / phase for phase in ("InPhase", "OutPhase")]
        lay_out(phases, dual / "Ground", subject, 63)
        lay_out([spir / "DICOM_anon"], spir / "Ground", subject + 1, 63)
    return {}
