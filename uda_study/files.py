"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

from uda_study.errors import Problem


def unwritable(name: str, path: Path) -> list[Problem]:
    """Return why the file of that option could not be written; nothing where it could."""
    if path.is_dir() or not path.absolute().parent.is_dir():
        return [Problem(name, "must be a file in a folder that exists", str(path))]
    return []


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file beside its place and move it there, so that nobody ever reads half of it.

    Raises `OSError`; the draft is removed then, and what was there before stays.
    """
    # The process is in its name, for two that write the same file at the same time.
    draft = path.with_name(f".{os.getpid()}-{path.name}")
    try:
        draft.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
