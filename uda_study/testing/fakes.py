"""Stand-ins for what takes long: a tracker in memory, and two small domains as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np

from uda_study.study.runlog import StudyStatus
from uda_study.study.trial import Cell, TrialResult, TrialSpec
from uda_study.types import JSON

SHAPE = (16, 16, 3)
LABELS = {"box": (1,), "core": (2,)}
"""The structures of `write_two_domains`."""

SEGMENTER: Mapping[str, JSON] = {
    "segmenter.name": "dilated_fcn",
    "segmenter.width": 2,
    "segmenter.steps": 4,
    "segmenter.batch_size": 2,
}
"""A source segmenter that is trained in a blink."""

DAM: Mapping[str, JSON] = {
    **SEGMENTER,
    "depth": "g2",
    "critic.input": "pool",
    "critic.width": 4,
    "critic.stages": 1,
    "critic.steps": 1,
    "critic.warm_up": 2,
    "critic.growth": 0,
    "batch_size": 2,
    "steps": 6,
}
"""The same for adversarial adaptation: eight steps of its own."""


@dataclass
class MemoryRunLog:
    """A `uda_study.study.runlog.RunLog` that keeps all it is told."""

    opened: list[str] = field(default_factory=list)
    started: dict[str, TrialSpec] = field(default_factory=dict)
    reports: dict[str, dict[int, dict[str, float]]] = field(default_factory=dict)
    finished: dict[str, TrialResult] = field(default_factory=dict)
    dropped: list[str] = field(default_factory=list)
    closed: list[StudyStatus] = field(default_factory=list)

    def open(
        self, study: str, folder: Path, cells: Sequence[Cell], tags: Mapping[str, str]
    ) -> None:
        """Note the study."""
        del folder, cells, tags
        self.opened.append(study)

    def trial_started(self, spec: TrialSpec, params: Mapping[str, JSON]) -> None:
        """Note the training."""
        del params
        self.started[spec.key] = spec

    def trial_reported(self, spec: TrialSpec, step: int, scores: Mapping[str, float]) -> None:
        """Note the scores at a step."""
        self.reports.setdefault(spec.key, {})[step] = dict(scores)

    def trial_finished(self, spec: TrialSpec, result: TrialResult, folder: Path) -> None:
        """Note the result."""
        del folder
        self.finished[spec.key] = result

    def model_dropped(self, spec: TrialSpec, folder: Path) -> None:
        """Note the training."""
        del folder
        self.dropped.append(spec.key)

    def close(self, status: StudyStatus) -> None:
        """Note how it ended."""
        self.closed.append(status)


def write_two_domains(root: Path, subjects: int = 5) -> None:
    """Write ``manifest.csv`` and NIfTI images of the domains ``mr`` and ``ct``, with labels.

    A box with a core lies elsewhere in every subject; its contrast is inverted in ``ct``. No
    subject is in both domains.
    """
    (root / "images").mkdir(parents=True)
    rows = ["subject,domain,image,label"]
    for domain, sign in (("mr", 1.0), ("ct", -1.0)):
        for number in range(subjects):
            name = f"{domain}{number}"
            rng = np.random.default_rng([number, domain == "mr"])
            x, y = rng.integers(1, 8, 2)
            label = np.zeros(SHAPE, np.uint8)
            label[x : x + 8, y : y + 7] = 1
            label[x + 2 : x + 5, y + 2 : y + 5] = 2
            image = sign * (2.0 * (label > 0) + 2.0 * (label == 2)) + rng.normal(0, 0.3, SHAPE)
            for kind, array in (("image", image.astype(np.float32)), ("label", label)):
                nib.Nifti1Image(array, np.diag([1.0, 1.0, 2.0, 1.0])).to_filename(
                    root / "images" / f"{name}_{kind}.nii.gz"
                )
            rows.append(f"{name},{domain},images/{name}_image.nii.gz,images/{name}_label.nii.gz")
    (root / "manifest.csv").write_text("\n".join(rows) + "\n")


STUDY = """\
version: 1
name: tiny
method: dam
matrix:
  dam.depth: [g2, g4]
  direction: [mr->ct]
data: {dataset: manifest, root: ., labels: {box: [1], core: [2]}, patch_size: [16, 16]}
search: {alg: tpe, num_samples: 4, seed: 0}
scheduler: {type: asha, grace_period: 2, reduction_factor: 2}
confirm: {top_k: 1, seeds: [0, 1]}
evaluation: {every: 2, images: 4}
parameters:
  optim.lr: {type: float, low: 1e-4, high: 1e-3, log: true}
  align.type: {type: categorical, choices: [wasserstein, least_squares]}
  align.clip: {type: float, low: 0.01, high: 0.1, when: {align.type: wasserstein}}
  segmenter.name: dilated_fcn
  segmenter.width: 2
  segmenter.steps: 4
  segmenter.batch_size: 2
  critic.input: pool
  critic.width: 4
  critic.stages: 1
  critic.steps: 1
  critic.warm_up: 2
  critic.growth: 0
  batch_size: 2
  steps: 6
"""
"""A study of the two domains: two cells of four search trials, with confirmations and bounds."""


def write_tiny_study(root: Path, text: str = STUDY) -> Path:
    """Write the two domains and the study beside them; return the study file."""
    write_two_domains(root)
    path = root / "study.yaml"
    path.write_text(text)
    return path
