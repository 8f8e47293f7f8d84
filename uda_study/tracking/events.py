"""What happens in a study, as values that can wait in a queue or in a file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from uda_study.study.trial import Status, TrialSpec
from uda_study.types import JSON


@dataclass(frozen=True)
class Event:
    """One call of the run log; ``time`` in ms since 1970 stays the same when it is repeated.

    ``folder`` is relative to the study's folder. ``scores`` are finite; ``dropped`` names those
    that were not.
    """

    kind: Literal["started", "reported", "finished", "dropped"]
    spec: TrialSpec
    time: int
    step: int = 0
    params: Mapping[str, JSON] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    status: Status | None = None
    message: str | None = None
    folder: str | None = None

    def to_json(self) -> str:
        """Return one line of JSON."""
        values = {**vars(self), "spec": self.spec.to_json()}
        return json.dumps(values, allow_nan=False)

    @classmethod
    def from_json(cls, line: str) -> Event:
        """Read `to_json`."""
        values = json.loads(line)
        spec = TrialSpec.from_json(values.pop("spec"))
        return cls(spec=spec, dropped=tuple(values.pop("dropped")), **values)


def finite(scores: Mapping[str, float]) -> tuple[dict[str, float], tuple[str, ...]]:
    """Return the scores that are finite, and the names of the others.

    MLflow would store an infinite value as 1.8e308 and rank it first.
    """
    kept = {name: float(value) for name, value in scores.items() if math.isfinite(value)}
    return kept, tuple(sorted(set(scores) - set(kept)))
