"""Small valid files of the formats that no library writes in one line, for tests and fuzzing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PillowImage

Change = Callable[[int, Any], None]
"""Alters the data set of a slice, given its number along Z, before it is written."""


def write_dicom(
    folder: Path,
    array: NDArray[np.int16],
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
    names: Sequence[str] | None = None,
    change: Change | None = None,
) -> list[Path]:
    """Write a volume (X, Y, Z) as one axial series; return the files in the order of Z.

    In LPS the axes of the array are those of the world, and the first voxel lies at 0.
    """
    from pydicom.dataset import Dataset, FileMetaDataset  # noqa: PLC0415 - few need it
    from pydicom.uid import (  # noqa: PLC0415
        CTImageStorage,
        ExplicitVRLittleEndian,
        generate_uid,
    )

    folder.mkdir(parents=True, exist_ok=True)
    series = generate_uid(entropy_srcs=[str(folder)])
    files = []
    for z in range(array.shape[2]):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID = CTImageStorage
        dataset.SOPInstanceUID = generate_uid(entropy_srcs=[str(folder), str(z)])
        dataset.SeriesInstanceUID = series
        dataset.PatientName = "Canary^Patient"
        dataset.PatientID = "canary-17"
        dataset.Columns, dataset.Rows = array.shape[:2]
        dataset.SamplesPerPixel = 1
        dataset.PhotometricInterpretation = "MONOCHROME2"
        dataset.BitsAllocated = dataset.BitsStored = 16
        dataset.HighBit = 15
        dataset.PixelRepresentation = 1
        dataset.ImagePositionPatient = [0, 0, z * spacing[2]]
        dataset.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        dataset.PixelSpacing = [spacing[1], spacing[0]]
        dataset.SliceThickness = spacing[2]
        dataset.PixelData = array[:, :, z].T.astype("<i2").tobytes()
        if change is not None:
            change(z, dataset)
        name = f"IMG-{z + 1:05d}.dcm" if names is None else names[z]
        dataset.save_as(folder / name, enforce_file_format=True)
        files.append(folder / name)
    return files


def write_picture(path: Path, pixels: NDArray[Any]) -> Path:
    """Write pixels (W, H) as a PNG or a GIF, by the path's suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    PillowImage.fromarray(np.ascontiguousarray(pixels.T)).save(path)
    return path


def write_raw_xray(path: Path, block: NDArray[np.uint16]) -> Path:
    """Write a JSRT radiograph (.IMG) that repeats a square block (W, W) as large pixels."""
    factor = 2048 // block.shape[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(block.T.repeat(factor, 0).repeat(factor, 1).astype(">u2").tobytes())
    return path
