"""Own images in a BIDS tree, with labels among its derivatives."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from uda_study.data.tree import (
    TreeOptions,
    entries,
    folders,
    outside,
    require_root,
    sound_cases,
    wrong_tree,
)
from uda_study.dataset import Dataset, DatasetInfo, Preprocessing
from uda_study.errors import InputError, Problem
from uda_study.types import Case

_SUFFIXES = (".nii.gz", ".nii")
_ENDING = r"^([A-Za-z0-9]+-[A-Za-z0-9]+_)*[A-Za-z0-9]+$"
_MAX_TABLE = 10 << 20
_TABLE = "participants.tsv"
_COLUMN = "participant_id"


class BidsOptions(TreeOptions):
    """How files end, and what tells the domains apart.

    An ending is a suffix, or entities and a suffix: ``T1w``, ``acq-high_T1w``, ``label-SC_mask``.
    """

    domain: str = Field(
        pattern=r"^(suffix|entity:[A-Za-z0-9]+|column:.+)$",
        description="suffix: each of images is a domain; entity:ses, entity:acq, ...: the value in "
        "the file's name; column:site, ...: the value in participants.tsv",
    )
    images: tuple[Annotated[str, Field(pattern=_ENDING)], ...] = Field(
        ("T1w",), min_length=1, description="endings, one per channel or, by suffix, per domain"
    )
    label: str = Field("dseg", pattern=_ENDING, description="how label files end")
    pipeline: str | None = Field(
        None,
        pattern=r"^\w[\w.-]*$",
        description="the folder in derivatives, where there are several",
    )


@dataclass(frozen=True)
class _Name:
    """What a BIDS file name, or its ending, says: entities, the suffix, and words between them."""

    entities: Mapping[str, str]
    suffix: str
    words: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> _Name:
        *parts, suffix = text.split("_")
        pairs = [part.partition("-") for part in parts]
        words = frozenset(key for key, dash, _ in pairs if not dash)
        return cls({key: value for key, dash, value in pairs if dash}, suffix, words)

    def ends(self, ending: _Name) -> bool:
        return self.suffix == ending.suffix and ending.entities.items() <= self.entities.items()

    def without(self, ending: _Name) -> dict[str, str]:
        return {k: value for k, value in self.entities.items() if k not in ending.entities}


@dataclass(frozen=True)
class _Scan:
    """The images that share all entities but those of their endings, by ending."""

    entities: Mapping[str, str]
    images: dict[str, Path]

    @property
    def name(self) -> str:
        return "_".join(f"{key}-{value}" for key, value in self.entities.items())


_Labels = Mapping[str, Sequence[tuple[Path, _Name]]]


class Bids(Dataset[BidsOptions]):
    """Images ``sub-*/[ses-*/]anat/*_<ending>.nii.gz``, labels below ``derivatives``.

    A label belongs to an image when each entity of its name, its own ending apart, is the image's.
    Images without a label are unlabelled cases.
    """

    Options = BidsOptions
    info: ClassVar[DatasetInfo] = DatasetInfo(
        summary="own images in a BIDS tree, with labels among its derivatives",
        licence="that of the images",
        citation="Gorgolewski et al., The brain imaging data structure, Scientific Data 3 (2016) "
        "160044",
        request="your own archive, or https://openneuro.org",
        tree="sub-<id>/[ses-<id>/]anat/sub-<id>[_<entity>-<value>...]_<suffix>.nii.gz\n"
        "derivatives/<pipeline>/sub-<id>/[ses-<id>/]anat/sub-<id>[...]_<label ending>.nii.gz\n"
        "participants.tsv, where a column of it is the domain",
    )

    def cases(self) -> Sequence[Case]:
        """Return the scans by name; raises `InputError` with all problems."""
        root = require_root(self.root, self.info)
        problems: list[Problem] = []
        scans = self._scans(root, problems)
        labels = self._labels(root)
        if not scans:
            endings = ", ".join(f"*_{ending}.nii.gz" for ending in self.options.images)
            raise wrong_tree(root, self.info, f"holds no image {endings}")
        if not labels:
            rule = f"holds no label *_{self.options.label}.nii.gz below derivatives"
            raise wrong_tree(root, self.info, rule)
        domains = self._domains(root)
        cases = [case for scan in scans for case in self._cases(scan, labels, domains, problems)]
        return sound_cases(root, self.info, cases, problems, self.options.leave_out)

    def preprocessing(self) -> Preprocessing:
        """Return z-scores on the native grid and one structure, the value 1.

        The values of own label files are unknown here: name them under ``data.labels``.
        """
        return Preprocessing(labels={"foreground": (1,)})

    def _scans(self, root: Path, problems: list[Problem]) -> list[_Scan]:
        scans: dict[tuple[tuple[str, str], ...], _Scan] = {}
        for path, name in _files(root, "anat"):
            for ending in self.options.images:
                wanted = _Name.parse(ending)
                if not name.ends(wanted) or name.words:
                    continue
                shared = name.without(wanted)
                scan = scans.setdefault(tuple(shared.items()), _Scan(shared, {}))
                first = scan.images.setdefault(ending, path)
                if first != path:
                    shown = f"{first.name} and {path.name}"
                    problems.append(Problem(f"{scan.name} image", "must be one file", shown))
        return list(scans.values())

    def _labels(self, root: Path) -> _Labels:
        """Return the label files of each subject."""
        wanted = _Name.parse(self.options.label)
        pipelines = folders(root / "derivatives")
        if self.options.pipeline is not None:
            pipelines = [root / "derivatives" / self.options.pipeline]
        # Derivatives often leave the folder anat out.
        every = (found for pipeline in pipelines for found in _files(pipeline, "anat", ""))
        labels = defaultdict(list)
        for path, name in every:
            if name.ends(wanted):
                labels[name.entities["sub"]].append((path, name))
        return labels

    def _cases(
        self,
        scan: _Scan,
        labels: _Labels,
        domains: Mapping[str, str],
        problems: list[Problem],
    ) -> Iterator[Case]:
        subject = f"sub-{scan.entities['sub']}"
        if self.options.domain == "suffix":
            for ending, image in scan.images.items():
                name = f"{scan.name}_{ending}"
                label = self._label(name, scan, [ending], labels, problems)
                yield Case(name, subject, ending, (image,), label)
            return
        kind, _, key = self.options.domain.partition(":")
        domain = domains.get(subject) if kind == "column" else scan.entities.get(key)
        name = scan.name if domain is None or kind == "entity" else f"{scan.name}_{domain}"
        if domain is None and name not in self.options.leave_out:
            rule = f"has no {key} to tell its domain"
            remedy = f"add it to {_TABLE}" if kind == "column" else "name another entity"
            remedy += f", or name {name} in the option leave_out"
            problems.append(Problem(f"{name} image", rule, None, remedy))
        folder = next(iter(scan.images.values())).parent
        images = tuple(
            scan.images.get(ending, folder / f"{scan.name}_{ending}.nii.gz")
            for ending in self.options.images
        )
        label = self._label(name, scan, self.options.images, labels, problems)
        yield Case(name, subject, domain or "", images, label)

    def _label(
        self,
        case: str,
        scan: _Scan,
        endings: Sequence[str],
        labels: _Labels,
        problems: list[Problem],
    ) -> Path | None:
        """Return the label that shares most with a scan, None without any; notes a tie."""
        wanted = _Name.parse(self.options.label)
        shown = [_Name.parse(ending) for ending in endings]
        entities = {**scan.entities}
        for ending in shown:
            entities |= ending.entities
        fitting: dict[int, list[Path]] = {}
        for path, name in labels.get(scan.entities["sub"], ()):
            own = name.without(wanted)
            if own.items() <= entities.items() and name.words <= {it.suffix for it in shown}:
                fitting.setdefault(len(own) + len(name.words), []).append(path)
        if not fitting:
            return None
        best = fitting[max(fitting)]
        if len(best) > 1:
            names = ", ".join(sorted(path.name for path in best))
            remedy = "name data.options.pipeline or a longer data.options.label"
            problems.append(Problem(f"{case} label", "must be one file", names, remedy))
        return best[0]

    def _domains(self, root: Path) -> dict[str, str]:
        """Return the domain of each participant, where a column tells it."""
        kind, _, column = self.options.domain.partition(":")
        return _column(root, column) if kind == "column" else {}


def _files(root: Path, *places: str) -> Iterator[tuple[Path, _Name]]:
    """Yield the NIfTI files in these folders of all subjects, and what their names say."""
    for subject in folders(root):
        if not subject.name.startswith("sub-"):
            continue
        sessions = [folder for folder in folders(subject) if folder.name.startswith("ses-")]
        for folder in (at / place for at in (subject, *sessions) for place in places):
            for path in entries(folder):
                suffix = next((end for end in _SUFFIXES if path.name.endswith(end)), None)
                name = _Name.parse(path.name.removesuffix(suffix or ""))
                if suffix and name.entities.get("sub") == subject.name.removeprefix("sub-"):
                    yield path, name


def _column(root: Path, column: str) -> dict[str, str]:
    """Return a column of participants.tsv by participant; empty cells and n/a are left out."""
    table = root / _TABLE
    where = _TABLE
    problems = outside(root, [table], where)
    try:
        if table.stat().st_size > _MAX_TABLE:
            problems.append(Problem(where, "must not be larger than 10 MiB"))
        if problems:
            raise InputError(problems)
        lines = table.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise InputError.of(
            where, "cannot be read", error.strerror, "add it to the root"
        ) from error
    except UnicodeDecodeError as error:
        raise InputError.of(where, "must be text in UTF-8", error.reason) from error
    header, *rows = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE) if lines else [[]]
    if header.count(_COLUMN) != 1 or header.count(column) != 1:
        rule = f"must have the columns {_COLUMN} and {column}, each once"
        raise InputError.of(f"{where}:1", rule, ", ".join(header) or "an empty file")
    domains: dict[str, str] = {}
    for number, row in enumerate(rows, 2):
        cells = dict(zip(header, (cell.strip() for cell in row), strict=False))
        subject, value = cells.get(_COLUMN, ""), cells.get(column, "")
        if subject in domains:
            problems.append(Problem(f"{where}:{number}", "repeats a participant", subject))
        # What tells domains apart stands in ids, which are file names.
        name = re.sub(r"[^\w.-]+", "-", value)
        if subject and name and value.lower() != "n/a":
            domains[subject] = name
    if problems:
        raise InputError(problems)
    return domains
