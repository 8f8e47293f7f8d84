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

    None where neither is known: ``UDA_STUDY_STORAGE`` is not set here, and the cluster is not a
    launcher's whose file sets ``UDA_STUDY_HOME``. Raises `ClusterError` where copying fails.
    """
    address = os.environ.get(STORAGE)
    home = Launcher(target.file).home if isinstance(target, Launched) else None
    if address or home is None or isinstance(target, JobsApi):
        yield address or None
        return
    with tempfile.TemporaryDirectory(prefix="uda-study-") as folder:
        to = Path(folder) / study
        Launcher(target.file).fetch(f"{home}/studies/{study}", to)
        yield to
