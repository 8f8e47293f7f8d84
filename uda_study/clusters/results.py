"""Where the results of a study are to be had once its job is done."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from uda_study.clusters.launcher import Launcher
from uda_study.clusters.target import JobsApi, Launched

STORAGE = "UDA_STUDY_STORAGE"


@contextmanager
def copied(target: JobsApi | Launched, study: str) -> Iterator[str | Path | None]:
    """Yield the address that the study lies at, or a copy of its folder from the cluster's head.

    The address is that of the launcher's file, or ``UDA_STUDY_STORAGE`` of this machine. None where
    there is neither, and no file that sets ``UDA_STUDY_HOME``. Raises `ClusterError` where copying
    fails.
    """
    launcher = Launcher(target.file) if isinstance(target, Launched) else None
    address = (launcher and launcher.storage) or os.environ.get(STORAGE)
    if address or launcher is None or launcher.home is None:
        yield address or None
        return
    with tempfile.TemporaryDirectory(prefix="uda-study-") as folder:
        to = Path(folder) / study
        launcher.fetch(f"{launcher.home}/studies/{study}", to)
        yield to
