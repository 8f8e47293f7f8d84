"""Three centres of two patients, and a fourth centre in the test part."""

from pathlib import Path

import nibabel as nib
import numpy as np

CHANNELS = ("FLAIR", "T1", "T2", "DP", "GADO")
CENTRES = {
    "Training/Center_01": 2,
    "Training/Center_07": 2,
    "Training/Center_08": 2,
    "Testing/Center_01": 1,
    "Testing/Center_03": 2,
}


def patient_files(seed: int) -> dict[str, nib.Nifti1Image]:
    """Return the preprocessed channels, the consensus and the brain of one patient."""
    rng = np.random.default_rng(seed)
    label = np.zeros((8, 9, 4), np.uint8)
    label[2:5, 3:6, 1:3] = 1
    brain = np.zeros_like(label)
    brain[1:7, 1:8] = 1
    arrays = {
        f"{name}_preprocessed": (rng.normal(100, 10, label.shape) * brain).astype(np.float32)
        for name in CHANNELS
    }
    arrays |= {"Consensus": label, "Brain_Mask": brain}
    return {name: nib.Nifti1Image(array, np.eye(4)) for name, array in arrays.items()}


def write(root: Path) -> dict[str, object]:
    """Lay the dataset out below root; return the options to open it with."""
    for number, (centre, patients) in enumerate(CENTRES.items()):
        for patient in range(1, patients + 1):
            folder = root / centre / f"Patient_{patient:02d}"
            for name in ("Preprocessed_Data", "Raw_Data", "Masks"):
                (folder / name).mkdir(parents=True)
            files = patient_files(10 * number + patient)
            for name in CHANNELS:
                image = files[f"{name}_preprocessed"]
                nib.save(image, folder / "Preprocessed_Data" / f"{name}_preprocessed.nii.gz")
                nib.save(image, folder / "Raw_Data" / f"{name}.nii.gz")
            for name in ("Consensus", "Brain_Mask"):
                nib.save(files[name], folder / "Masks" / f"{name}.nii.gz")
    return {}
