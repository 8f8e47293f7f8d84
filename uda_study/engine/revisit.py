"""Open a finished study again: its trained models, and what they make of cases."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from uda_study.data.grid import resample_to_native
from uda_study.engine.job import Home, Job
from uda_study.engine.journal import JOURNAL, Journal, Started
from uda_study.engine.retention import no_model
from uda_study.engine.setup import Study, prepare_study
from uda_study.errors import InputError
from uda_study.study.find import find_study
from uda_study.study.validate import load_study
from uda_study.training.evaluate import Evaluator
from uda_study.training.package import load_package


@dataclass(frozen=True)
class Segmented:
    """A test case as a model segments it; all volumes ``(X, Y, Z)`` on the native grid.

    ``image`` and ``translated`` are the first channel, as prepared; ``before`` is None for methods
    that do not start from a source segmenter, ``translated`` for those that change no images.
    """

    case: str
    subject: str
    image: NDArray[np.float32]
    truth: NDArray[np.uint8]
    after: NDArray[np.uint8]
    before: NDArray[np.uint8] | None
    translated: NDArray[np.float32] | None
    affine: NDArray[np.float64]


def reopen(home: Home, text: str, progress: Callable[[int, int], None] | None = None) -> Study:
    """Return the study of this home that ``text`` names or begins to name, its images ready.

    Raises `InputError` for an unknown study, and for one that another version of uda-study, which
    took its settings otherwise, has begun.
    """
    known = sorted(path.parent.name for path in home.path.glob("studies/*/study.yaml"))
    name = find_study(text, known)
    study = prepare_study(load_study(home.study(name) / "study.yaml", []), home, progress)
    if study.id != name:
        raise InputError.of(
            f"study {name}",
            "was begun by another version of uda-study, which took its settings otherwise",
            remedy="open it with that version",
        )
    return study


class Revisit:
    """The finished trainings of a study, by key."""

    def __init__(self, study: Study, home: Home, device: torch.device | None = None) -> None:
        self.study = study
        self.job = Job(home, study.id, study.spec, study.preprocessing, study.data)
        self.device = device or torch.device("cpu")
        events = Journal(self.job.folder / JOURNAL).events()
        self._specs = {e.spec.key: e.spec for e in events if isinstance(e, Started)}

    def segmented(self, key: str, cases: Sequence[str]) -> Iterator[Segmented]:
        """Yield the named test cases, in their order, as the training's model segments them."""
        folder = self.job.trial_folder(key)
        if key not in self._specs or not (folder / "model").is_dir():
            raise InputError([no_model(self.study.id, key, folder)])
        method, _ = load_package(folder / "model")
        spec = self._specs[key]
        data = self.job.data[spec.direction, spec.fold]
        roles: dict[Any, tuple[str, ...]] = {**data.split.roles, "target_test": tuple(cases)}
        data = replace(data, split=replace(data.split, roles=roles))
        evaluator = Evaluator(
            method.to(self.device), data, self.device, self.study.spec.postprocess, ()
        )
        for outcome in evaluator.outcomes("target_test"):
            prepared = outcome.prepared
            grid, translated = prepared.grid, outcome.translated
            yield Segmented(
                case=prepared.case.id,
                subject=prepared.case.subject,
                image=resample_to_native(np.asarray(prepared.image[0]), grid, order=1),
                truth=outcome.truth,
                after=outcome.after,
                before=outcome.before,
                translated=(
                    None
                    if translated is None
                    else resample_to_native(np.asarray(translated[0]), grid, order=1)
                ),
                affine=np.asarray(grid.native_affine, dtype=np.float64),
            )
