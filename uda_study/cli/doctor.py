"""``uda-study doctor``: what of this machine would stand in the way, and what to do."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer

from uda_study.cli.console import FAILED, OK, Screen
from uda_study.cli.options import HOME, ClusterOption, HomeOption, JsonOption
from uda_study.clusters.findings import Finding
from uda_study.errors import UdaStudyError

_DISK_GIB, _MEMORY_GIB = 5, 4


def doctor(
    file: Annotated[Path | None, typer.Argument(help="A study file to check as well.")] = None,
    cluster: ClusterOption = None,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
) -> None:
    """Check Python, torch, Ray, disk, memory, the tracking database and a study file.

    With --cluster, check the machines of a cluster instead of this one.
    """
    findings = (
        [*_machine(home.absolute()), *_libraries(), _guard("tracking", _tracking, home)]
        if cluster is None
        else _cluster(cluster, home.absolute())
    )
    if file is not None:
        findings.append(_guard(file.name, _study, file))
    screen = Screen(as_json=as_json)
    if as_json:
        screen.result([vars(finding) for finding in findings])
    else:
        for finding in findings:
            mark = "✓" if finding.good else "✗"
            remedy = "" if finding.good else f"   {finding.remedy}"
            screen.out.print(f"{mark} {finding.what:10} {finding.value}{remedy}", markup=False)
    raise SystemExit(OK if all(finding.good for finding in findings) else FAILED)


def _cluster(text: str, home: Path) -> list[Finding]:
    from uda_study.api.places import open_home
    from uda_study.clusters.target import Joined, target_of

    target = target_of(text)
    if isinstance(target, Joined):
        from uda_study.clusters.checks import check_cluster

        found = check_cluster(target.address, open_home(home))
        return [*found, _guard("tracking", _tracking, home)]
    from uda_study.clusters.diagnosis import diagnose

    return diagnose(target)


def _machine(home: Path) -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", sys.version_info >= (3, 11), version, "use Python 3.11 or newer")
    yield Finding("cores", True, str(os.cpu_count()))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield Finding("memory", memory >= _MEMORY_GIB, f"{memory:.0f} GiB", "at least 4 GiB are needed")
    place = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(place).free / 2**30
    yield Finding("disk", free >= _DISK_GIB, f"{free:.0f} GiB free for {home}", "free some space")
    writable = place.is_dir() and os.access(place, os.W_OK)
    yield Finding("home", writable, str(home), "choose another with --home or UDA_STUDY_HOME")


def _libraries() -> Iterator[Finding]:
    import ray
    import torch

    found = "no GPU"
    if torch.cuda.is_available():
        found = f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    yield Finding("torch", True, f"{torch.__version__}, {found}")
    yield Finding("ray", True, ray.__version__)


def _guard(what: str, check: Callable[[Path], str], path: Path) -> Finding:
    """Run a check that tells what is wrong by raising."""
    try:
        return Finding(what, True, check(path))
    except UdaStudyError as error:
        return Finding(what, False, "not usable", str(error))


def _tracking(home: Path) -> str:
    from uda_study.tracking.place import shown, sqlite_path, tracking_uri
    from uda_study.tracking.store import open_store

    uri = tracking_uri(home.absolute())
    database = sqlite_path(uri)
    if database is not None and not database.exists():
        return f"{uri}, made by the first study"
    open_store(home.absolute())
    return shown(uri)


def _study(file: Path) -> str:
    from uda_study.api.beginning import read
    from uda_study.study.cells import cells

    return f"valid, {len(cells(read(file).spec))} cells"
