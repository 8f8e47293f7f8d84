"""Read NIfTI-1 and NIfTI-2 files: the header is judged before any voxel is read.

nibabel parses the header; a compressed file is decompressed once, to its end, because a bad
checksum shows only there.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from pathlib import Path
from typing import IO, Any, cast

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from uda_study.data.limits import CHUNK, refuse_size, truncated, unreadable
from uda_study.errors import InputError

# Bytes after the voxels that some writers append; more than that is a decompression bomb.
_SLACK = 1 << 20
_HEADER_BYTES = 540
_HEADERS: dict[int, Any] = {348: nib.Nifti1Header, 540: nib.Nifti2Header}


def decode_nifti(path: Path, where: str) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return the voxels (X, Y, Z), scaled where the header says so, and the affine to RAS mm.

    Raises `InputError` for anything that is not one sound scalar volume.
    """
    _refuse_twin(path, where)
    opener = cast(
        Callable[[Path, str], IO[bytes]], gzip.open if path.suffix.lower() == ".gz" else Path.open
    )
    with _translated(where), opener(path, "rb") as stream:
        header = _header(stream.read(_HEADER_BYTES), where)
        shape = _volume_shape(header, where)
        dtype = _scalar_type(header, where)
        refuse_size(where, shape, dtype.itemsize)
        affine = _affine(header, where)
        first = _first_voxel(header, where)
        slope, intercept = header.get_slope_inter()
        expected = prod(shape) * dtype.itemsize
        stream.seek(0)
        content = _content(stream, first + expected, where)
    if len(content) < first + expected:
        raise truncated(where, expected, max(len(content) - first, 0))
    array: NDArray[Any] = np.frombuffer(content, dtype, prod(shape), first)
    array = array.reshape(shape, order="F")
    if slope is not None and (slope, intercept) != (1, 0):
        array = array.astype(np.float64) * slope + intercept
    return array, affine


@contextmanager
def _translated(where: str) -> Iterator[None]:
    """Turn what the readers raise into one problem."""
    try:
        yield
    except EOFError as error:
        raise InputError.of(
            where, "the compressed file is truncated", None, "copy it again"
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise InputError.of(
            where, "the compressed file is damaged", str(error), "copy it again"
        ) from error
    except (HeaderDataError, ValueError) as error:
        raise InputError.of(
            where, "the NIfTI header is invalid", str(error), "convert it again"
        ) from error
    except OSError as error:
        raise unreadable(where, error) from error


def _refuse_twin(path: Path, where: str) -> None:
    twin = (
        path.with_suffix("") if path.suffix.lower() == ".gz" else path.with_name(path.name + ".gz")
    )
    if twin.exists():
        raise InputError.of(
            where, "ambiguous: keep one of the two", f"{path.name} beside {twin.name}", "remove one"
        )


def _header(start: bytes, where: str) -> Any:
    sizes = {order: int.from_bytes(start[:4], order) for order in ("little", "big")}
    kind = next((_HEADERS[size] for size in sizes.values() if size in _HEADERS), None)
    if kind is None or len(start) < kind.template_dtype.itemsize:
        raise InputError.of(
            where, "not a NIfTI file", repr(bytes(start[:8])), "give it the suffix of its format"
        )
    header = kind(binaryblock=start[: kind.template_dtype.itemsize], check=False)
    if not bytes(header["magic"].item()).startswith((b"n+1", b"n+2")):
        raise InputError.of(
            where, "not a single-file NIfTI image", None, "convert it to .nii or .nii.gz"
        )
    return header


def _volume_shape(header: Any, where: str) -> tuple[int, ...]:
    """Return three dimensions; a plane gets a third of 1, trailing dimensions of 1 go."""
    count = int(header["dim"][0])
    dims = tuple(int(value) for value in header["dim"][1 : count + 1]) if 1 <= count <= 7 else ()
    if not 2 <= count <= 7 or any(extra != 1 for extra in dims[3:]):
        text = " x ".join(str(value) for value in dims) or f"{count} dimensions"
        raise InputError.of(where, "one three-dimensional volume is needed", text, "split the file")
    return (*dims, 1)[:3]


def _scalar_type(header: Any, where: str) -> np.dtype[Any]:
    try:
        dtype: np.dtype[Any] = header.get_data_dtype()
    except KeyError as error:
        raise InputError.of(
            where, "the header names an unknown voxel type", error.args[0], "convert it again"
        ) from error
    if dtype.names is not None or dtype.kind not in "iuf" or dtype.itemsize == 0:
        raise InputError.of(where, "voxels must be single real numbers", dtype, "convert the image")
    return dtype


def _affine(header: Any, where: str) -> NDArray[np.float64]:
    if int(header["sform_code"]) == 0 and int(header["qform_code"]) == 0:
        raise InputError.of(
            where,
            "the header tells no orientation",
            "sform = qform = 0",
            "write the sform of the scanner into the header",
        )
    return np.asarray(header.get_best_affine(), dtype=np.float64)


def _first_voxel(header: Any, where: str) -> int:
    first = float(header["vox_offset"])
    minimum = header.template_dtype.itemsize + 4
    if not minimum <= first <= _SLACK + minimum or first != int(first):
        raise InputError.of(where, "the voxels' offset is impossible", first, "convert it again")
    return int(first)


def _content(stream: IO[bytes], claimed: int, where: str) -> bytearray:
    """Read to the end of the stream, which also checks the checksum of a compressed file."""
    content = bytearray()
    while chunk := stream.read(CHUNK):
        content += chunk
        if len(content) > claimed + _SLACK:
            raise InputError.of(
                where,
                "the file holds more than its header claims",
                f"over {len(content)} of {claimed} bytes",
                "convert it again",
            )
    return content
