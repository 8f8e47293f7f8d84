"""Where state lies, and what is printed while something is under way."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uda_study.engine.job import Home

PathLike = str | os.PathLike[str]

DEFAULT_HOME = Path("uda-study-data")
STORAGE = "UDA_STUDY_STORAGE"


def home_folder(home: PathLike | None = None) -> Path:
    """Return the folder of all state: the one given, that of ``UDA_STUDY_HOME``, or the default."""
    return Path(home or os.environ.get("UDA_STUDY_HOME") or DEFAULT_HOME).absolute()


def open_home(home: PathLike | None = None) -> Home:
    """Return the home in which studies run, shared by the address of ``UDA_STUDY_STORAGE`` if set.

    Raises `InputError` for what is no address, or one that holds credentials.
    """
    # Commands that only read a home need nothing of what its class comes with.
    from uda_study.engine.job import Home  # noqa: PLC0415
    from uda_study.remote import check_address  # noqa: PLC0415

    address = os.environ.get(STORAGE) or None
    if address is not None:
        check_address(address, STORAGE)
        address = address.rstrip("/")
    return Home(home_folder(home), address)


def to_stderr(line: str) -> None:
    """Print a line where it does not mix with results."""
    sys.stderr.write(f"{line}\n")
