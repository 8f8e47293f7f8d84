"""Own images listed in one CSV file below the data root."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal, cast

from uda_study.data.limits import files_below
from uda_study.data.read import FORMATS
from uda_study.dataset import Dataset, DatasetInfo, DatasetOptions, Preprocessing
from uda_study.errors import InputError, Problem
from uda_study.types import Case

_REQUIRED = ("subject", "domain", "image", "label")
_SPLITS = ("train", "val", "test")


class ManifestOptions(DatasetOptions):
    """Where the table lies, relative to the data root."""

    manifest: str = "manifest.csv"


class Manifest(Dataset[ManifestOptions]):
    """Cases from the columns ``subject, domain, image, label[, session, split, mask]``.

    Several images in one row, separated by ``;``, are the channels of one case. An empty label
    means that the case has none. Other columns are ignored. A case is called
    ``subject[_session]_domain``, with a number where that is not unique.
    """

    Options = ManifestOptions
    info = DatasetInfo(
        summary="own images of several domains, listed in a CSV file",
        licence="that of the images",
        citation="none",
        request="your own archive",
        tree="manifest.csv with the columns subject,domain,image,label[,session,split,mask]\n"
        f"images and labels anywhere below the root ({', '.join(FORMATS)}),\n"
        "an image also as a folder of DICOM slices, its label then as a folder of PNG slices",
    )

    def cases(self) -> Sequence[Case]:
        """Return one case per row; raises `InputError` with every bad row and its line."""
        if self.root is None or not self.root.is_dir():
            raise InputError.of(
                "data.root", "must be the folder of the manifest", self.root, "name the folder"
            )
        problems: list[Problem] = []
        table = _Paths(self.root, "data.options.manifest", problems).one(self.options.manifest)
        rows = [] if table is None else _read_table(table, problems)
        cases: list[Case] = []
        seen: dict[tuple[Path, ...], str] = {}
        pinned: dict[str, tuple[str, str]] = {}
        for where, row in rows:
            case = _case(row, self.root, where, problems)
            first = seen.setdefault(case.images, where)
            if first != where and case.images:
                problems.append(
                    Problem(where, f"repeats the image of {first}", row["image"], "remove one")
                )
            if case.split is not None:
                split, line = pinned.setdefault(case.subject, (case.split, where))
                if split != case.split:
                    rule = f"subject {case.subject} is in the split {split} of {line}"
                    problems.append(Problem(where, rule, case.split, "give it one split"))
            cases.append(case)
        if problems:
            raise InputError(problems)
        return _named_apart(cases)

    def preprocessing(self) -> Preprocessing:
        """Return z-scores on the native grid and one structure, the value 1.

        The values of own label files are unknown here: name them under ``data.labels``.
        """
        return Preprocessing(labels={"foreground": (1,)})


class _Paths:
    """Turns cells into paths below the root, noting every problem."""

    def __init__(self, root: Path, where: str, problems: list[Problem]) -> None:
        self.root = root
        self.where = where
        self.problems = problems

    def one(self, cell: str) -> Path | None:
        """Return the file that a cell names, None where it is empty or wrong."""
        if not cell:
            return None
        path = self.root / cell
        try:
            below = path.resolve().is_relative_to(self.root.resolve())
            there = path.is_file() or (path.is_dir() and bool(files_below(path)))
            rule = None if there else "no such file"
        except (OSError, ValueError, RuntimeError):  # too long, a null byte, a loop of links
            below, rule = True, "not a usable path"
        if Path(cell).is_absolute() or not below:
            rule = "must lie below the data root, links included"
        if rule is None:
            return path
        self.problems.append(Problem(self.where, rule, repr(cell), "correct the path"))
        return None

    def several(self, cell: str) -> tuple[Path, ...]:
        """Return the files of a cell, separated by semicolons; at least one is needed."""
        names = [name.strip() for name in cell.split(";") if name.strip()]
        if not names:
            self.problems.append(Problem(self.where, "an image is needed", "an empty cell"))
        return tuple(path for name in names if (path := self.one(name)) is not None)


def _read_table(table: Path, problems: list[Problem]) -> list[tuple[str, dict[str, str]]]:
    """Return the place and the cells of each sound row; notes the problems of the others."""
    rows: list[tuple[str, dict[str, str]]] = []
    where = table.name
    try:
        reader = csv.reader(table.read_text(encoding="utf-8-sig").splitlines(True), strict=True)
        header = [name.strip() for name in next(reader, [])]
        missing = [name for name in _REQUIRED if name not in header]
        repeated = [name for name in header if header.count(name) > 1]
        if missing or repeated:
            rule = f"must have the columns {', '.join(_REQUIRED)}, each once"
            shown = ", ".join(header) or "an empty file"
            problems.append(Problem(f"{where}:1", rule, shown, "separate columns by commas"))
            return rows
        for cells in reader:
            where = f"{table.name}:{reader.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                rule = f"must have {len(header)} cells as the header"
                problems.append(Problem(where, rule, str(len(cells)), "quote cells with commas"))
                continue
            stripped = (cell.strip() for cell in cells)
            rows.append((where, dict(zip(header, stripped, strict=True))))
    except OSError as error:
        problems.append(Problem(where, "cannot be read", error.strerror, "check its permissions"))
    except UnicodeDecodeError as error:
        problems.append(Problem(where, "must be text in UTF-8", error.reason, "save it as UTF-8"))
    except csv.Error as error:
        problems.append(Problem(where, "not a CSV file from here on", str(error), "repair it"))
    else:
        if not rows and not problems:
            problems.append(Problem(where, "lists no image", None, "add one row per image"))
    return rows


def _case(row: dict[str, str], root: Path, where: str, problems: list[Problem]) -> Case:
    """Return the case of a row, named but not yet uniquely."""
    paths = _Paths(root, where, problems)
    problems.extend(
        Problem(where, f"{column} must not be empty", remedy=f"name the {column}")
        for column in ("subject", "domain")
        if not row[column]
    )
    if "->" in row["domain"]:
        problems.append(Problem(where, "a domain must not hold '->'", repr(row["domain"])))
    split = row.get("split", "")
    if split not in ("", *_SPLITS):
        rule = f"split must be {', '.join(_SPLITS)} or empty"
        problems.append(Problem(where, rule, repr(split)))
    parts = (row["subject"], row.get("session", ""), row["domain"])
    return Case(
        id=re.sub(r"[^\w.-]+", "-", "_".join(part for part in parts if part)),
        subject=row["subject"],
        domain=row["domain"],
        images=paths.several(row["image"]),
        label=paths.one(row["label"]),
        mask=paths.one(row.get("mask", "")),
        split=cast(Literal["train", "val", "test"], split) if split else None,
    )


def _named_apart(cases: Sequence[Case]) -> list[Case]:
    """Return the cases with ``_2``, ``_3`` … added to ids that are taken."""
    taken: set[str] = set()
    apart: list[Case] = []
    for case in cases:
        name, number = case.id, 1
        while name in taken:
            number += 1
            name = f"{case.id}_{number}"
        taken.add(name)
        apart.append(replace(case, id=name))
    return apart
