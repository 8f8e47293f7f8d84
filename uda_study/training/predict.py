"""Segment new images with a packaged model, each on its own native grid."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image

from uda_study.data.grid import Grid, resample_to_native
from uda_study.data.postprocess import postprocess, slice_axis
from uda_study.data.prepare import PreparedCase, prepare
from uda_study.data.windows import segment_volume, translate_volume
from uda_study.errors import InputError, Problem
from uda_study.method import Method, Translates
from uda_study.training.package import ModelConfig, load_package
from uda_study.training.predict_inputs import Input, find_inputs
from uda_study.types import Case, Direction, Task

VOLUMES = "volumes.csv"

# Prepared images are kept between the check and the prediction as long as they take no more disk.
_KEPT_BYTES = 4 << 30


@dataclass(frozen=True)
class Segmented:
    """One segmented image: class numbers ``(X, Y, Z)`` on its native grid, and where they lie.

    ``image`` is its first channel, normalised, on the study's grid. ``confidence`` holds the mean
    probability of each class over the voxels that it won, NaN where it won none, before any
    post-processing. ``translated`` is where the image lies in the source's appearance, if that was
    asked for.
    """

    name: str
    path: Path
    labels: NDArray[np.uint8]
    image: NDArray[np.float32]
    grid: Grid
    task: Task
    confidence: tuple[float, ...]
    translated: Path | None = None

    @property
    def millilitres(self) -> dict[str, float]:
        """The volume of every structure."""
        voxel = float(np.prod(nib.affines.voxel_sizes(np.asarray(self.grid.native_affine)))) / 1000
        names = self.task.class_names
        counts = np.bincount(self.labels.ravel(), minlength=len(names))
        return {name: float(counts[k]) * voxel for k, name in enumerate(names) if k}


def predict(
    package: Path,
    sources: Sequence[Path],
    output: Path,
    device: torch.device,
    progress: Callable[[str, int, int], None] | None = None,
    *,
    translated: bool = False,
) -> Iterator[Segmented]:
    """Segment every case in files and folders, and write the class numbers into ``output``.

    A case becomes ``NAME.nii.gz``, PNG becomes PNG. With ``translated``, the image in the source's
    appearance becomes ``NAME_translated.nii.gz``, in normalised intensities, of several channels
    along a fourth axis. All images are read and checked before the first is written;
    ``volumes.csv`` lists the millilitres of every structure. ``progress`` gets what is done
    (``reading`` or ``segmenting``), how many cases are, and of how many.

    Raises `InputError` naming every image that cannot be used, or for a method that translates
    none, `StoreError` for a damaged package.
    """
    method, config = load_package(package)
    method = method.to(device)
    if translated and not isinstance(method, Translates):
        raise InputError.of("model", "must translate images", config.method, "omit --translated")
    inputs = find_inputs(sources, config.task.in_channels // config.adjacent_slices, output)
    _refuse(inputs, output, translated)
    report = progress or (lambda *_: None)
    domain = Direction.parse(config.direction).target
    cases = [Case(each.name, each.name, domain, each.images) for each in inputs]
    rows = []
    with tempfile.TemporaryDirectory(prefix="uda-study-") as scratch:
        places = [Path(scratch) / str(number) for number in range(len(cases))]
        _check(cases, config, places, report)
        output.mkdir(parents=True, exist_ok=True)
        for done, (case, each, place) in enumerate(zip(cases, inputs, places, strict=True), 1):
            ready = prepare([case], config.preprocessing, place)[case.id]
            segmented = _segment(method, config, ready, output / _output_name(each), device)
            if isinstance(method, Translates) and translated:
                appearance = output / _translated_name(each)
                _translate(method, config, ready, appearance, device)
                segmented = replace(segmented, translated=appearance)
            shutil.rmtree(place)
            volumes = segmented.millilitres.items()
            rows.append({"image": case.id, **{f"{n}_ml": round(ml, 4) for n, ml in volumes}})
            report("segmenting", done, len(cases))
            yield segmented
    pd.DataFrame(rows).to_csv(output / VOLUMES, index=False)


def _check(
    cases: Sequence[Case],
    config: ModelConfig,
    places: Sequence[Path],
    report: Callable[[str, int, int], None],
) -> None:
    """Prepare every case once, one at a time, and raise for all that are not sound together.

    What would take too much disk is thrown away, and prepared again when its turn comes.
    """
    problems: list[Problem] = []
    kept = 0
    for done, (case, place) in enumerate(zip(cases, places, strict=True), 1):
        try:
            prepare([case], config.preprocessing, place)
        except InputError as error:
            problems += error.problems
        size = sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
        if kept + size > _KEPT_BYTES:
            shutil.rmtree(place)
        else:
            kept += size
        report("reading", done, len(cases))
    if problems:
        raise InputError(problems)


def _segment(
    method: Method[Any], config: ModelConfig, ready: PreparedCase, path: Path, device: torch.device
) -> Segmented:
    task = config.task
    native = segment_volume(ready, method.segment, task, config.adjacent_slices, device=device)
    axis = slice_axis(ready.grid, task)
    postprocess(native.labels, config.postprocess, task.class_names, axis)
    _write(path, native.labels, ready.grid)
    image = ready.image[0]
    return Segmented(ready.case.id, path, native.labels, image, ready.grid, task, native.confidence)


def _translate(
    method: Translates,
    config: ModelConfig,
    ready: PreparedCase,
    path: Path,
    device: torch.device,
) -> None:
    volume = translate_volume(
        ready.image, method.translate, config.task, config.adjacent_slices, device=device
    )
    # Outside the study's grid there is nothing, as in the image's own background.
    native = [resample_to_native(c, ready.grid, 1, float(c.min())) for c in volume]
    _write(path, native[0] if len(native) == 1 else np.stack(native, axis=-1), ready.grid)


def _refuse(inputs: Sequence[Input], output: Path, translated: bool) -> None:
    """Raise for what would overwrite an input or another output."""
    problems = []
    given = {path.resolve(): path for each in inputs for path in each.images}
    names: dict[str, Input] = {}
    for each in inputs:
        for name in (_output_name(each), *([_translated_name(each)] if translated else ())):
            if name in names:
                rule, other = "gives the same output as", names[name].images[0].name
                problems.append(Problem(each.images[0].name, rule, other))
            if (output / name).resolve() in given:
                overwritten = given[(output / name).resolve()].name
                rule, remedy = "would be overwritten", "choose another -o"
                problems.append(Problem(overwritten, rule, remedy=remedy))
            names[name] = each
    if problems:
        raise InputError(problems)


def _output_name(each: Input) -> str:
    return each.name + each.ending


def _translated_name(each: Input) -> str:
    return f"{each.name}_translated.nii.gz"


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
