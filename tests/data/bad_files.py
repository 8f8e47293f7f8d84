"""Files that are wrong in one way each, and what is to be said of them."""

import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from struct import pack

import nibabel as nib
import numpy as np
from PIL import Image as PillowImage

from uda_study.types import Case

SIDE = 8
NOISE = np.random.default_rng(0).normal(100, 9, (SIDE,) * 3).astype(np.float32)
BOX = np.zeros(NOISE.shape, np.uint8)
BOX[2:5, 2:5, 2:5] = 1


def nifti(folder: Path, array=NOISE, affine=None, name: str = "bad.nii") -> Path:
    path = folder / name
    nib.save(nib.Nifti1Image(array, np.eye(4) if affine is None else affine), path)
    return path


def header(folder: Path, name: str = "bad.nii", **fields: object) -> Path:
    """Write a file of 64 voxels whose header was tampered with."""
    made = nib.Nifti1Header()
    made.set_data_dtype(np.float32)
    made.set_data_shape((4, 4, 4))
    made.set_sform(np.eye(4), 1)
    made["magic"], made["vox_offset"] = b"n+1", 352
    for field, value in fields.items():
        made[field] = value
    path = folder / name
    path.write_bytes(made.binaryblock + bytes(4) + np.arange(64, dtype=np.float32).tobytes())
    return path


def cut(path: Path, count: int) -> Path:
    path.write_bytes(path.read_bytes()[:-count])
    return path


def flipped(path: Path, position: int) -> Path:
    content = bytearray(path.read_bytes())
    content[position] ^= 255
    path.write_bytes(content)
    return path


def written(folder: Path, name: str, content: bytes) -> Path:
    (folder / name).write_bytes(content)
    return folder / name


def png(folder: Path, name: str, mode: str = "L") -> Path:
    """Write a picture of noise that depends on the folder, so that no two cases are alike."""
    noise = np.random.default_rng(list(folder.name.encode())).integers(0, 256, (8, 8), np.uint8)
    PillowImage.fromarray(noise).convert(mode).save(folder / name, format="PNG")
    return folder / name


def bomb(folder: Path) -> Path:
    plain = header(folder, "plain.nii").read_bytes()
    return written(folder, "bad.nii.gz", gzip.compress(plain + bytes(1 << 25), 1))


def huge_png(folder: Path) -> Path:
    chunk = b"IHDR" + pack(">IIBBBBB", 10000, 10000, 8, 0, 0, 0, 0)
    start = png(folder, "small.png").read_bytes()[:8]
    return written(
        folder, "bad.png", start + pack(">I", 13) + chunk + pack(">I", zlib.crc32(chunk))
    )


def twin(folder: Path) -> Path:
    nifti(folder, name="bad.nii.gz")
    return nifti(folder)


def metaimage(folder: Path, data: str) -> Path:
    text = "NDims = 3\nDimSize = 4 4 4\nElementType = MET_FLOAT\nElementDataFile = "
    return written(folder, "bad.mhd", f"{text}{data}\n".encode())


def with_holes(folder: Path) -> Path:
    array = NOISE.copy()
    array[0, 0, :3] = np.nan, np.inf, -np.inf
    return nifti(folder, array)


def labelled(value: float) -> np.ndarray:
    return np.where(BOX > 0, np.float32(value), np.float32(0))


def moved(*apart: float) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, 3] = apart
    return affine


def deep(folder: Path) -> Path:
    PillowImage.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 99).save(
        folder / "bad.png"
    )
    return folder / "bad.png"


@dataclass(frozen=True)
class Bad:
    """A file that is wrong, and what is said of it: rule, value and remedy."""

    write: Callable[[Path], Path]
    rule: str
    value: str | None
    remedy: str
    beside: Callable[[Path], Path] | None = None
    """The image of a bad label; without it the file is the image."""


