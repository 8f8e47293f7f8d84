"""Several datasets in one study, for papers that adapt from one to another."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import Field, JsonValue, PositiveFloat, PositiveInt, ValidationError, model_validator

from uda_study import plugins
from uda_study.dataset import (
    Dataset,
    DatasetInfo,
    DatasetOptions,
    DomainPreset,
    PaperProtocol,
    Preprocessing,
    SliceAxis,
)
from uda_study.errors import InputError, Problem
from uda_study.types import Case

_WHERE = "data.options.parts"
_BY_DOMAIN = ("ignore", "spacing", "window", "cut", "intensity")
_TOGETHER = ("spacing", "size", "slices", "percentiles", "nonfinite")


class Part(DatasetOptions):
    """One of the datasets, as ``data`` would name it alone."""

    dataset: str
    root: Path | None = Field(None, description="relative to data.root, or absolute")
    options: dict[str, JsonValue] = Field({}, description="those of the dataset")
    labels: dict[str, tuple[int, ...]] | None = Field(
        None, description="structures and their values in this part, instead of its preset's"
    )

    @property
    def plugin(self) -> type[Dataset[Any]]:
        """The class of the dataset."""
        found: type[Dataset[Any]] = plugins.load("datasets", self.dataset, Dataset)
        return found

    @property
    def checked(self) -> DatasetOptions:
        """The options of the dataset; text is never taken for a number."""
        return self.plugin.Options.model_validate_json(json.dumps(self.options), strict=True)


class JoinedOptions(DatasetOptions):
    """Which datasets, and the grid where their presets differ in it."""

    parts: tuple[Part, ...] = Field(min_length=2, description="dataset, root and options of each")
    spacing: tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None = Field(
        None, description="mm; needed where the parts' presets differ"
    )
    size: tuple[PositiveInt, PositiveInt, PositiveInt] | None = Field(
        None, description="voxels; needed where the parts' presets differ"
    )
    slices: SliceAxis | None = Field(None, description="needed where the parts' presets differ")

    @model_validator(mode="after")
    def _parts_are_sound(self) -> Self:
        problems: list[Problem] = []
        for number, part in enumerate(self.parts):
            where = f"parts.{number}"
            try:
                if part.plugin is Joined:
                    problems.append(Problem(f"{where}.dataset", "must not be joined itself"))
                else:
                    _ = part.checked
            except InputError as error:
                problems += [replace(p, where=f"{where}.dataset") for p in error.problems]
            except ValidationError as error:
                problems += [
                    Problem(".".join((where, "options", *map(str, at["loc"]))), at["msg"])
                    for at in error.errors(include_url=False)
                ]
        if problems:
            raise InputError(problems)
        return self


class Joined(Dataset[JoinedOptions]):
    """The cases of several datasets; each domain keeps the preset of the dataset it comes from."""

    Options = JoinedOptions
    info: ClassVar[DatasetInfo] = DatasetInfo(
        summary="several datasets in one study, such as lits and chaos, or montgomery and jsrt",
        licence="those of the parts",
        citation="those of the parts",
        request="as for the parts",
        tree="<root of a part>/..., for each part the tree that 'uda-study datasets NAME' shows",
    )

    @classmethod
    def paper_protocol(cls, options: JoinedOptions) -> PaperProtocol | None:
        """Return the protocol of the first part that comes with one."""
        protocols = (part.plugin.paper_protocol(part.checked) for part in options.parts)
        return next((protocol for protocol in protocols if protocol is not None), None)

    def cases(self) -> Sequence[Case]:
        """Return the cases of all parts, part by part; raises `InputError` with all problems.

        Ids and subjects that occur in several parts get the name of the part before them.
        """
        owner: dict[str, str] = {}
        problems = []
        for name, cases in self._cases.items():
            for domain in sorted({case.domain for case in cases}):
                if owner.setdefault(domain, name) != name:
                    rule = f"{owner[domain]} and {name} must not share a domain"
                    problems.append(Problem(_WHERE, rule, repr(domain), "choose other domains"))
        channels = {
            name: sorted({len(case.images) for case in cases})
            for name, cases in self._cases.items()
        }
        if len({tuple(counts) for counts in channels.values()}) > 1:
            shown = "; ".join(f"{name} has {counts}" for name, counts in channels.items())
            problems.append(Problem(_WHERE, "must have the same number of channels", shown))
        if problems:
            raise InputError(problems)
        return [case for name in self._cases for case in self._named(name)]

    def preprocessing(self) -> Preprocessing:
        """Return the first part's preset, and for each domain what the other parts do otherwise.

        Raises `InputError` where the parts name other structures, or differ in what all domains
        have to share and the options do not say it.
        """
        presets = {
            name: _relabelled(dataset.preprocessing(), part.labels)
            for part, (name, dataset) in zip(
                self.options.parts, self._datasets.items(), strict=True
            )
        }
        shared = self._shared(presets)
        of_domain = {
            case.domain: presets[name].of(case.domain)
            for name, cases in self._cases.items()
            for case in cases
        }
        # A domain cannot say None, so what some of them do without is said by the others alone.
        common: dict[str, Any] = {
            field: next(iter(values)) if len(values) == 1 else None
            for field in ("window", "cut")
            for values in [{getattr(preset, field) for preset in of_domain.values()}]
        }
        first = next(iter(presets.values()))
        base = first.model_copy(update={"domains": {}, **common, **shared})
        if self.options.spacing is not None:
            of_domain = {
                domain: preset.model_copy(update={"spacing": self.options.spacing})
                for domain, preset in of_domain.items()
            }
        domains = {
            domain: own
            for domain, preset in of_domain.items()
            if (own := _difference(base, preset)) != DomainPreset()
        }
        return base.model_copy(update={"domains": domains})

    @cached_property
    def _datasets(self) -> dict[str, Dataset[Any]]:
        """The parts by name: the dataset's, with a number where several are of one."""
        counts = Counter(part.dataset for part in self.options.parts)
        opened = {}
        for number, part in enumerate(self.options.parts, 1):
            name = part.dataset if counts[part.dataset] == 1 else f"{part.dataset}-{number}"
            root = part.root
            if root is not None and self.root is not None:
                root = self.root / root
            if root is not None and not root.is_absolute():
                raise InputError.of(
                    f"{_WHERE}.{number - 1}.root",
                    "must be absolute where data.root is not named",
                    root,
                    "name data.root, the folder that holds the parts' roots",
                )
            opened[name] = part.plugin(part.checked, root, self.cache / part.dataset)
        return opened

    @cached_property
    def _cases(self) -> dict[str, Sequence[Case]]:
        """The cases of each part; the problems of all parts are raised together."""
        found: dict[str, Sequence[Case]] = {}
        problems: list[Problem] = []
        for name, part in self._datasets.items():
            try:
                found[name] = part.cases()
            except InputError as error:
                problems += [replace(p, where=f"{name}: {p.where}") for p in error.problems]
        if problems:
            raise InputError(problems)
        return found

    def _named(self, name: str) -> Iterator[Case]:
        others = [case for part, cases in self._cases.items() if part != name for case in cases]
        ids = {case.id for case in others}
        subjects = {case.subject for case in others}
        for case in self._cases[name]:
            yield replace(
                case,
                id=f"{name}-{case.id}" if case.id in ids else case.id,
                subject=f"{name}-{case.subject}" if case.subject in subjects else case.subject,
            )

    def _shared(self, presets: Mapping[str, Preprocessing]) -> dict[str, Any]:
        """Return what all domains have in common, as the options or else the presets say it."""
        shared = {}
        problems = []
        structures = {name: tuple(preset.labels) for name, preset in presets.items()}
        if len({frozenset(named) for named in structures.values()}) > 1:
            shown = "; ".join(f"{name} has {', '.join(n)}" for name, n in structures.items())
            same = "choose them by the options of the parts, or name the labels of a part"
            problems.append(Problem(_WHERE, "must have the same structures", shown, same))
        for field in _TOGETHER:
            values = {name: getattr(preset, field) for name, preset in presets.items()}
            chosen = getattr(self.options, field, None)
            if field == "spacing" and _same_view(presets.values()):
                chosen = chosen or next(iter(values.values()))
            if chosen is None and len(set(values.values())) > 1:
                shown = "; ".join(f"{name} has {value}" for name, value in values.items())
                remedy = f"name data.options.{field}" if hasattr(self.options, field) else None
                problems.append(Problem(_WHERE, f"differ in {field}", shown, remedy))
            shared[field] = chosen if chosen is not None else next(iter(values.values()))
        if problems:
            raise InputError(problems)
        return shared


def _same_view(presets: Collection[Preprocessing]) -> bool:
    """Tell whether all presets bring images to one size, each by a spacing of its own."""
    sizes = {preset.size for preset in presets}
    return len(sizes) == 1 and None not in sizes and all(preset.spacing for preset in presets)


def _relabelled(
    preset: Preprocessing, labels: Mapping[str, tuple[int, ...]] | None
) -> Preprocessing:
    """Return a preset with other structures, if some are given; no domain has labels of its own."""
    if labels is None:
        return preset
    domains = {
        name: own.model_copy(update={"labels": None}) for name, own in preset.domains.items()
    }
    return preset.model_copy(update={"labels": dict(labels), "domains": domains})


def _difference(base: Preprocessing, own: Preprocessing) -> DomainPreset:
    """Return what a domain does otherwise than the others."""
    changed: dict[str, Any] = {
        field: getattr(own, field)
        for field in _BY_DOMAIN
        if getattr(own, field) != getattr(base, field)
    }
    labels = {name: values for name, values in own.labels.items() if values != base.labels[name]}
    return DomainPreset(**changed, labels=labels or None)
