"""A rule that a launcher file keeps or breaks, and what is said of one that it breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from uda_study.clusters.launcher_file import LauncherFile
from uda_study.errors import Problem

# Key path and value of each place that breaks a rule.
Breaches = Iterator[tuple[str, object]]


@dataclass(frozen=True)
class Fault(Problem):
    """A broken rule, by its name; ``refused``: no cluster is brought up from such a file."""

    name: str = ""
    refused: bool = False

    def __str__(self) -> str:
        return f"{super().__str__()} [{self.name}]"


@dataclass(frozen=True)
class Rule:
    """What must hold, what to do where it does not, and the places where it does not.

    ``providers`` are those it is asked of; none means every one.
    """

    name: str
    must: str
    remedy: str
    breaches: Callable[[LauncherFile], Breaches]
    refused: bool = False
    providers: tuple[str, ...] = ()

    def faults(self, file: LauncherFile) -> Iterator[Fault]:
        """Yield a fault for each place that breaks the rule."""
        if self.providers and file.provider not in self.providers:
            return
        for where, value in self.breaches(file):
            shown = "nothing" if value is None else str(value)
            yield Fault(where, self.must, shown, self.remedy, self.name, self.refused)
