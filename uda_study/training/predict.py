"""Segment new images with a packaged model, each on its own native grid."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from uda_study.data.grid import Grid, labels_to_native, resample_to_native
from uda_study.data.prepare import prepare
from uda_study.data.windows import predict_volume, translate_volume
from uda_study.errors import InputError, Problem
from uda_study.method import Translates
from uda_study.training.package import load_package
from uda_study.types import Case

IMAGE_ENDINGS = (".nii.gz", ".nii", ".png", ".mha", ".mhd")
VOLUMES = "volumes.csv"


@dataclass(frozen=True)
class Segmented:
    """One segmented image: class numbers ``(X, Y, Z)`` on its native grid, and where they lie.

    ``translated`` is where the image lies in the source's appearance, if that was asked for.
    """

    name: str
    path: Path
    labels: NDArray[np.uint8]
    image: NDArray[np.float32]
    grid: Grid
    translated: Path | None = None


def find_images(source: Path) -> list[Path]:
    """Return the image at ``source``, or all images in that folder; `InputError` if none."""
    if source.is_file():
        return [source]
    found = sorted(p for p in source.glob("*") if p.is_file() and _ending(p) is not None)
    if not found:
        raise InputError.of(
            str(source), "holds no images", None, f"expected files that end in {IMAGE_ENDINGS}"
        )
    return found


def predict(
    package: Path,
    images: Sequence[Path],
    output: Path,
    device: torch.device,
    progress: Callable[[int, int], None] | None = None,
    *,
    translated: bool = False,
) -> Iterator[Segmented]:
    """Segment each image and write the class numbers beside each other into ``output``.

    NIfTI and MetaImage become ``NAME.nii.gz``, PNG becomes PNG. With ``translated``, the image in
    the source's appearance becomes ``NAME_translated.nii.gz``, in normalised intensities. All
    images are read and checked before the first is written; ``volumes.csv`` lists the millilitres
    of every structure. Raises `InputError` naming every image that cannot be used, or for a method
    that translates none, `StoreError` for a damaged package.
    """
    method, config = load_package(package)
    method = method.to(device)
    cases = [_case(path) for path in images]
    translate = method.translate if translated and isinstance(method, Translates) else None
    if translated and translate is None:
        raise InputError.of("model", "must translate images", config.method, "omit --translated")
    _refuse(images, output, config.task.in_channels // config.adjacent_slices, translated)

    def probabilities(batch: Tensor) -> Tensor:
        return torch.softmax(method.segment(batch).float(), dim=1)

    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        prepared = prepare(cases, config.preprocessing, Path(scratch))
        output.mkdir(parents=True, exist_ok=True)
        for done, (case, path) in enumerate(zip(cases, images, strict=True), start=1):
            ready = prepared[case.id]
            maps = predict_volume(
                ready.image,
                probabilities,
                config.task,
                adjacent_slices=config.adjacent_slices,
                device=device,
            )
            labels = labels_to_native(maps, ready.grid)
            place = output / _output_name(path)
            _write(place, labels, ready.grid)
            appearance = None
            if translate is not None:
                appearance = output / _translated_name(path)
                volume = translate_volume(
                    ready.image, translate, config.task, config.adjacent_slices, device=device
                )
                # Outside the study's grid there is nothing, as in the image's own background.
                native = resample_to_native(volume[0], ready.grid, 1, float(volume[0].min()))
                _write(appearance, native, ready.grid)
            rows.append(
                {"image": path.name, **_millilitres(labels, ready.grid, config.task.class_names)}
            )
            if progress is not None:
                progress(done, len(cases))
            image = np.asarray(ready.image[0])
            yield Segmented(case.id, place, labels, image, ready.grid, appearance)
    pd.DataFrame(rows).to_csv(output / VOLUMES, index=False)


def _case(path: Path) -> Case:
    ending = _ending(path)
    if ending is None:
        raise InputError.of(str(path), "must be an image", path.suffix, f"one of {IMAGE_ENDINGS}")
    return Case(path.name[: -len(ending)], path.name, "target", (path,))


def _refuse(images: Sequence[Path], output: Path, channels: int, translated: bool) -> None:
    """Raise for what would overwrite an input or another output, or does not fit the model."""
    problems = []
    if channels != 1:
        problems.append(
            Problem("model", "was trained on one channel per image", f"{channels} channels")
        )
    names: dict[str, Path] = {}
    for path in images:
        for name in (_output_name(path), *([_translated_name(path)] if translated else ())):
            place = output / name
            if name in names:
                problems.append(Problem(path.name, "gives the same output as", names[name].name))
            if place.exists() and place.resolve() == path.resolve():
                problems.append(
                    Problem(path.name, "would be overwritten", remedy="choose another -o")
                )
            names[name] = path
    if problems:
        raise InputError(problems)


def _ending(path: Path) -> str | None:
    return next((end for end in IMAGE_ENDINGS if path.name.lower().endswith(end)), None)


def _output_name(path: Path) -> str:
    ending = _ending(path) or path.suffix
    return path.name[: -len(ending)] + (".png" if ending == ".png" else ".nii.gz")


def _translated_name(path: Path) -> str:
    ending = _ending(path) or path.suffix
    return path.name[: -len(ending)] + "_translated.nii.gz"


def _write(path: Path, voxels: NDArray[np.uint8] | NDArray[np.float32], grid: Grid) -> None:
    """Write class numbers or intensities, without header texts; the file appears whole or not."""
    draft = path.with_name(f".{os.getpid()}-{path.name}")
    if path.suffix == ".png":
        # As the reader has it: the first axis runs across the picture, the second down.
        Image.fromarray(voxels[:, :, 0].T).save(draft, format="PNG")
    else:
        affine = np.asarray(grid.native_affine)
        image = nib.Nifti1Image(voxels, affine)
        image.set_sform(affine, code=1)
        image.set_qform(affine, code=1)
        image.to_filename(draft)
    draft.replace(path)


def _millilitres(labels: NDArray[np.uint8], grid: Grid, names: Sequence[str]) -> dict[str, float]:
    voxel = float(np.prod(nib.affines.voxel_sizes(np.asarray(grid.native_affine)))) / 1000
    counts = np.bincount(labels.ravel(), minlength=len(names))
    return {f"{name}_ml": round(float(counts[k]) * voxel, 4) for k, name in enumerate(names) if k}
