"""The files of a study as a whole: what was asked, with which software, on which images."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Literal

from uda_study.data.prepare import PreparedCase
from uda_study.engine.edits import ORIGINAL, STUDY, changes, plain, refusal, stored_study
from uda_study.errors import InputError, StoreError
from uda_study.files import write_whole
from uda_study.study.checks import Check, checks_to_json
from uda_study.study.runlog import StudyStatus
from uda_study.study.trial import Cell
from uda_study.study.written import study_text
from uda_study.training.task_data import TaskData
from uda_study.types import JSON, Direction

ENVIRONMENT, DATA, CHECKS = "environment.txt", "data.json", "checks.json"
RUNS = "runs.json"


def write_study_files(
    folder: Path,
    resolved: Mapping[str, JSON],
    text: str,
    data: Mapping[tuple[str, int], TaskData],
    checks: Sequence[Check] = (),
) -> None:
    """Write the study's files; of one that exists only what no result depends on may change.

    ``checks`` are those of leaks; without, what stands there of earlier ones stays.

    Raises `InputError` when the folder holds a study with other settings or of other images.
    """
    shown = plain(resolved)
    stored = stored_study(folder)
    if stored is None:
        _write(folder / ORIGINAL, text)
        _write(folder / ENVIRONMENT, environment())
        _write(folder / DATA, json.dumps(_data(data), indent=1, sort_keys=True))
    elif changed := changes(stored, shown):
        raise refusal(folder, changed)
    else:
        _refuse_other_images(folder, _data(data))
    write_whole(folder / STUDY, study_text(shown))
    if checks:
        _write(folder / CHECKS, checks_to_json(checks))


def write_runs(
    folder: Path,
    cells: Sequence[Cell],
    tags: Mapping[str, str],
    status: StudyStatus | Literal["running"] = "running",
) -> None:
    """Write what the run log is opened with, so that it can be written again from the folder."""
    content = {
        "status": status,
        "tags": dict(tags),
        "cells": [{**asdict(cell), "direction": str(cell.direction)} for cell in cells],
    }
    write_whole(folder / RUNS, json.dumps(content, indent=1))


def read_runs(folder: Path) -> tuple[list[Cell], dict[str, str], str]:
    """Return cells, tags and status of `write_runs`; `StoreError` for a file that is not such."""
    try:
        content = json.loads((folder / RUNS).read_text(encoding="utf-8"))
        cells = [
            Cell(**{**values, "direction": Direction.parse(values["direction"])})
            for values in content["cells"]
        ]
        tags = {str(name): str(value) for name, value in content["tags"].items()}
        return cells, tags, str(content["status"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"study {folder.name}: its {RUNS} is missing or damaged; run the study once more, "
            "it writes the file again"
        ) from error


def environment() -> str:
    """Return Python, platform and every installed distribution, one per line."""
    found = {f"{d.name}=={d.version}" for d in distributions()}
    lines = [f"# Python {platform.python_version()} on {platform.platform()}"]
    return "\n".join(lines + sorted(found, key=str.lower)) + "\n"


def git_commit() -> str:
    """Return the commit of uda-study's own checkout, ``-dirty`` if it was edited, or a dash."""
    here = Path(__file__).parent
    try:
        # Installed inside another checkout, the package is not among its files.
        _git(here, "ls-files", "--error-unmatch", Path(__file__).name)
        commit = _git(here, "rev-parse", "HEAD")
        return f"{commit}-dirty" if _git(here, "status", "--porcelain", "--", ".") else commit
    except (OSError, subprocess.CalledProcessError):
        return "-"


def _git(folder: Path, *words: str) -> str:
    command = ["git", "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _refuse_other_images(folder: Path, described: Mapping[str, Any]) -> None:
    """Raise where files have changed since the study began: its trainings could not be compared."""
    stored = json.loads((folder / DATA).read_text(encoding="utf-8"))["cases"]
    cases = described["cases"]
    changed = [n for n in sorted({*stored, *cases}) if stored.get(n) != cases.get(n)]
    if changed:
        raise InputError.of(
            f"study {folder.name}",
            "was begun before images or labels have changed",
            ", ".join(changed[:5]),
            "restore the files, or give the new study another name",
        )


def _data(data: Mapping[tuple[str, int], TaskData]) -> dict[str, Any]:
    """Return splits and content hashes; no paths and no names of files."""
    prepared = {name: case for d in data.values() for name, case in d.prepared.items()}
    return {
        "cases": {name: _content(case) for name, case in sorted(prepared.items())},
        "splits": {
            f"{direction} fold {fold}": {
                "protocol": d.split.protocol,
                "sha256": d.split.sha256,
                "roles": {role: list(cases) for role, cases in d.split.roles.items()},
            }
            for (direction, fold), d in data.items()
        },
    }


def _content(case: PreparedCase) -> dict[str, str | None]:
    return {"image": case.sha256, "label": case.label_folder.name if case.label_folder else None}


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
