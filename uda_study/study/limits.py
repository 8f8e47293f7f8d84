"""Whether the methods accept what a study gives them: each constant, factor and end of a range."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from uda_study.study.cells import baseline_cells, cells
from uda_study.study.hyper import (
    MethodClass,
    build_hyper,
    load_method,
    name_of,
    spelled,
)
from uda_study.study.model import StudySpec
from uda_study.study.schema_errors import shown
from uda_study.study.space import Space, cell_space, ends, same
from uda_study.study.trial import Cell
from uda_study.study.yaml_places import Finding, KeyPath
from uda_study.types import JSON


def check_limits(spec: StudySpec) -> Iterator[Finding]:
    """Yield every value that a method refuses, alone or together with the others of its cell."""
    noted: set[tuple[KeyPath, str]] = set()
    varied = [_Cell.of(spec, cell, cell_space(spec, cell)) for cell in cells(spec)]
    # A baseline is not searched: what it has of the searched parameters keeps its default.
    constant = [_Cell.of(spec, cell, Space({})) for cell in baseline_cells(spec)]
    for cell in (*varied, *constant):
        for finding in cell.findings():
            if (finding.at, finding.rule) not in noted:
                noted.add((finding.at, finding.rule))
                yield finding


@dataclass(frozen=True)
class _Cell:
    """A cell with a point inside its space, from which one value at a time is varied."""

    cell: Cell
    method: MethodClass
    space: Space
    written: Mapping[str, KeyPath]

    @classmethod
    def of(cls, spec: StudySpec, cell: Cell, space: Space) -> _Cell:
        written: dict[str, KeyPath] = {}
        for section in (spec.fixed, spec.parameters):
            for name, as_written in spelled(cell.method, section).items():
                written[name] = ("parameters", as_written)
        for name, as_written in spelled(cell.method, spec.matrix).items():
            if name not in cell.factors:
                continue
            index = next(
                n
                for n, value in enumerate(spec.matrix[as_written])
                if same(value, cell.constants[name])
            )
            written[name] = ("matrix", as_written, index)
        return cls(cell, load_method(cell.method), space, written)

    def findings(self) -> Iterator[Finding]:
        base = self._refused(self._around({}))
        for name, finding in base.items():
            at = self.written.get(name) or self._nearest(name)
            if name in self.space.parameters:
                at = (*at, *ends(self.space.parameters[name])[0][0])
            yield Finding(at, finding.rule, finding.value, finding.remedy)
        for name, parameter in self.space.parameters.items():
            for place, value in ends(parameter):
                for other, finding in self._refused(self._around({name: value})).items():
                    if other in base and base[other].rule == finding.rule:
                        continue
                    at = (*self.written[name], *place)
                    yield Finding(at, finding.rule, shown(value), finding.remedy)

    def _refused(self, params: Mapping[str, JSON]) -> dict[str, Finding]:
        built = build_hyper(self.method, {**self.cell.constants, **params})
        return {name_of(found): found for found in built} if isinstance(built, list) else {}

    def _around(self, given: Mapping[str, JSON]) -> dict[str, JSON]:
        """Return a point of the space with the given values, which makes them active."""
        values = dict(given)
        for name in reversed(self.space.order):
            if name in values:
                for needed, allowed in self.space.parameters[name].when.items():
                    values.setdefault(needed, allowed[0] if isinstance(allowed, list) else allowed)
        for name in self.space.order:
            values.setdefault(name, ends(self.space.parameters[name])[0][1])
        return {name: values[name] for name in self.space.active(values)}

    def _nearest(self, name: str) -> KeyPath:
        """Place what a validator of several fields refuses at the first of them that is given."""
        inside = [at for own, at in self.written.items() if not name or own.startswith(f"{name}.")]
        return inside[0] if inside else ("parameters",)
