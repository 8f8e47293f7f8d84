"""Where state lies, and what is printed while something is under way."""

from __future__ import annotations

import os
import sys
from pathlib import Path

PathLike = str | os.PathLike[str]

DEFAULT_HOME = Path("uda-study-data")


def home_folder(home: PathLike | None = None) -> Path:
    """Return the folder of all state: the one given, that of ``UDA_STUDY_HOME``, or the default."""
    return Path(home or os.environ.get("UDA_STUDY_HOME") or DEFAULT_HOME).absolute()


def to_stderr(line: str) -> None:
    """Print a line where it does not mix with results."""
    sys.stderr.write(f"{line}\n")
