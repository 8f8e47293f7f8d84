"""What one training may see of the data, by role, and the batches drawn from it."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import torch

from uda_study.data.augmentation import Augmentation, Kind
from uda_study.data.labels import LabelReader
from uda_study.data.prepare import PreparedCase
from uda_study.data.sampler import Sampler
from uda_study.method import Batch, Stage
from uda_study.training.ranks import Ranks
from uda_study.training.step import derive_seed
from uda_study.types import JSON, Role, Split, Task


@dataclass(frozen=True)
class TaskData:
    """A task with its prepared cases and the split that says what each is for.

    ``augmentation`` is the study's, for the stages that ask for it.
    """

    task: Task
    prepared: Mapping[str, PreparedCase]
    split: Split
    sampling: Literal["uniform", "balanced"] = "uniform"
    adjacent_slices: int = 1
    augmentation: Augmentation = field(default_factory=Augmentation)

    def cases(self, role: Role) -> list[PreparedCase]:
        """Return the prepared cases of a role, in the split's order."""
        return [self.prepared[name] for name in self.split.roles.get(role, ())]

    def sampler(self, stage: Stage, seed: int) -> Sampler:
        """Return the sampler of a stage: it can open just the labels that the stage may read."""
        with_labels = stage.target == "labels"
        target = self._target(stage)
        allowed = list(self.split.roles["source_train"])
        if with_labels:
            allowed += [prepared.case.id for prepared in target]
        return Sampler(
            task=self.task,
            source=self.cases("source_train"),
            target=target,
            labels=LabelReader(allowed, purpose=f"training stage {stage.name!r}"),
            target_labels=with_labels,
            sampling=self.sampling,
            adjacent_slices=self.adjacent_slices,
            seed=derive_seed(seed, "patches"),
            augmentation=self._transforms(stage),
        )

    def facts(self, stage: Stage) -> dict[str, JSON]:
        """Return all of the data that the stage's result depends on, as content hashes."""
        with_labels = stage.target == "labels"
        return {
            "source": [_content(case, with_label=True) for case in self.cases("source_train")],
            "target": [_content(case, with_labels) for case in self._target(stage)],
            "sampling": self.sampling,
            "adjacent_slices": self.adjacent_slices,
            "classes": list(self.task.class_names),
            "patch_size": list(self.task.patch_size),
            "spatial_dims": self.task.spatial_dims,
            "augmentation": [kind.model_dump(mode="json") for kind in self._transforms(stage)],
        }

    def _transforms(self, stage: Stage) -> tuple[Kind, ...]:
        own = stage.augmentation
        augmentation = self.augmentation if own == "study" else Augmentation(preset=own)
        return augmentation.resolved(self.task)

    def _target(self, stage: Stage) -> list[PreparedCase]:
        if stage.target == "none":
            return []
        return self.cases("target_bound" if stage.target == "labels" else "target_adapt")


def _content(case: PreparedCase, with_label: bool) -> list[JSON]:
    label = case.label_folder.name if with_label and case.label_folder else None
    return [case.sha256, label]


class Batches:
    """The batches of one stage, on the device; ``drawn`` counts them and is part of a resume.

    For an accelerator the next batch is read by a thread and copied from pinned memory while the
    current one is computed on.
    """

    def __init__(
        self, sampler: Sampler, stage: Stage, ranks: Ranks, device: torch.device, drawn: int = 0
    ) -> None:
        self.sampler, self.stage, self.ranks, self.device = sampler, stage, ranks, device
        self.drawn = drawn
        self._thread = ThreadPoolExecutor(1) if device.type == "cuda" else None
        self._next: Future[Batch] | None = None

    def __call__(self) -> Batch:
        """Return the next batch."""
        if self._thread is None:
            batch = self._read(self.drawn)
        else:
            pending = self._next or self._thread.submit(self._read, self.drawn)
            batch = pending.result()
            self._next = self._thread.submit(self._read, self.drawn + 1)
        self.drawn += 1
        return batch

    def close(self) -> None:
        """Stop reading ahead."""
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)

    def _read(self, index: int) -> Batch:
        batch = self.sampler.draw(
            self.stage.name, index, self.stage.batch_size, self.ranks.rank, self.ranks.size
        )
        return batch.to(self.device)
