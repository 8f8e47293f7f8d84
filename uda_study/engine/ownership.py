"""Whose files a study is restored from."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from uda_study.errors import InputError, Problem

_ROOT = 0
_SHOWN = 5


def refuse_foreign(home: Path, study: str) -> None:
    """Raise `InputError` where somebody else could have written what a study resumes from.

    The home, its caches and all folders of the study have to belong to this user or to root, who
    could do anything anyway, and must not be writable by everybody. Members of the group are
    trusted, as many systems let the group write by default.
    """
    problems = list(_problems(_restored(home, home / "studies" / study)))
    if len(problems) > _SHOWN:
        more = Problem(
            f"study {study}", f"{len(problems) - _SHOWN} more files and folders as these"
        )
        problems = [*problems[:_SHOWN], more]
    if problems:
        raise InputError(problems)


def _restored(home: Path, study: Path) -> Iterator[Path]:
    """Yield what has to be sound: in a folder that only its owner writes to, files are his, too."""
    cache = home / "cache"
    yield from (home, home / "studies", cache, cache / "stages", cache / "prepared")
    if study.is_dir():
        yield study
        yield from (path for path in study.iterdir() if not path.is_dir())
        for folder, below, _ in os.walk(study):
            yield from (Path(folder, name) for name in below)


def _problems(paths: Iterable[Path]) -> Iterator[Problem]:
    for path in paths:
        try:
            found = path.stat()
        except FileNotFoundError:
            continue
        value = f"{path} of user {found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o}"
        if found.st_uid not in (os.geteuid(), _ROOT):
            yield Problem(
                "home", "a study is not resumed from files of somebody else", value,
                f"run as that user, or if you trust all of it: chown -R {os.geteuid()} {path}",
            )  # fmt: skip
        elif found.st_mode & stat.S_IWOTH:
            yield Problem(
                "home", "must not be writable by everybody", value,
                f"if nobody has changed it: chmod o-w {path}",
            )  # fmt: skip
