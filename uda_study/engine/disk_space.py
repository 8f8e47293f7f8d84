"""Whether a study fits the disk that its home is on, before anything of it is written."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from uda_study.data.limits import show_bytes
from uda_study.engine.job import Home
from uda_study.engine.setup import Study
from uda_study.errors import InputError
from uda_study.study.disk import Disk
from uda_study.types import JSON

MARGIN = 0.2
"""The share of the forecast that has to be free besides: logs, and what others write meanwhile."""


@dataclass(frozen=True)
class DiskSpace:
    """What a study takes at its peak, of which ``present`` is there already, and what is free.

    ``prepared`` is what its images take in the cache, beside the forecast. All in bytes.
    """

    disk: Disk
    present: int
    prepared: int
    free: int
    place: Path

    @property
    def needed(self) -> int:
        """What has to be free: what is still to be written, and the margin."""
        return round(max(0, self.disk.total - self.present) * (1 + MARGIN))

    def __str__(self) -> str:
        there = f", {show_bytes(self.present)} of it there" if self.present else ""
        return (
            f"disk  {self.disk}{there}; prepared images {show_bytes(self.prepared)}; "
            f"{show_bytes(self.free)} free"
        )

    def to_json(self) -> dict[str, JSON]:
        """Return plain values; the place is not among them."""
        return {
            "total": self.disk.total,
            "present": self.present,
            "prepared": self.prepared,
            "needed": self.needed,
            "margin": MARGIN,
            "free": self.free,
        }

    def refuse(self) -> None:
        """Raise `InputError` where the study does not fit."""
        if self.needed > self.free:
            raise InputError.of(
                "disk",
                f"the study needs {show_bytes(self.needed)}, {MARGIN:.0%} of them a margin",
                f"{show_bytes(self.free)} free in {self.place}",
                "lower checkpoint.study_top_k, give another --home, free some with uda-study clean "
                "--yes, or go on anyway with --set checkpoint.disk_check=false",
            )


def disk_space(disk: Disk, study: Study, home: Home) -> DiskSpace:
    """Return how the forecast of a study compares with the disk of its home."""
    cases = {c.folder: c for data in study.data.values() for c in data.prepared.values()}
    labels = {c.label_folder for c in cases.values() if c.label_folder is not None}
    return DiskSpace(
        disk,
        bytes_of(home.study(study.id)),
        sum(bytes_of(folder) for folder in (*cases, *labels)),
        shutil.disk_usage(home.path).free,
        home.path,
    )


def bytes_of(folder: Path) -> int:
    """Return the bytes on disk of all files below a folder; files with several names count once."""
    found: dict[tuple[int, int], int] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                info = (Path(parent) / name).lstat()
            except FileNotFoundError:
                continue  # a training that runs has just replaced it
            found[info.st_dev, info.st_ino] = info.st_blocks * 512
    return sum(found.values())
