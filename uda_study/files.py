"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path


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
