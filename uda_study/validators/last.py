"""No choice at all: the latest model."""

from __future__ import annotations

from uda_study.validator import Probe, Validator


class Last(Validator):
    """The number of steps that the model was trained for.

    Among the checkpoints of one training the last one is chosen; finished trainings of equal length
    tie, and the first one, with the published setting, is chosen. What a study that tunes nothing
    would do: the measure for every other rule. Fails where training longer makes a model worse.
    """

    def score(self, probe: Probe) -> float:
        """Return the score."""
        return float(probe.step)
