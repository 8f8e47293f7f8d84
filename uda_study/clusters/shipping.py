"""What travels to a cluster with a study: the program, the study file, the versions; no data."""

from __future__ import annotations

import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import requires, version
from pathlib import Path

import uda_study
from uda_study.errors import InputError
from uda_study.study.written import study_text
from uda_study.types import JSON

STUDY_FILE, CONSTRAINTS, PROJECT = "study.yaml", "constraints.txt", "pyproject.toml"
MAX_BYTES = 20 * 10**6
_NAME = "uda-study"
_SHOWN = 3


@dataclass(frozen=True)
class Package:
    """A folder that holds all that travels."""

    folder: Path

    @property
    def files(self) -> dict[str, int]:
        """The size of every file, in bytes, by its path in the folder."""
        found = sorted(path for path in self.folder.rglob("*") if path.is_file())
        return {str(path.relative_to(self.folder)): path.stat().st_size for path in found}

    def __str__(self) -> str:
        files = self.files
        return f"{len(files)} files, {sum(files.values()) / 1e6:.1f} MB"


@contextmanager
def staged(
    resolved: Mapping[str, JSON] | None = None, source: Path | None = None, most: int = MAX_BYTES
) -> Iterator[Package]:
    """Yield a folder with the program, the study as it was validated here, and the versions.

    ``source`` is the package's own folder, that of this process if left out. `InputError` above
    ``most`` bytes.
    """
    package = source or Path(uda_study.__file__).parent
    with tempfile.TemporaryDirectory(prefix="uda-study-") as name:
        folder = Path(name)
        shutil.copytree(
            package,
            folder / package.name,
            ignore=shutil.ignore_patterns("__pycache__", "*.py[co]", ".*"),
        )
        if resolved is not None:
            (folder / STUDY_FILE).write_text(study_text(resolved), encoding="utf-8")
        beside = package.parent
        if _is_checkout(beside):
            shutil.copyfile(beside / PROJECT, folder / PROJECT)
            shutil.copyfile(beside / CONSTRAINTS, folder / CONSTRAINTS)
        else:
            (folder / CONSTRAINTS).write_text("\n".join(installed()) + "\n", encoding="utf-8")
        found = Package(folder)
        _refuse_large(found, most)
        yield found


def installed() -> list[str]:
    """Return what uda-study needs, each in the version that is installed here."""
    found = []
    for requirement in requires(_NAME) or ():
        text, _, marker = requirement.partition(";")
        if "extra" in marker:
            continue
        name = _plain(text)
        found.append(f"{name}=={version(name)}")
    return found


def to_install(package: Package) -> list[str]:
    """Return what pip is to install on machines without the packages: all but Ray itself.

    A machine of a cluster has the Ray that the cluster runs.
    """
    wanted = needed() | {"boto3", "psycopg", "psycopg-binary"}
    return [pin for pin in pins(package.folder) if _plain(pin) in wanted - {"ray"}]


def needed() -> set[str]:
    """Return the names of what uda-study itself asks for, without what those ask for."""
    project = Path(uda_study.__file__).parents[1] / PROJECT
    if not project.is_file():
        return {_plain(pin) for pin in installed()}
    listed = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]
    return {_plain(requirement) for requirement in listed}


def pins(folder: Path | None = None) -> list[str]:
    """Return the versions that the folder's constraints name, of this process if left out.

    Beside an installed package there are none; then what is installed counts.
    """
    file = (folder or Path(uda_study.__file__).parents[1]) / CONSTRAINTS
    if not file.is_file():
        return installed()
    lines = file.read_text(encoding="utf-8").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def is_needed(pin: str) -> bool:
    """Tell whether uda-study itself asks for what is pinned."""
    return _plain(pin) in needed()


def outside(methods: Sequence[str], dataset: str) -> list[str]:
    """Return those of a study's plugins that are not part of uda-study, and do not travel."""
    root = Path(uda_study.__file__).parent
    named = [("methods", name) for name in methods] + [("datasets", dataset)]
    return [
        name
        for kind, name in named
        if not (root / kind / f"{name}.py").exists() and not (root / kind / name).is_dir()
    ]


def _plain(requirement: str) -> str:
    """Return the name in a requirement such as ``Ray[tune]>=2.60``, as package indices spell it."""
    name = re.match(r"[\w.-]+", requirement.strip())
    return re.sub(r"[-_.]+", "-", name[0]).lower() if name else ""


def _is_checkout(folder: Path) -> bool:
    return (folder / PROJECT).is_file() and (folder / CONSTRAINTS).is_file()


def _refuse_large(package: Package, most: int) -> None:
    files = package.files
    total = sum(files.values())
    if total <= most:
        return
    largest = sorted(files, key=lambda name: files[name], reverse=True)[:_SHOWN]
    raise InputError.of(
        "uda-study",
        f"what travels to the cluster must not exceed {most / 1e6:g} MB",
        f"{total / 1e6:.1f} MB",
        "the largest: " + ", ".join(f"{name} ({files[name] / 1e6:.1f} MB)" for name in largest),
    )
