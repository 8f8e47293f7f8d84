"""The evaluator: the one place where target labels are opened, after training has ended."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import nibabel as nib
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uda_study import plugins
from uda_study.data.arrays import IGNORED
from uda_study.data.labels import LabelReader
from uda_study.data.postprocess import PostprocessSpec, postprocess, slice_axis
from uda_study.data.prepare import PreparedCase
from uda_study.data.windows import segment_volume
from uda_study.method import AdaptsSegmenter, Method, Translates
from uda_study.metric import ALL, CaseMetric, Comparison, Metric
from uda_study.training.image_metrics import ImageMeasurer, Value, open_volume
from uda_study.training.stage_cache import StageCache
from uda_study.training.task_data import TaskData
from uda_study.training.translation import Passes, Translator, Volume
from uda_study.types import Role

Labels = NDArray[np.uint8]
EVERY = "all"
WHOLE_SET = "(all)"
"""The case and the subject in the row of a metric that has one value for all cases of a role."""


@dataclass(frozen=True)
class Row:
    """One measured value of one case; ``phase`` is before or after adaptation.

    ``structure`` is a class name, `EVERY` for one value of all structures together, or ``image``
    for metrics of intensities.
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

    The ``rows`` of a role's first case begin with those of the `WHOLE_SET`.
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

    def __init__(
        self,
        method: Method[Any],
        data: TaskData,
        device: torch.device,
        postprocess: PostprocessSpec | None = None,
        metrics: Collection[str] | None = None,
        cache: StageCache | None = None,
    ) -> None:
        """Measure the named metrics, all of the default set without; ``cache`` is for networks."""
        self.method = method.eval()
        self.data = data
        self.device = device
        self.postprocess = postprocess or PostprocessSpec()
        loaded = {
            name: plugins.load("metrics", name, Metric)()
            for name in (default_metrics() if metrics is None else metrics)
        }
        self._case_metrics = {n: m for n, m in loaded.items() if isinstance(m, CaseMetric)}
        self._images = ImageMeasurer(loaded, method, data, device, cache)
        self._translator = (
            Translator(self.method, data, device) if isinstance(self.method, Translates) else None
        )

    def outcomes(self, role: Role) -> Iterator[Outcome]:
        """Yield each case of the role with its values; one case is in memory at a time.

        Translated volumes wait on disk, because metrics of intensities look at all of them before
        the first outcome is complete.
        """
        cases = self.data.cases(role)
        reader = _reader(cases, role)
        with tempfile.TemporaryDirectory(prefix="uda-study-") as scratch:
            translations = self._translate(cases, role, Path(scratch))
            image_rows = self._image_rows(cases, role, translations)
            for number, (prepared, rows) in enumerate(zip(cases, image_rows, strict=True)):
                outcome = self._outcome(prepared, role, reader, rows)
                if translations and self._translator is not None:
                    outcome = replace(
                        outcome,
                        translated=open_volume(translations[number]),
                        passes=partial(self._translator.passes, prepared),
                    )
                yield outcome

    def rows(self, role: Role) -> list[Row]:
        """Return all values of the role; only what the metrics ask for is computed."""
        cases = self.data.cases(role)
        rows: list[Row] = []
        if self._images.is_needed:
            with tempfile.TemporaryDirectory(prefix="uda-study-") as scratch:
                translations = self._translate(cases, role, Path(scratch))
                for found in self._image_rows(cases, role, translations):
                    rows += found
        if self._case_metrics:
            reader = _reader(cases, role)
            for prepared in cases:
                rows += self._outcome(prepared, role, reader, []).rows
        return rows

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
        task = self.data.task
        labels = segment_volume(
            prepared, segment, task, self.data.adjacent_slices, device=self.device
        ).labels
        postprocess(labels, self.postprocess, task.class_names, slice_axis(prepared.grid, task))
        return labels

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
        comparison = Comparison(prediction, truth, spacing)
        rows = []
        for name, metric in self._case_metrics.items():
            values = metric.measure(comparison, range(1, len(names)))
            rows += [
                Row(case.id, case.subject, role, EVERY if k == ALL else names[k], name, phase, v)
                for k, v in values.items()
            ]
        return rows

    def _image_rows(
        self, cases: Sequence[PreparedCase], role: Role, translations: Sequence[Path]
    ) -> list[list[Row]]:
        """Return the rows of the metrics of images for every case, before and after translation."""
        if not role.startswith("target"):
            return [[] for _ in cases]
        values, of_set = self._images.measure(cases, translations)
        rows = [
            [_image_row(c.case.id, c.case.subject, role, value) for value in values[c.case.id]]
            for c in cases
        ]
        if rows:
            rows[0][:0] = [_image_row(WHOLE_SET, WHOLE_SET, role, value) for value in of_set]
        return rows


def default_metrics() -> tuple[str, ...]:
    """Return the metrics that are measured without being asked for."""
    names = plugins.names("metrics")
    return tuple(name for name in names if plugins.load("metrics", name, Metric).default)


def measured_metrics(named: Collection[str]) -> tuple[str, ...]:
    """Return what a training is measured by: the default set and what its study names."""
    return tuple(sorted({*default_metrics(), *named}))


def evaluated_roles(data: TaskData) -> tuple[tuple[Role, ...], dict[Role, Role]]:
    """Return the roles that are measured, and those that get the same values as another."""
    if data.cases("target_val") == data.cases("target_test"):
        # As in transductive splits: what is the same is segmented and measured once.
        return ("target_test",), {"target_test": "target_val"}
    return ("target_val", "target_test"), {}


def _reader(cases: Sequence[PreparedCase], role: Role) -> LabelReader:
    return LabelReader([c.case.id for c in cases], purpose=f"evaluation on {role}")


def _image_row(case: str, subject: str, role: Role, value: Value) -> Row:
    return Row(case, subject, role, "image", value.metric, value.phase, value.value)
