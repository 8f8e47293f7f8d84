"""What the adapters of published trees share: the root, the files below it, and what is refused.

A message about a wrong root shows the tree that was expected beside what lies there.
"""

from __future__ import annotations

import difflib
import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

from pydantic import Field

from uda_study.dataset import DatasetInfo, DatasetOptions
from uda_study.errors import InputError, Problem
from uda_study.types import Case

ROOT = "data.root"

_SHOWN = 20
_LEVELS = 2
_LOOKED_AT = 1000


class TreeOptions(DatasetOptions):
    """What the options of all published trees have in common."""

    leave_out: tuple[str, ...] = Field((), description="ids of cases that are not used")


def require_root(root: Path | None, info: DatasetInfo) -> Path:
    """Return the root; raises `InputError`, with the expected tree, unless it is a folder."""
    if root is None:
        raise InputError.of(ROOT, f"is required: the folder that holds\n{_indented(info.tree)}")
    try:
        is_folder = root.is_dir()
    except (OSError, ValueError):  # too long, a null byte
        is_folder = False
    if not is_folder:
        remedy = f"name the folder that holds\n{_indented(info.tree)}"
        raise InputError.of(ROOT, "no such folder", root, remedy)
    return root


def wrong_tree(
    root: Path, info: DatasetInfo, rule: str = "holds no case of this dataset"
) -> InputError:
    """Return the error of a root that holds something else, the expected beside the found."""
    remedy = (
        f"name the folder that holds\n{_indented(info.tree)}\n"
        f"found there\n{_indented(chr(10).join(found_below(root)))}"
    )
    return InputError.of(ROOT, rule, root, remedy)


def entries(folder: Path) -> list[Path]:
    """Return what lies in a folder, by name; hidden entries are left out.

    Empty where there is no such folder; raises `InputError` where it cannot be read.
    """
    if not folder.is_dir():
        return []
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputError.of(
            ROOT, f"cannot be read ({error.strerror})", folder, "check the folder's permissions"
        ) from error


def folders(folder: Path) -> list[Path]:
    """Return the folders in a folder, by name; hidden ones are left out."""
    return [path for path in entries(folder) if path.is_dir()]


def nifti(stem: Path) -> Path:
    """Return ``stem.nii`` if it is there, else ``stem.nii.gz``, whether that is there or not."""
    plain = stem.with_name(f"{stem.name}.nii")
    packed = stem.with_name(f"{stem.name}.nii.gz")
    return plain if plain.is_file() and not packed.is_file() else packed


def matching(
    searched: Iterable[Path], pattern: re.Pattern[str]
) -> tuple[dict[tuple[str, ...], Path], list[Problem]]:
    """Return the files in some folders whose whole name matches, by the pattern's groups.

    Files that have the same groups are problems: only one of them can be meant.
    """
    found: dict[tuple[str, ...], Path] = {}
    problems = []
    for path in (path for folder in searched for path in entries(folder)):
        match = pattern.fullmatch(path.name)
        if match is None or not path.is_file():
            continue
        first = found.setdefault(match.groups(), path)
        if first != path:
            shown = f"{_printable(first)} and {_printable(path)}"
            problems.append(Problem(ROOT, "must hold a file once", shown, "remove one"))
    return found, problems


def outside(root: Path, files: Iterable[Path], where: str) -> list[Problem]:
    """Return a problem for each file that does not lie below the root, links resolved."""
    rule = "must lie below the root, links included"
    return [
        Problem(where, rule, _printable(file), "copy the file there")
        for file in files
        if not _below(root, file)
    ]


def _below(root: Path, file: Path) -> bool:
    try:
        return file.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError):  # a loop of links
        return False


def sound_cases(
    root: Path,
    info: DatasetInfo,
    cases: Sequence[Case],
    problems: Iterable[Problem] = (),
    leave_out: Collection[str] = (),
    also: Sequence[Path] = (),
) -> list[Case]:
    """Return the cases of a tree that was read; what an adapter's ``cases`` ends with.

    Cases whose id is in ``leave_out`` are dropped; files may lie in the folders of ``also``, which
    the user named. Raises `InputError` with the problems that were
    found, with those of files that are missing or outside the root, of ids that occur twice or that
    ``leave_out`` names in vain, and with both trees where there is no case at all.
    """
    every = list(problems)
    if not cases and not every:
        raise wrong_tree(root, info)
    kept = [case for case in cases if case.id not in leave_out]
    for case in kept:
        masks = () if case.mask is None else (case.mask,)
        for what, files in (("image", case.images), ("label", case.labels), ("mask", masks)):
            every += _unusable([root, *also], files, case.id, what)
    for name, count in Counter(case.id for case in kept).items():
        if count > 1:
            rule = "must be below the root once"
            every.append(Problem(f"{name} case", rule, f"{count} times", "remove the copies"))
    known = {case.id for case in cases}
    where = "data.options.leave_out"
    for name in leave_out:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            remedy = f"did you mean {near[0]!r}?" if near else None
            every.append(Problem(where, "no such case", repr(name), remedy))
    if not kept and not every:
        every.append(Problem(where, "must leave at least one case"))
    if every:
        raise InputError(every)
    return kept


def _unusable(
    roots: Sequence[Path], files: Iterable[Path], case: str, what: str
) -> Iterator[Problem]:
    for file in files:
        root = next((root for root in roots if file.is_relative_to(root)), roots[0])
        if file.exists():
            yield from outside(root, [file], f"{case} {what}")
        else:
            shown = _printable(file.relative_to(root) if file.is_relative_to(root) else file)
            remedy = f"copy it there or name {case} in the option leave_out"
            yield Problem(f"{case} {what}", "no such file", shown, remedy)


def found_below(root: Path) -> list[str]:
    """Return the first entries below a root, indented by level; links are not followed."""
    lines = list(islice(_listing(root, 1), _SHOWN + 1))
    if len(lines) > _SHOWN:
        lines[-1] = "..."
    return lines or ["nothing"]


def _listing(folder: Path, level: int) -> Iterator[str]:
    try:
        with os.scandir(folder) as scanned:
            found = sorted(islice(scanned, _LOOKED_AT), key=lambda entry: entry.name)
    except OSError as error:
        yield "  " * (level - 1) + f"cannot be read ({error.strerror})"
        return
    for entry in found:
        name = "  " * (level - 1) + _printable(entry.name)
        if entry.is_symlink():
            yield f"{name} (a link)"
        elif entry.is_dir(follow_symlinks=False):
            yield f"{name}/"
            if level < _LEVELS:
                yield from _listing(Path(entry.path), level + 1)
        else:
            yield name


def _printable(text: str | Path) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in str(text))


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
