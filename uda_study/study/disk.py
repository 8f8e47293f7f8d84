"""How much disk a study takes at its peak, from the sizes of what its methods write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from uda_study.data.limits import show_bytes
from uda_study.study.model import CheckpointSpec
from uda_study.study.retention import OPEN_SHARE
from uda_study.study.trial import TrialSpec

FILES_BYTES = 1_000_000
"""Tables, curves and pictures of a training: 0.74 MB on average in the study of twelve methods."""
RUN_BYTES = 120_000
"""What a training takes in MLflow's database and in the journal: at most 117 kB in nine studies."""


@dataclass(frozen=True)
class Sizes:
    """Bytes of a method's model package, of a checkpoint, and of a stage that it shares."""

    model: int
    checkpoint: int
    stage: int


@dataclass(frozen=True)
class Disk:
    """Bytes at the peak, by what they are for."""

    checkpoints: int
    models: int
    files: int
    stages: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.checkpoints + self.models + self.files + self.stages

    def __str__(self) -> str:
        parts = (
            f"{show_bytes(getattr(self, name))} of {word}"
            for name, word in (
                ("checkpoints", "checkpoints"),
                ("models", "models"),
                ("files", "tables and pictures"),
                ("stages", "shared stages"),
            )
        )
        return f"{show_bytes(self.total)} at its peak: {', '.join(parts)}"


def disk(
    checkpoint: CheckpointSpec,
    searches: Mapping[str, Sequence[TrialSpec]],
    others: Sequence[TrialSpec],
    stages: Mapping[str, int],
    sizes: Mapping[str, Sizes],
    parallel: int,
) -> Disk | None:
    """Return the forecast; None where the size of a method is not known.

    ``searches`` are the search trials by cell, ``others`` confirmations and baselines, ``stages``
    how many shared stages the trainings of each method make. Of a training that runs, one
    checkpoint more than stays is there while it is written.
    """
    trials = [trial for cell in searches.values() for trial in cell] + list(others)
    methods = {trial.method for trial in trials}
    if not methods or not methods <= set(sizes):
        return None
    keep = checkpoint.study_top_k
    kept = [
        trial
        for cell in searches.values()
        for trial in (cell if keep is None else cell[: keep * OPEN_SHARE])
    ]
    running = min(parallel, len(trials))
    largest = max(sizes[method].checkpoint for method in methods)
    return Disk(
        checkpoints=running * (checkpoint.num_to_keep + 1) * largest,
        models=sum(sizes[trial.method].model for trial in (*kept, *others))
        + running * max(sizes[method].model for method in methods),
        files=len(trials) * (FILES_BYTES + RUN_BYTES),
        stages=sum(count * sizes[method].stage for method, count in stages.items()),
    )
