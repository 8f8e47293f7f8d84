"""One small valid file of every kind that is read, how it is read, and what may come of it."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import nibabel as nib
import numpy as np
from PIL import Image as PillowImage

from uda_study.data.read import Image, read_image, read_label
from uda_study.datasets.manifest import Manifest, ManifestOptions
from uda_study.errors import InputError
from uda_study.study.source import read_study
from uda_study.testing.mutations import mutated, packed, with_checksums
from uda_study.testing.tiny_files import write_dicom, write_picture, write_raw_xray

Outcome = Literal["read", "refused"]

_SHAPE = (6, 7, 8)
_STUDY = """\
name: fuzzed
data: {dataset: phantom, folds: 2, options: {subjects: 4, domains: [mr, ct]}}
matrix: {direction: [mr->ct, "ct->mr"], dam.depth: [1, 3]}
method: dam
search: {alg: tpe, num_samples: 8}
parameters:
  optim.lr: {type: float, low: 1e-5, high: 1e-3, log: true}
  align.type: {type: categorical, choices: [wasserstein, least_squares]}
  batch_size: 4
"""
_MANIFEST = """\
subject,domain,image,label,split,mask
p1,mr,i1.nii,l1.nii,train,
p2,ct,i1.nii;i1.nii,"l1.nii",,l1.nii
"""
_SOUND = np.random.default_rng(0).integers(-50, 1000, _SHAPE).astype(np.int16)
_LABEL = np.random.default_rng(1).integers(0, 3, _SHAPE).astype(np.uint8)


@dataclass(frozen=True)
class Target:
    """A kind of input: the files of a sound one, and which of them is damaged.

    ``read`` gets the folder with the files, and raises whatever the reader raises or
    AssertionError where it returns what is not sound. ``head`` is how many bytes from its start are
    damaged most; ``repair`` restores what would hide the damage.
    """

    name: str
    files: dict[str, bytes]
    victims: Sequence[str]
    read: Callable[[Path], None]
    head: int = 600
    repair: Callable[[bytes], bytes] | None = None

    def attempt(self, folder: Path, number: int) -> Outcome:
        """Damage the target by the given number and read it; raises what must not be raised."""
        draw = random.Random(f"{self.name}:{number}")
        victim = draw.choice(self.victims)
        damaged = mutated(self.files[victim], draw, self.head)
        if self.repair is not None and draw.random() < 0.7:
            damaged = self.repair(damaged)
        for name, content in {**self.files, victim: damaged}.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        try:
            self.read(folder)
        except InputError as error:
            if not error.problems or not all(str(problem) for problem in error.problems):
                raise AssertionError("a refusal without a reason") from error
            return "refused"
        return "read"


def targets(folder: Path) -> list[Target]:
    """Return all targets, their sound files made below ``folder``, which is emptied again."""
    made = [*_volumes(folder), *_pictures(folder), *_slices(folder), *_texts(folder)]
    shutil.rmtree(folder)
    return made


def _image(name: str) -> Callable[[Path], None]:
    def read(folder: Path) -> None:
        image = read_image(folder / name, "case7")
        assert image.array.dtype == np.float32
        assert image.array.ndim == 3
        assert image.array.size
        assert np.isfinite(image.array).all()
        assert np.linalg.det(image.affine)

    return read


def _label(name: str, image: Image) -> Callable[[Path], None]:
    def read(folder: Path) -> None:
        label = read_label(folder / name, "case7", image)
        assert label.dtype == np.int32
        assert label.shape == image.array.shape
        assert label.min() >= 0

    return read


def _volumes(folder: Path) -> list[Target]:
    import SimpleITK  # noqa: PLC0415 - slow to import

    itk: Any = SimpleITK
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    kinds: list[tuple[str, Any]] = [("nifti1", nib.Nifti1Image), ("nifti2", nib.Nifti2Image)]
    for name, kind in kinds:
        kind(_SOUND, np.eye(4)).to_filename(folder / "a.nii")
        plain = (folder / "a.nii").read_bytes()
        made.append(Target(name, {"a.nii": plain}, ["a.nii"], _image("a.nii")))
        made.append(
            Target(
                f"{name}.gz-inside", {"a.nii.gz": plain}, ["a.nii.gz"], _image("a.nii.gz"), 600,
                packed,
            )
        )  # fmt: skip
        files = {"a.nii.gz": packed(plain)}
        made.append(Target(f"{name}.gz", files, ["a.nii.gz"], _image("a.nii.gz")))
    label = Image(_SOUND.astype(np.float32), np.eye(4))
    nib.Nifti1Image(_LABEL, np.eye(4)).to_filename(folder / "l.nii")
    content = (folder / "l.nii").read_bytes()
    made.append(Target("nifti-label", {"l.nii": content}, ["l.nii"], _label("l.nii", label)))
    picture = itk.GetImageFromArray(_SOUND.T)
    for name, suffix, compressed in (
        ("mha", "mha", False), ("mha-packed", "mha", True), ("mhd", "mhd", False),
        ("mhd-packed", "mhd", True),
    ):  # fmt: skip
        itk.WriteImage(picture, str(folder / f"{name}.{suffix}"), useCompression=compressed)
        files = {path.name: path.read_bytes() for path in sorted(folder.glob(f"{name}.*"))}
        made.append(Target(name, files, sorted(files), _image(f"{name}.{suffix}")))
    return made


def _pictures(folder: Path) -> list[Target]:
    grey = (_SOUND[:, :, 0] % 256).astype(np.uint8)
    deep = np.abs(_SOUND[:, :, 0]).astype(np.uint16) * 50
    made = []
    for name, pixels in (("png", grey), ("png-deep", deep)):
        files = {"a.png": write_picture(folder / "a.png", pixels).read_bytes()}
        made.append(Target(name, files, ["a.png"], _image("a.png"), 80, with_checksums))
    plane = Image(grey[:, :, np.newaxis].astype(np.float32), np.diag([-1.0, -1, 1, 1]))
    palette = PillowImage.fromarray(np.ascontiguousarray(_LABEL[:, :, 0].T)).convert("P")
    palette.putpalette([0, 0, 0, 9, 9, 9, 200, 200, 200])
    for suffix in ("png", "gif"):
        palette.save(folder / f"l.{suffix}")
        name = f"l.{suffix}"
        files = {name: (folder / name).read_bytes()}
        repair = with_checksums if suffix == "png" else None
        made.append(Target(f"{suffix}-label", files, [name], _label(name, plane), 80, repair))
    film = write_raw_xray(folder / "a.IMG", np.tile(deep[:4, :4] % 4096, (16, 16)))
    made.append(Target("img", {"a.IMG": film.read_bytes()}, ["a.IMG"], _image("a.IMG"), 64))
    return made


def _slices(folder: Path) -> list[Target]:
    from pydicom.uid import ImplicitVRLittleEndian, RLELossless  # noqa: PLC0415 - few need it

    def implicit(_: int, dataset: Any) -> None:
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian

    def run_length(_: int, dataset: Any) -> None:
        dataset.compress(RLELossless)

    made = []
    for name, change in (("dicom", None), ("dicom-implicit", implicit), ("dicom-rle", run_length)):
        series = write_dicom(folder / name, _SOUND[:, :, :4], change=change)
        files = {f"image/{path.name}": path.read_bytes() for path in series}
        # The preamble of 128 bytes means nothing.
        made.append(Target(name, files, sorted(files), _image("image"), 900))
    pngs = {
        f"label/{z}.png": write_picture(folder / f"{z}.png", _LABEL[:, :, z]).read_bytes()
        for z in range(4)
    }
    image = Image(_SOUND[:, :, :4].astype(np.float32), np.eye(4), (3, 2, 1, 0))
    read = _label("label", image)
    return [*made, Target("png-stack", pngs, sorted(pngs), read, 80, with_checksums)]


def _texts(folder: Path) -> list[Target]:
    study = Target(
        "study", {"study.yaml": _STUDY.encode()}, ["study.yaml"],
        lambda place: _no_result(read_study(place / "study.yaml")),
    )  # fmt: skip
    manifest = Target(
        "manifest", {"manifest.csv": _MANIFEST.encode(), "i1.nii": b"x", "l1.nii": b"x"},
        ["manifest.csv"],
        lambda place: _no_result(Manifest(ManifestOptions(), place, folder).cases()),
    )  # fmt: skip
    return [study, manifest]


def _no_result(_: object) -> None:
    """Drop what was read: its form is checked where it is made."""