COPY, AGAIN, SUFFIX = "copy it again", "convert it again", "give it the suffix of its format"
SPLIT, SPACE = "split the file", "resample it to the image"
RGB = [(n, "u1") for n in "RGB"]
IMAGES = {
    "1 truncated .nii.gz": Bad(
        lambda at: cut(nifti(at, name="bad.nii.gz"), 300), "truncated", None, COPY
    ),
    "2 truncated .nii": Bad(
        lambda at: cut(nifti(at), 1000), "truncated", "1048 of 2048 data bytes", COPY
    ),
    "3 bad CRC": Bad(
        lambda at: flipped(nifti(at, name="bad.nii.gz"), -6), "damaged", "CRC check failed", COPY
    ),
    "4 empty file": Bad(lambda at: written(at, "bad.nii", b""), "file is empty", "bad.nii", COPY),
    "5 text as .nii": Bad(
        lambda at: written(at, "bad.nii", b"no image " * 99), "not a NIfTI", "b'no image'", SUFFIX
    ),
    "5 PNG as .nii": Bad(lambda at: png(at, "bad.nii"), "not a NIfTI file", "x89PNG", SUFFIX),
    "6 claims 98 TiB": Bad(
        lambda at: header(at, dim=[3, 30000, 30000, 30000, 1, 1, 1, 1]),
        "claims too much, limit is 4 GiB", "98.23 TiB", "repair its header",
    ),
    "7 gzip bomb": Bad(bomb, "more than its header claims", "of 608 bytes", AGAIN),
    "8 zero": Bad(
        lambda at: header(at, dim=[3, 4, 0, 4, 1, 1, 1, 1]), "at least 1", "4 x 0 x 4", AGAIN
    ),
    "8 negative": Bad(
        lambda at: header(at, dim=[3, 4, -4, 4, 1, 1, 1, 1]), "at least 1", "4 x -4 x 4", AGAIN
    ),
    "9 4D": Bad(
        lambda at: nifti(at, np.zeros((4, 4, 4, 2), np.float32)),
        "one three-dimensional volume", "4 x 4 x 4 x 2", SPLIT,
    ),
    "9 5D": Bad(
        lambda at: nifti(at, np.zeros((4, 4, 4, 1, 3), np.float32)),
        "one three-dimensional volume", "4 x 4 x 4 x 1 x 3", SPLIT,
    ),
    "9 complex": Bad(
        lambda at: nifti(at, np.zeros((4, 4, 4), np.complex64)),
        "single real numbers", "complex64", "convert the image",
    ),
    "9 RGB": Bad(
        lambda at: nifti(at, np.zeros((4, 4, 4), RGB)), "single real numbers", "'R'",
        "convert the image",
    ),
    "10 .nii beside .nii.gz": Bad(twin, "ambiguous", "bad.nii beside bad.nii.gz", "remove one"),
    "11 absolute": Bad(
        lambda at: metaimage(at, "/etc/hostname"), "beside its header", "/etc/hostname", "move it"
    ),
    "11 parent": Bad(
        lambda at: metaimage(at, "../a.raw"), "beside its header", "../a.raw", "move it there"
    ),
    "11 list": Bad(lambda at: metaimage(at, "LIST"), "beside its header", "LIST", "move it there"),
    "12 NaN and Inf": Bad(
        with_holes, "voxels must be finite", "3 non-finite voxels", "set nonfinite: zero"
    ),
    "13 constant": Bad(
        lambda at: nifti(at, NOISE * 0 + 5), "the image is constant", "5.0", "leave the case out"
    ),
    "14 singular affine": Bad(
        lambda at: header(at, srow_y=[0, 0, 0, 0]), "finite and invertible", "[0.,0.,0.,0.]",
        "repair the header's orientation",
    ),
    "14 NaN affine": Bad(
        lambda at: header(at, srow_x=[np.nan, 0, 0, 0]), "finite and invertible", "nan",
        "repair the header's orientation",
    ),
    "15 no orientation": Bad(
        lambda at: header(at, sform_code=0), "tells no orientation", "sform = qform = 0",
        "write the sform",
    ),
    "21 JSRT of the wrong size": Bad(
        lambda at: written(at, "bad.IMG", bytes(1000)), "need 8388608 bytes", "1000", COPY
    ),
    "22 100 MP": Bad(huge_png, "limit is 50 megapixels", "10000 x 10000", "shrink or crop it"),
    "22 RGBA image": Bad(
        lambda at: png(at, "bad.png", "RGBA"), "one channel of grey", "mode RGBA", "greyscale"
    ),
}  # fmt: skip
LABELS = {
    "16 other shape": Bad(
        lambda at: nifti(at, BOX[1:]), "the shape of the image, 8 x 8 x 8", "7 x 8 x 8", SPACE
    ),
    "17 other space": Bad(
        lambda at: nifti(at, BOX, moved(50, 0, 0)), "in the space of the image",
        "origin differs by 50 mm", SPACE,
    ),
    "18 unknown values": Bad(
        lambda at: nifti(at, labelled(7)), "none of the structures box", "the values 0, 7",
        "correct data.labels",
    ),
    "19 fractional": Bad(
        lambda at: nifti(at, labelled(0.5)), "whole numbers", "0.5 and 26 more", "nearest"
    ),
    "19 negative": Bad(
        lambda at: nifti(at, labelled(-1)), "labels must lie in 0..65535", "-1", "renumber"
    ),
    "20 no foreground": Bad(
        lambda at: nifti(at, BOX * 0), "none of the structures box", "the values 0",
        "leave the case out",
    ),
    "22 16-bit label": Bad(
        deep, "needs 8 bits of grey", "mode I;16", "greyscale", lambda at: png(at, "image.png")
    ),
    "22 RGBA label": Bad(
        lambda at: png(at, "bad.png", "RGBA"), "needs 8 bits of grey", "mode RGBA", "greyscale",
        lambda at: png(at, "image.png"),
    ),
}  # fmt: skip
ROWS = {**IMAGES, **LABELS}


def case_of(name: str, folder: Path, alias: str = "case7") -> Case:
    """Write the files of a row; an image gets a sound label and a label a sound image."""
    folder.mkdir(parents=True, exist_ok=True)
    row = ROWS[name]
    bad = row.write(folder)
    if name in IMAGES:
        return Case(alias, "s7", "mr", (bad,), nifti(folder, BOX, name="label.nii"))
    own = NOISE + np.random.default_rng(list(name.encode())).normal(0, 50, NOISE.shape)
    image = row.beside(folder) if row.beside else nifti(folder, own, name="image.nii")
    return Case(alias, "s7", "mr", (image,), bad)
