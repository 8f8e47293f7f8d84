"""The claims, as their files have them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from uda_study.claims.instruments import Instrument
from uda_study.claims.rules import AnyRule
from uda_study.errors import InputError, Problem
from uda_study.study.schema_errors import build
from uda_study.study.yaml_places import Place, dotted, read_yaml

FOLDER = Path(__file__).parent
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class Claim(BaseModel):
    """A claim of a paper, the studies that test it, and the rule that judges them.

    ``gate`` claims are run by ``make claims``, which fails unless they are reproduced. ``studies``
    are names of files in ``studies/``, ``instruments`` what is measured besides a study's metrics;
    ``cost`` is the time on two cores.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    number: int = Field(ge=1)
    claim: Text
    paper: Text
    question: Text
    gate: bool = False
    studies: tuple[str, ...] = Field(min_length=1)
    instruments: tuple[Instrument, ...] = ()
    rule: AnyRule
    cost: Text
    caveat: Text


def claims(folder: Path = FOLDER) -> tuple[Claim, ...]:
    """Return all claims by number; raises `InputError` with everything that is wrong in a file."""
    found, problems = [], []
    for path in sorted((folder / "ledger").glob("*.yaml")):
        document = read_yaml(path.read_text(encoding="utf-8"), _places(path.name))
        made = build(Claim, document.mapping(), lambda at: () if at else Claim.model_fields)
        findings = [*document.findings, *(made if isinstance(made, list) else ())]
        problems += [
            Problem(f"{path.name} {dotted(f.at)}", f.rule, f.value, f.remedy) for f in findings
        ]
        if isinstance(made, Claim):
            missing = [name for name in made.studies if not study_path(name, folder).is_file()]
            problems += [Problem(f"{path.name} studies", "no such study", n) for n in missing]
            found.append(made)
    if problems:
        raise InputError(problems)
    return tuple(sorted(found, key=lambda claim: claim.number))


def _places(name: str) -> Callable[[int], Place]:
    return lambda line: Place(line, f"{name}:{line}")


def study_path(name: str, folder: Path = FOLDER) -> Path:
    """Return the study file of that name."""
    return folder / "studies" / f"{name}.yaml"


def chosen(numbers: Sequence[int], known: Sequence[Claim]) -> tuple[Claim, ...]:
    """Return the claims of these numbers, all of them for none; `InputError` for unknown ones."""
    by_number = {claim.number: claim for claim in known}
    unknown = [number for number in numbers if number not in by_number]
    if unknown:
        remedy = f"choose from {', '.join(map(str, by_number))}"
        raise InputError(Problem("claim", "unknown number", str(n), remedy) for n in unknown)
    return tuple(by_number[number] for number in sorted(set(numbers))) or tuple(known)
