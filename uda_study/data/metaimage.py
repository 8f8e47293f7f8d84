"""Read MetaImage files (.mha, .mhd) by ourselves.

SimpleITK fills voxels that it cannot read with 0, and its parser of headers ends the process on
some damaged ones, such as ``NDims = 65535``.
"""

from __future__ import annotations

import zlib
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uda_study.data.limits import CHUNK, refuse_size, truncated, unreadable
from uda_study.errors import InputError

_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4",
    "MET_UINT": "u4", "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4", "MET_DOUBLE": "f8",
}  # fmt: skip
_MAX_HEADER = 1 << 16
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


def decode_metaimage(path: Path, where: str) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return the voxels (X, Y, Z) and the affine to RAS mm (the file's own world is LPS).

    Raises `InputError` unless the file is one scalar volume whose data lie in the file itself or
    in a plain file beside it, complete and undamaged.
    """
    try:
        fields, header_bytes = _fields(path, where)
        shape = _shape(fields, where)
        dtype = _dtype(fields, where)
        refuse_size(where, shape, dtype.itemsize)
        data, start = _data_file(path, fields, header_bytes, where)
        expected = prod(shape) * dtype.itemsize
        if _is_true(fields, "CompressedData"):
            content = _inflated(data, start, expected, where)
        else:
            content = _plain(data, start, expected, where)
    except OSError as error:
        raise unreadable(where, error) from error
    array = np.frombuffer(content, dtype).reshape((*shape, 1)[:3], order="F")
    return array, _affine(fields, where)


def _fields(path: Path, where: str) -> tuple[dict[str, str], int]:
    """Return the header's fields and its length; ``ElementDataFile`` is the last of them."""
    with path.open("rb") as stream:
        start = stream.read(_MAX_HEADER)
    fields: dict[str, str] = {}
    position = 0
    while (end := start.find(b"\n", position)) >= 0:
        key, separator, value = start[position:end].decode("latin-1").partition("=")
        position = end + 1
        if not separator:
            break
        fields[key.strip()] = value.strip()
        if key.strip() == "ElementDataFile":
            return fields, position
    raise InputError.of(
        where, "not a MetaImage file", repr(start[:16]), "give it the suffix of its format"
    )


def _shape(fields: dict[str, str], where: str) -> tuple[int, ...]:
    try:
        dims = tuple(int(value) for value in fields.get("DimSize", "").split())
    except ValueError:
        dims = ()
    wrong = len(dims) not in (2, 3, 4) or any(extra != 1 for extra in dims[3:])
    if wrong or fields.get("NDims", str(len(dims))) != str(len(dims)):
        raise InputError.of(
            where,
            "one three-dimensional volume is needed",
            f"NDims = {fields.get('NDims')}, DimSize = {fields.get('DimSize')}"[:80],
            "split the file",
        )
    return dims


def _dtype(fields: dict[str, str], where: str) -> np.dtype[Any]:
    name = _TYPES.get(fields.get("ElementType", ""))
    channels = fields.get("ElementNumberOfChannels", "1")
    if name is None or channels != "1":
        raise InputError.of(
            where,
            "voxels must be single real numbers",
            f"{channels} x {fields.get('ElementType')}",
            "convert the image",
        )
    big = _is_true(fields, "BinaryDataByteOrderMSB") or _is_true(fields, "ElementByteOrderMSB")
    return np.dtype(name).newbyteorder(">" if big else "<")


def _data_file(
    path: Path, fields: dict[str, str], header_bytes: int, where: str
) -> tuple[Path, int]:
    """Return the file that holds the voxels and where they begin; -1: they end the file."""
    if not _is_true(fields, "BinaryData", default="True"):
        raise InputError.of(where, "the data must be binary", "text", "convert the image")
    name = fields["ElementDataFile"]
    skipped = fields.get("HeaderSize", "0")
    if not skipped.removeprefix("-").isdigit() or int(skipped) < -1:
        raise InputError.of(where, "HeaderSize is impossible", skipped, "convert the image")
    if name.upper() == "LOCAL":
        return path, header_bytes
    if name != Path(name).name or "\\" in name or "%" in name or name.split()[0] == "LIST":
        raise InputError.of(
            where, "the data file must lie beside its header", name, "move it there"
        )
    data = path.parent / name
    if not data.is_file():
        raise InputError.of(where, "the data file is missing", name, "copy both files")
    if data.resolve().parent != path.resolve().parent:
        raise InputError.of(
            where, "the data file must lie beside its header", f"a link: {name}", "copy it"
        )
    return data, int(skipped)


def _plain(data: Path, start: int, expected: int, where: str) -> bytes:
    with data.open("rb") as stream:
        if start < 0:
            start = max(data.stat().st_size - expected, 0)
        stream.seek(start)
        content = stream.read(expected)
    if len(content) < expected:
        raise truncated(where, expected, len(content))
    return content


def _inflated(data: Path, start: int, expected: int, where: str) -> bytes:
    """Decompress to the end, where damage shows, and not a byte beyond what was claimed."""
    content = bytearray()
    inflater = zlib.decompressobj()
    try:
        with data.open("rb") as stream:
            stream.seek(max(start, 0))
            while not inflater.eof and len(content) <= expected:
                pending = inflater.unconsumed_tail or stream.read(CHUNK)
                if not pending:
                    break
                content += inflater.decompress(pending, CHUNK)
    except zlib.error as error:
        raise InputError.of(
            where, "the compressed data are damaged", str(error), "copy it again"
        ) from error
    if len(content) > expected:
        raise InputError.of(
            where,
            "the file holds more than its header claims",
            f"over {expected} bytes",
            "convert it again",
        )
    if len(content) < expected or not inflater.eof:
        raise truncated(where, expected, len(content))
    return bytes(content)


def _affine(fields: dict[str, str], where: str) -> NDArray[np.float64]:
    """Return the affine of the header's geometry; a row of the matrix is the way of one axis."""
    dims = len(fields["DimSize"].split())
    spacing = _numbers(fields, ("ElementSpacing", "ElementSize"), np.ones(dims), where)
    origin = _numbers(fields, ("Offset", "Position", "Origin"), np.zeros(dims), where)
    matrix = _numbers(fields, ("TransformMatrix", "Rotation", "Orientation"), np.eye(dims), where)
    axes = min(dims, 3)
    lps = np.eye(4)
    lps[:axes, :axes] = (matrix.T * spacing)[:axes, :axes]
    lps[:axes, 3] = origin[:axes]
    return _LPS_TO_RAS @ lps


def _numbers(
    fields: dict[str, str], names: tuple[str, ...], usual: NDArray[np.float64], where: str
) -> NDArray[np.float64]:
    """Return the numbers of the field under the first of its names, in the form of ``usual``."""
    name = next((name for name in names if name in fields), None)
    if name is None:
        return usual
    try:
        return np.array(fields[name].split(), dtype=np.float64).reshape(usual.shape)
    except ValueError as error:
        raise InputError.of(
            where, f"{name} must be {usual.size} numbers", fields[name][:80], "convert it again"
        ) from error


def _is_true(fields: dict[str, str], name: str, default: str = "False") -> bool:
    return fields.get(name, default).lower() in ("true", "t", "1")
