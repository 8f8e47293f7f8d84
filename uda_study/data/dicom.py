"""Read a folder that is one DICOM series: every slice once, in the order of their positions.

Messages name a file by its place among the folder's files, never by its name, and quote no text
of a header: both may hold a patient's name or an identifier.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uda_study.data.limits import (
    MAX_PIXELS,
    members,
    refuse_pixels,
    refuse_size,
    show_bytes,
    truncated,
    unreadable,
)
from uda_study.data.stack import Geometry, Stack, stack_of
from uda_study.errors import InputError

SUFFIXES = (".dcm", ".ima")
_GEOMETRY = (
    "SeriesInstanceUID", "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel",
    "PhotometricInterpretation", "BitsAllocated", "ImagePositionPatient",
    "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "RescaleSlope",
    "RescaleIntercept", "ModalityLUTSequence",
)  # fmt: skip
_PIXELS = (
    "Rows", "Columns", "NumberOfFrames", "SamplesPerPixel", "PhotometricInterpretation",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData",
)  # fmt: skip
_MAX_FILE = 4 * MAX_PIXELS + (64 << 20)
# What is inflated before its size is known could be a decompression bomb.
_INFLATED = ("1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.8.1")


@dataclass(frozen=True)
class _Header:
    """What is needed of a slice before its pixels: geometry, series, and how values are scaled.

    ``plain_bytes`` is how long the pixels are in the file, 0 where they are compressed.
    """

    geometry: Geometry
    series: str
    plain_bytes: int
    slope: float
    intercept: float


def decode_dicom(folder: Path, where: str) -> tuple[NDArray[np.float32], Stack]:
    """Return the rescaled voxels (X, Y, Z), and how the slices lie in space and among the files.

    X runs along the rows, Y along the columns, Z along the normal of the slices. Raises
    `InputError` unless the folder holds one complete series of single-frame grey slices, evenly
    spaced, whose pixels can be decoded; sizes are judged before any pixel is.
    """
    files = members(folder, where, SUFFIXES)
    headers: list[_Header] = []
    for number, file in enumerate(files, 1):
        place = f"{where}, file {number} of {len(files)}"
        with _translated(place):
            headers.append(_header(file, place))
        columns, rows = headers[-1].geometry.shape
        refuse_pixels(place, columns, rows)
        refuse_size(where, (columns, rows, len(files)), 4)
        if file.stat().st_size < headers[-1].plain_bytes:  # before memory is taken for the volume
            raise truncated(place, headers[-1].plain_bytes, file.stat().st_size)
    _refuse_mixture([header.series for header in headers], where)
    stack = stack_of([header.geometry for header in headers], where)
    array = np.empty((*headers[0].geometry.shape, len(files)), np.float32)
    for z, number in enumerate(stack.file_order):
        place = f"{where}, file {number + 1} of {len(files)}"
        with _translated(place):
            array[:, :, z] = _pixels(files[number], headers[number], place)
    return array, stack


def _refuse_mixture(series: Sequence[str], where: str) -> None:
    """Raise `InputError` for several series, unless no two files share one.

    That is what tools leave behind that anonymise file by file; then geometry alone decides.
    """
    kinds = len(set(series))
    if 1 < kinds < len(series):
        raise InputError.of(
            where,
            "the folder must hold one DICOM series",
            f"{kinds} series",
            "give each series a folder of its own",
        )


@contextmanager
def _translated(where: str) -> Iterator[None]:
    """Turn whatever the parser raises into one problem that quotes nothing of the file."""
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        if error.errno is not None:
            raise unreadable(where, error) from error
        raise _damaged(where, error) from None
    except Exception as error:  # of nearly every built-in kind, depending on what is damaged
        raise _damaged(where, error) from None


def _silence_pydicom() -> None:
    """Stop its warnings and log, which quote headers; for good, since cases are read by threads."""
    warnings.filterwarnings("ignore", module=r"pydicom\.")
    logging.getLogger("pydicom").setLevel(logging.CRITICAL + 1)


def _damaged(where: str, error: Exception) -> InputError:
    return InputError.of(where, "the DICOM file is damaged", type(error).__name__, "copy it again")


def _dataset(file: Path, tags: Sequence[str], where: str) -> Any:
    """Parse a file whose size and transfer syntax are admissible, the named elements alone."""
    from pydicom import dcmread  # noqa: PLC0415 - few need it
    from pydicom.errors import InvalidDicomError  # noqa: PLC0415
    from pydicom.filereader import read_file_meta_info  # noqa: PLC0415

    _silence_pydicom()
    size = file.stat().st_size
    if size > _MAX_FILE:
        raise InputError.of(
            where, f"one slice is at most {show_bytes(_MAX_FILE)}", show_bytes(size), "crop it"
        )
    try:
        _refuse_syntax(read_file_meta_info(file).get("TransferSyntaxUID"), where)
        return dcmread(BytesIO(file.read_bytes()), specific_tags=list(tags))
    except InvalidDicomError:
        raise InputError.of(
            where, "not a DICOM file", None, "leave only slices in the folder"
        ) from None


def _refuse_syntax(syntax: Any, where: str) -> None:
    from pydicom.pixels.decoders.base import get_decoder  # noqa: PLC0415

    if not syntax:
        raise InputError.of(where, "the file names no transfer syntax", None, "convert it again")
    try:
        decodable = syntax not in _INFLATED and get_decoder(syntax).is_available
    except NotImplementedError:
        decodable = False
    if not decodable:
        private = syntax.is_private or syntax.name == str(syntax)
        raise InputError.of(
            where,
            "the pixels' compression is not supported",
            "an unknown transfer syntax" if private else syntax.name,
            "convert the series to Explicit VR Little Endian",
        )


def _header(file: Path, where: str) -> _Header:
    dataset = _dataset(file, _GEOMETRY, where)
    frames, channels = dataset.get("NumberOfFrames"), dataset.get("SamplesPerPixel")
    if frames not in (None, "", 1):
        raise InputError.of(
            where, "a file must hold one slice", f"{int(frames)} frames", "split the frames"
        )
    grey = dataset.get("PhotometricInterpretation") == "MONOCHROME2"
    bits = dataset.get("BitsAllocated")
    if channels != 1 or not grey or bits not in (8, 16, 32):
        raise InputError.of(
            where,
            "a slice needs one channel of grey, MONOCHROME2 of 8, 16 or 32 bits",
            None,
            "convert the series",
        )
    if dataset.get("ModalityLUTSequence"):
        raise InputError.of(
            where, "a modality lookup table is not supported", None, "convert the series"
        )
    orientation = _numbers(dataset, "ImageOrientationPatient", 6, where)
    slope, intercept = (
        _numbers(dataset, name, 1, where)[0] if dataset.get(name) is not None else usual
        for name, usual in (("RescaleSlope", 1.0), ("RescaleIntercept", 0.0))
    )
    if slope == 0:
        raise InputError.of(where, "RescaleSlope must not be 0", None, "convert it again")
    thickness = dataset.get("SliceThickness")
    compressed = dataset.file_meta.TransferSyntaxUID.is_encapsulated
    return _Header(
        Geometry(
            shape=(int(dataset.Columns), int(dataset.Rows)),
            position=_numbers(dataset, "ImagePositionPatient", 3, where),
            along_row=orientation[:3],
            along_column=orientation[3:],
            spacing=_numbers(dataset, "PixelSpacing", 2, where),
            thickness=None if thickness is None else float(thickness),
        ),
        series=str(dataset.get("SeriesInstanceUID")),
        plain_bytes=0 if compressed else int(dataset.Columns) * int(dataset.Rows) * bits // 8,
        slope=float(slope),
        intercept=float(intercept),
    )


def _numbers(dataset: Any, name: str, count: int, where: str) -> NDArray[np.float64]:
    value = dataset.get(name)
    try:
        numbers = np.array(value, dtype=np.float64).reshape(-1)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.size != count or not np.isfinite(numbers).all():
        raise InputError.of(
            where, f"{name} must be {count} finite numbers", None, "convert the series"
        )
    return numbers


def _pixels(file: Path, header: _Header, where: str) -> NDArray[np.float32]:
    dataset = _dataset(file, _PIXELS, where)
    columns, rows = header.geometry.shape
    if "PixelData" not in dataset:
        raise InputError.of(where, "the slice has no pixels", None, "copy it again")
    if len(dataset.PixelData) < header.plain_bytes:
        raise truncated(where, header.plain_bytes, len(dataset.PixelData))
    pixels = np.asarray(dataset.pixel_array)
    if pixels.shape != (rows, columns):
        raise InputError.of(where, "the pixels do not fill the slice", None, "copy it again")
    return (pixels.T * header.slope + header.intercept).astype(np.float32)
