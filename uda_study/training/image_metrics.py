"""What is measured on target images, translated or not: no label is opened here."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray

from uda_study.data.divergence import PERCENTILES
from uda_study.data.prepare import PreparedCase
from uda_study.data.store import open_array
from uda_study.data.windows import translate_volume
from uda_study.method import Method, Restores, Translates
from uda_study.metric import ImageMetric, Metric, SetMetric, TranslationMetric
from uda_study.training.features import PlaneFeatures
from uda_study.training.stage_cache import StageCache
from uda_study.training.task_data import TaskData
from uda_study.training.translation import Volume

NOISE = np.linspace(0.0, 0.5, 11)
"""Ren et al. 2021, figure 9: standard deviations, in units of half the data range."""

Voxels = Sequence[NDArray[np.float32]]


@dataclass(frozen=True)
class Value:
    """One measured value; ``phase`` is before or after translation."""

    metric: str
    phase: Literal["before", "after"]
    value: float


def applies(metric: type[Metric], method: type[Method[Any]]) -> bool:
    """Return whether the metric can be measured on the method: some need a translation."""
    if not issubclass(metric, TranslationMetric):
        return True
    return issubclass(method, Translates) and (not metric.perturbs or issubclass(method, Restores))


class ImageMeasurer:
    """Measures all metrics of images for one method, on the cases of one role after the other."""

    def __init__(
        self,
        metrics: Mapping[str, Metric],
        method: Method[Any],
        data: TaskData,
        device: torch.device,
        cache: StageCache | None,
    ) -> None:
        self.method, self.data, self.device, self.cache = method, data, device, cache
        fitting = {n: m for n, m in metrics.items() if applies(type(m), type(method))}
        self._images = {n: m for n, m in fitting.items() if isinstance(m, ImageMetric)}
        self._sets = {n: m for n, m in fitting.items() if isinstance(m, SetMetric)}
        self._translations = {n: m for n, m in fitting.items() if isinstance(m, TranslationMetric)}

    @property
    def is_needed(self) -> bool:
        """Whether there is anything to measure."""
        return bool(self._images or self._sets or self._translations)

    def measure(
        self, cases: Sequence[PreparedCase], translations: Sequence[Path]
    ) -> tuple[dict[str, list[Value]], list[Value]]:
        """Return the values of every case by its id, and those of all cases as one set.

        ``translations`` are arrays of `numpy.save` in the order of the cases, none for a method
        that translates nothing: it leaves the images as they were.
        """
        values: dict[str, list[Value]] = {case.case.id: [] for case in cases}
        if not cases:
            return values, []
        if self._images:
            self._measure_images(cases, translations, values)
        for case, path in zip(cases, translations, strict=False):
            values[case.case.id] += self._of_translation(case, open_volume(path))
        return values, self._of_set(cases, translations) if self._sets else []

    def _measure_images(
        self,
        cases: Sequence[PreparedCase],
        translations: Sequence[Path],
        values: dict[str, list[Value]],
    ) -> None:
        raw = [_voxels(c, c.image) for c in cases]
        translated = [_voxels(c, open_volume(p)) for c, p in zip(cases, translations, strict=False)]
        for name, metric in self._images.items():
            before = self._over_channels(metric, raw)
            after = self._over_channels(metric, translated) if translated else before
            for case, *pair in zip(cases, before, after, strict=True):
                values[case.case.id] += _both(name, *pair)

    def _over_channels(self, metric: ImageMetric, images: Voxels) -> list[float]:
        """Return the metric of each image, averaged over the channels."""
        source, reference = self._fitted
        columns = [
            metric.measure(
                [i[c] for i in images], [s[c] for s in source], [r[c] for r in reference]
            )
            for c in range(images[0].shape[0])
        ]
        return [float(np.mean(column)) for column in zip(*columns, strict=True)]

    def _of_translation(self, case: PreparedCase, translated: Volume) -> list[Value]:
        values = []
        for name, metric in self._translations.items():
            if not metric.perturbs:
                value = self._compare(metric, translated, case.image, case.mask)
                values.append(Value(name, "after", value))
        perturbed = {n: m for n, m in self._translations.items() if m.perturbs}
        if perturbed:
            values += self._sensitivities(perturbed, case, translated)
        return values

    def _sensitivities(
        self, metrics: Mapping[str, TranslationMetric], case: PreparedCase, translated: Volume
    ) -> list[Value]:
        """Return the mean of each metric's curve over the noise, by the trapezoidal rule.

        The noise has one pattern for each case, of growing strength, the same for all methods.
        """
        rng = np.random.default_rng(zlib.crc32(case.case.id.encode()))
        half = self._ranges[1].reshape(-1, 1, 1, 1) / 2
        noise = rng.standard_normal(translated.shape, dtype=np.float32) * half
        clean = self._restore(translated)
        curves: dict[str, list[float]] = {name: [] for name in metrics}
        for deviation in NOISE.astype(np.float32):
            restored = self._restore(translated + deviation * noise) if deviation else clean
            for name, metric in metrics.items():
                curves[name].append(self._compare(metric, restored, clean, case.mask))
        return [
            Value(name, "after", float(np.trapezoid(curve, NOISE) / (NOISE[-1] - NOISE[0])))
            for name, curve in curves.items()
        ]

    def _restore(self, volume: Volume) -> Volume:
        # `applies` has made sure that there is a way back.
        restore = cast(Restores, self.method).restore
        task, stacked = self.data.task, self.data.adjacent_slices
        return translate_volume(volume, restore, task, stacked, device=self.device)

    def _compare(
        self,
        metric: TranslationMetric,
        image: Volume,
        reference: Volume,
        mask: NDArray[np.bool_],
    ) -> float:
        """Return the metric averaged over the channels."""
        channels = zip(image, reference, *self._ranges, strict=True)
        values = [metric.measure(i - low, r - low, mask, float(w)) for i, r, low, w in channels]
        return float(np.mean(values))

    def _of_set(self, cases: Sequence[PreparedCase], translations: Sequence[Path]) -> list[Value]:
        source = self._source_features
        features = self._features
        before = np.concatenate([features(c.image, c.mask) for c in cases])
        after = before
        if translations:
            pairs = zip(cases, translations, strict=True)
            after = np.concatenate([features(open_volume(p), c.mask) for c, p in pairs])
        return [
            value
            for name, metric in self._sets.items()
            for value in _both(name, metric.measure(before, source), metric.measure(after, source))
        ]

    @cached_property
    def _features(self) -> PlaneFeatures:
        return PlaneFeatures(self.data, self.device, self.cache)

    @cached_property
    def _source_features(self) -> NDArray[np.float64]:
        cases = self.data.cases("source_train")
        return np.concatenate([self._features(c.image, c.mask) for c in cases])

    @cached_property
    def _fitted(self) -> tuple[Voxels, Voxels]:
        """The voxels of source training and of target adaptation, on which rulers are fitted."""
        roles: tuple[Literal["source_train", "target_adapt"], ...] = (
            "source_train", "target_adapt",
        )  # fmt: skip
        source, target = ([_voxels(c, c.image) for c in self.data.cases(r)] for r in roles)
        return source, target

    @cached_property
    def _ranges(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Where the intensities of both domains begin, and how wide they spread, per channel."""
        source, target = self._fitted
        pool = np.concatenate([*source, *target], axis=1)
        low, high = np.percentile(pool, PERCENTILES, axis=1)
        widths = np.where(high > low, high - low, 1.0)
        return low.astype(np.float32), widths.astype(np.float32)


def open_volume(path: Path) -> Volume:
    """Map a translated volume ``(C, X, Y, Z)`` read-only."""
    return cast(Volume, open_array(path))


def _both(name: str, before: float, after: float) -> list[Value]:
    return [Value(name, "before", before), Value(name, "after", after)]


def _voxels(prepared: PreparedCase, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the intensities inside the mask, ``(C, V)``."""
    voxels: NDArray[np.float32] = image[:, prepared.mask]
    return voxels
