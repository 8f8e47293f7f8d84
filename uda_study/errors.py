"""Every error that uda-study raises on purpose.

    UdaStudyError
    ├── InputError            what the user gave is wrong: exit code 2, one line per problem
    │   └── LabelsWithheld    code asked for labels that the protocol keeps from it
    ├── Diverged              a loss became NaN or infinite: the trial ends, the study goes on
    ├── TrainingError         a method broke its contract: a bug, the study stops
    │   └── OutOfMemory       the GPU does not hold a training: it is tried in smaller parts
    ├── StoreError            something on disk is damaged or owned by somebody else
    └── ClusterError          a cluster does not answer, or not as it should

Errors travel between Ray processes, so each keeps its arguments in ``args`` and survives pickling.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with what the user gave: where, the rule, the value, the remedy."""

    where: str
    rule: str
    value: str | None = None
    remedy: str | None = None

    def __str__(self) -> str:
        text = f"{self.where}: {self.rule}"
        if self.value is not None:
            text += f", got {self.value}"
        if self.remedy is not None:
            text += f"; {self.remedy}"
        return text


class UdaStudyError(Exception):
    """The root of all errors that uda-study raises on purpose."""


class InputError(UdaStudyError):
    """What the user gave is wrong; all problems that were found are listed together."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)

    @classmethod
    def of(
        cls, where: str, rule: str, value: object = None, remedy: str | None = None
    ) -> InputError:
        """Return the error with a single problem."""
        shown = None if value is None else str(value)
        return cls([Problem(where, rule, shown, remedy)])


class LabelsWithheld(InputError):
    """Code asked for labels that the protocol keeps from it."""


class Diverged(UdaStudyError):
    """A loss became NaN or infinite; the trial ends and is never ranked."""

    def __init__(self, stage: str, step: int, player: str) -> None:
        self.stage, self.step, self.player = stage, step, player
        super().__init__(stage, step, player)

    def __str__(self) -> str:
        return f"stage {self.stage!r}, step {self.step}: the loss of {self.player!r} is not finite"


class TrainingError(UdaStudyError):
    """A method broke its contract, for example by a parameter of a player that got no gradient."""


class OutOfMemory(TrainingError):
    """The GPU's memory, or a training's share of it, does not hold what was asked of it.

    ``divisible``: with its batches in more parts it may.
    """

    def __init__(self, where: str, divisible: bool) -> None:
        self.where, self.divisible = where, divisible
        super().__init__(where, divisible)

    def __str__(self) -> str:
        return (
            f"the GPU's memory does not hold {self.where}; lower batch_size, patch_size or the "
            "network's width, or give each training more of a GPU with resources.gpu"
        )


class StoreError(UdaStudyError):
    """Something on disk is damaged, half-written or owned by somebody else."""


class ClusterError(UdaStudyError):
    """A cluster does not answer, or does something else than it was asked for."""
