"""What some claims need measured of trained models besides a study's metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from uda_study.data.prepare import PreparedCase
from uda_study.data.windows import translate_volume
from uda_study.engine.job import Home
from uda_study.engine.retention import no_model
from uda_study.engine.setup import Study
from uda_study.errors import InputError
from uda_study.method import Method, Restores, Translates
from uda_study.tracking.query import CASE_COLUMNS
from uda_study.training.package import load_package
from uda_study.training.task_data import TaskData

Instrument = Literal["checkerboard", "cycle_error"]
Volume = NDArray[np.float32]

_BLUR = 2.0
"""Voxels: a Gaussian of this deviation leaves exp(-2 (2 pi / 2)^2) < 1e-8 of the Nyquist energy."""


def measure(name: Instrument, study: Study, home: Home, runs: pd.DataFrame) -> pd.DataFrame:
    """Return case rows of the instrument for some trainings of methods that translate images.

    ``runs`` are rows of `uda_study.tracking.query.study_runs`. Raises `InputError` for a training
    whose model is gone.
    """
    rows: list[tuple[object, ...]] = []
    columns = (runs[column] for column in ("key", "direction", "fold", "seed"))
    for key, direction, fold, seed in zip(*columns, strict=True):
        folder = home.study(study.id) / "trials" / str(key)
        if not (folder / "model").is_dir():
            raise InputError([no_model(study.id, str(key), folder)])
        method, _ = load_package(folder / "model")
        data = study.data[str(direction), int(fold)]
        for case in data.cases("target_test"):
            for metric, value in INSTRUMENTS[name](method, data, case, int(seed)):
                rows.append(
                    (key, case.case.id, case.case.subject, "target_test", "image", metric,
                     "after", value)
                )  # fmt: skip
    return pd.DataFrame(rows, columns=list(CASE_COLUMNS))


def _checkerboard(
    method: Method[Any], data: TaskData, case: PreparedCase, seed: int
) -> Iterator[tuple[str, float]]:
    """Yield the share of energy at the Nyquist frequency, of a fresh generator and the trained one.

    The image is blurred first, so that there is none before the translation.
    """
    blurred = gaussian_filter(np.asarray(case.image), _BLUR, axes=(1, 2))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = type(method)(method.hyper, method.task).eval()
    for name, model in (("checkerboard_untrained", fresh), ("checkerboard", method)):
        if isinstance(model, Translates):
            yield name, nyquist_share(_sweep(model.translate, blurred, data))


def nyquist_share(volume: Volume) -> float:
    """Return the share of ``(C, X, Y, Z)``'s energy that is at half a cycle per voxel, in planes.

    Along either in-plane axis, whatever it is along the other; the mean of a plane has no part in
    it. 0 for planes without any variation. X and Y are even.
    """
    power = np.abs(np.fft.fft2(volume.astype(np.float64), axes=(1, 2))) ** 2
    power[:, 0, 0] = 0
    row, column = volume.shape[1] // 2, volume.shape[2] // 2
    crossing = power[:, row, column].sum()
    highest = power[:, row].sum() + power[:, :, column].sum() - crossing
    total = power.sum()
    return float(highest / total) if total > 0 else 0.0


def _cycle_error(
    method: Method[Any], data: TaskData, case: PreparedCase, seed: int
) -> Iterator[tuple[str, float]]:
    """Yield the mean absolute difference of a case and what its translation is restored to."""
    del seed
    if isinstance(method, Translates) and isinstance(method, Restores):
        image = np.asarray(case.image)
        restore = method.restore
        restored = _sweep(restore, _sweep(method.translate, image, data), data)
        yield "cycle_error", float(np.abs(restored - image)[:, case.mask].mean())


def _sweep(
    mapping: Callable[[torch.Tensor], torch.Tensor], image: Volume, data: TaskData
) -> Volume:
    return translate_volume(image, mapping, data.task, data.adjacent_slices)


INSTRUMENTS: Mapping[
    Instrument,
    Callable[[Method[Any], TaskData, PreparedCase, int], Iterator[tuple[str, float]]],
] = {"checkerboard": _checkerboard, "cycle_error": _cycle_error}
