"""What a report is made of: its material, read once, and sections that show a part of it.

A section is a function ``section(material)`` in a file of `uda_study.report.sections`; it returns
None where a study has nothing for it to show. Sections know neither MLflow nor the disk.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from uda_study.report.style import Picture
from uda_study.study.board import Leaderboard
from uda_study.study.checks import Check


@dataclass(frozen=True)
class Material:
    """A study as its report sees it.

    ``runs`` and ``cases`` are the tables that the leaderboard is computed from
    (`uda_study.study.leaderboard`); ``board`` is that leaderboard by cell. ``spec`` is the resolved
    study file, ``data`` its splits and content hashes, ``environment`` its software, one
    distribution a line. ``file`` returns an artifact of a training, such as ``overlays.png`` or
    ``curves.csv``, or None where it has none.
    """

    study: str
    board: Leaderboard
    runs: pd.DataFrame
    cases: pd.DataFrame
    spec: Mapping[str, Any]
    data: Mapping[str, Any]
    environment: str
    checks: tuple[Check, ...]
    file: Callable[[str, str], Path | None]


@dataclass(frozen=True)
class Exhibit:
    """A picture, or a piece of HTML such as a table, with what it shows in words.

    ``html`` is inserted as it is: whoever makes it escapes what comes from files.
    """

    caption: str
    picture: Picture | None = None
    html: str = ""


@dataclass(frozen=True)
class Section:
    """A heading, one or two plain sentences that say how to read what follows, and exhibits."""

    title: str
    lead: str
    exhibits: tuple[Exhibit, ...] = field(default=())
