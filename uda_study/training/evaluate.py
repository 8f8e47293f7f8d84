"""The evaluator: the one place where target labels are opened, after training has ended."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Literal, cast

import nibabel as nib
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uda_study import plugins
from uda_study.data.arrays import IGNORED
from uda_study.data.grid import labels_to_native
from uda_study.data.labels import LabelReader
from uda_study.data.prepare import PreparedCase
from uda_study.data.store import open_array
from uda_study.data.windows import predict_volume
from uda_study.method import AdaptsSegmenter, Method, Translates
from uda_study.metric import CaseMetric, ImageMetric, Metric
from uda_study.training.task_data import TaskData
from uda_study.training.translation import Passes, Translator, Volume
from uda_study.types import Role

Labels = NDArray[np.uint8]


@dataclass(frozen=True)
class Row:
    """One measured value of one case; ``phase`` is before or after adaptation.

    ``structure`` is a class name, or ``image`` for metrics of intensities.
    """

    case: str
    subject: str
    role: Role
    structure: str
    metric: str
    phase: Literal["before", "after"]
    value: float


@dataclass(frozen=True)
class Outcome:
    """One case's label maps on its native grid, and what was measured on it.

    ``before`` is None for a method that does not start from a source segmenter. ``translated``
    ``(C, X, Y, Z)`` on the study's grid and ``passes`` are None unless the method translates;
    ``passes`` takes the number of a source case and computes when it is called, since pictures
    need few.
    """

    prepared: PreparedCase
    truth: Labels
    before: Labels | None
    after: Labels
    rows: tuple[Row, ...]
    translated: Volume | None = None
    passes: Callable[[int], Passes] | None = None


class Evaluator:
    """Segments the cases of a role with a trained method and compares them with their labels."""

    def __init__(self, method: Method[Any], data: TaskData, device: torch.device) -> None:
        self.method = method.eval()
        self.data = data
        self.device = device
        loaded = {
            name: plugins.load("metrics", name, Metric)() for name in plugins.names("metrics")
        }
        self._case_metrics = {n: m for n, m in loaded.items() if isinstance(m, CaseMetric)}
        self._image_metrics = {n: m for n, m in loaded.items() if isinstance(m, ImageMetric)}
        self._translator = (
            Translator(self.method, data, device) if isinstance(self.method, Translates) else None
        )

    def outcomes(self, role: Role) -> Iterator[Outcome]:
        """Yield each case of the role with its values; one case is in memory at a time.

        Translated volumes wait on disk, because metrics of intensities look at all of them before
        the first outcome is complete.
        """
        cases = self.data.cases(role)
        reader = LabelReader([c.case.id for c in cases], purpose=f"evaluation on {role}")
        with tempfile.TemporaryDirectory(prefix="uda-study-") as scratch:
            translations = self._translate(cases, role, Path(scratch))
            divergences = self._divergences(cases, role, translations)
            for number, prepared in enumerate(cases):
                outcome = self._outcome(prepared, role, reader, divergences[prepared.case.id])
                if translations and self._translator is not None:
                    outcome = replace(
                        outcome,
                        translated=_open(translations[number]),
                        passes=partial(self._translator.passes, prepared),
                    )
                yield outcome

    def _outcome(
        self, prepared: PreparedCase, role: Role, reader: LabelReader, rows: list[Row]
    ) -> Outcome:
        truth = reader.read_native(prepared)
        counted = truth != IGNORED
        truth = truth * counted
        after = self._segment(prepared, self.method.segment)
        before = None
        if isinstance(self.method, AdaptsSegmenter):
            before = self._segment(prepared, self.method.segment_source)
            rows = rows + self._overlap(prepared, role, "before", before * counted, truth)
        rows = rows + self._overlap(prepared, role, "after", after * counted, truth)
        return Outcome(prepared, truth, before, after, tuple(rows))

    def _translate(self, cases: Sequence[PreparedCase], role: Role, scratch: Path) -> list[Path]:
        """Write each translated case; nothing where none is translated."""
        if self._translator is None or not role.startswith("target"):
            return []
        paths = []
        for number, prepared in enumerate(cases):
            paths.append(scratch / f"{number}.npy")
            np.save(paths[-1], self._translator.translate(prepared), allow_pickle=False)
        return paths

    def _segment(self, prepared: PreparedCase, segment: Callable[[Tensor], Tensor]) -> Labels:
        def predict(image: Tensor) -> Tensor:
            return torch.softmax(segment(image).float(), dim=1)

        probabilities = predict_volume(
            prepared.image,
            predict,
            self.data.task,
            self.data.adjacent_slices,
            device=self.device,
        )
        return labels_to_native(probabilities, prepared.grid)

    def _overlap(
        self,
        prepared: PreparedCase,
        role: Role,
        phase: Literal["before", "after"],
        prediction: Labels,
        truth: Labels,
    ) -> list[Row]:
        case, names = prepared.case, self.data.task.class_names
        edges = nib.affines.voxel_sizes(np.asarray(prepared.grid.native_affine))
        spacing = tuple(float(edge) for edge in edges)
        rows = []
        for name, metric in self._case_metrics.items():
            values = metric.measure(prediction, truth, range(1, len(names)), spacing)
            rows += [
                Row(case.id, case.subject, role, names[k], name, phase, value)
                for k, value in values.items()
            ]
        return rows

    @cached_property
    def _source(self) -> list[NDArray[np.float32]]:
        """The source's voxels, which every role is compared with."""
        return [_voxels(c, c.image) for c in self.data.cases("source_train")]

    def _divergences(
        self, cases: Sequence[PreparedCase], role: Role, translations: Sequence[Path]
    ) -> dict[str, list[Row]]:
        """Return the image metrics of every case, before and after translation."""
        rows: dict[str, list[Row]] = {c.case.id: [] for c in cases}
        if not role.startswith("target") or not cases:
            return rows
        source = self._source
        raw = [_voxels(c, c.image) for c in cases]
        translated = raw
        if translations:
            translated = [
                _voxels(c, _open(path)) for c, path in zip(cases, translations, strict=True)
            ]
        for name, metric in self._image_metrics.items():
            before = _over_channels(metric, raw, source, raw)
            after = before if translated is raw else _over_channels(metric, translated, source, raw)
            for phase, values in (("before", before), ("after", after)):
                for c, value in zip(cases, values, strict=True):
                    rows[c.case.id].append(
                        Row(c.case.id, c.case.subject, role, "image", name, phase, value)  # type: ignore[arg-type]
                    )
        return rows


def _open(path: Path) -> Volume:
    return cast(Volume, open_array(path))


def _voxels(prepared: PreparedCase, image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the intensities inside the mask, ``(C, V)``."""
    voxels: NDArray[np.float32] = image[:, prepared.mask]
    return voxels


def _over_channels(
    metric: ImageMetric,
    images: Sequence[NDArray[np.float32]],
    source: Sequence[NDArray[np.float32]],
    reference: Sequence[NDArray[np.float32]],
) -> list[float]:
    """Return the metric of each image, averaged over the channels."""
    channels = range(images[0].shape[0])
    values = [
        metric.measure([i[c] for i in images], [s[c] for s in source], [r[c] for r in reference])
        for c in channels
    ]
    return [float(np.mean(column)) for column in zip(*values, strict=True)]
