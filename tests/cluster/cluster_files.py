"""The files of `cluster/`, as tests read and break them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "cluster"
FILES = sorted(path for path in FOLDER.iterdir() if path.is_file())
# Ray's launcher reads its files by PyYAML: so do these tests.
LAUNCHER_FILES = [
    path
    for path in FILES
    if path.suffix == ".yaml" and "provider" in next(yaml.safe_load_all(path.read_text()))
]


def read(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text())


def filled_in(name: str) -> Any:
    """Return the file as a user would have it, with a word for every FILL_IN."""
    return yaml.safe_load((FOLDER / name).read_text().replace("FILL_IN", "mine"))


def steps(path: str) -> list[str | int]:
    """Return the keys and numbers of a path such as ``a.b[0].c``."""
    return [int(step) if step.isdigit() else step for step in re.findall(r"[^.\[\]]+", path)]


def below(config: Any, path: str) -> Any:
    for step in steps(path):
        config = config[step]
    return config


def put(config: Any, path: str, value: object) -> None:
    *way, last = steps(path)
    for step in way:
        config = config[step]
    config[last] = value


def drop(config: Any, path: str) -> None:
    *way, last = steps(path)
    for step in way:
        config = config[step]
    del config[last]


def swap(config: Any, path: str, old: str, new: str) -> None:
    text = below(config, path)
    assert old in text, f"{path} has no {old}"
    put(config, path, text.replace(old, new))
