"""``uda-study data``: look at images before anything is trained on them."""

from __future__ import annotations

from itertools import combinations
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from uda_study.cli import data_prune
from uda_study.cli.console import INVALID, Screen
from uda_study.cli.options import HOME, HomeOption, JsonOption, QuietOption, SetOption
from uda_study.errors import InputError
from uda_study.files import unwritable

if TYPE_CHECKING:
    from uda_study.data.check import Check
    from uda_study.data.facts import CaseFacts
    from uda_study.data.remarks import Remark
    from uda_study.engine.checking import Checked
    from uda_study.report.domain_shift import Shift

app = typer.Typer(
    name="data", help="Look at images; clear what was prepared.", no_args_is_help=True
)
app.command("prune")(data_prune.prune)


@app.callback()
def _data() -> None:
    """Look at images; clear what was prepared."""


@app.command("check")
def check(
    place: Annotated[
        Path, typer.Argument(metavar="ROOT|FILE", help="A folder of images, or a study file.")
    ],
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset", metavar="NAME", help="What lies in the folder; else its manifest.csv."
        ),
    ] = None,
    settings: SetOption = [],  # noqa: B006 - typer reads the default, nothing writes to it
    page: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="PAGE.html", help="Write a page.")
    ] = None,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Read every image and label of a study or a folder, and say what is wrong or unusual."""
    from uda_study.cli.progress_view import counting
    from uda_study.engine.checking import check_folder, check_study
    from uda_study.engine.job import Home

    screen = Screen(quiet, as_json)
    _refuse_page(page)
    with counting(screen, "reading images") as count:
        if place.is_dir():
            checked = check_folder(place, dataset, settings, Home(home.absolute()), count)
        elif dataset is None:
            checked = check_study(place, settings, Home(home.absolute()), count)
        else:
            raise InputError.of(
                "--dataset", "goes with a folder", dataset, "leave it out: the study file names it"
            )
    _tell(checked, screen, page)
    if checked.check.errors:
        raise SystemExit(INVALID)


def _tell(checked: Checked, screen: Screen, page: Path | None) -> None:
    from uda_study.report.data_page import Subject, data_page, shifts_of

    found = checked.check
    shifts = shifts_of(found)
    if page is not None:
        subject = Subject(checked.dataset, checked.study, checked.directions)
        try:
            page.write_text(data_page(found, subject, shifts), encoding="utf-8")
        except OSError as error:
            raise InputError.of("-o", f"cannot be written ({error.strerror})", page) from error
    if screen.as_json:
        screen.result(_document(checked, shifts))
    else:
        screen.out.print(_domains(found))
        screen.out.print(_cases(found))
        for name, shift in shifts.items():
            for line in _shift_lines(name, shift):
                screen.out.print(line, markup=False)
    for remark in found.remarks:
        kind = "error" if remark.fatal else "warning"
        if remark.fatal or not screen.quiet:
            screen.err.print(f"uda-study: {kind}: {remark.problem}", markup=False)
    screen.note(
        f"{len(found.cases)} cases: {len(found.errors)} errors, {len(found.warnings)} warnings"
        + (f"   page: {page}" if page is not None else "")
    )


def _refuse_page(page: Path | None) -> None:
    """Refuse a page that could not be written, before minutes are spent on reading."""
    if problems := ([] if page is None else unwritable("-o", page)):
        raise InputError(problems)


def _domains(found: Check) -> Table:
    from uda_study.data.outliers import usual_unnamed

    table = Table(box=None, pad_edge=False)
    for name in ("domain", "cases", "subjects", "labelled", "errors", "warnings"):
        table.add_column(name, justify="left" if name == "domain" else "right")
    table.add_column("label values that are background")
    for domain, members in found.domains.items():
        cases = {facts.case.id for facts in members}

        def touching(remarks: tuple[Remark, ...], cases: set[str] = cases) -> int:
            return sum(any(case.id in cases for case in remark.cases) for remark in remarks)

        table.add_row(
            domain,
            str(len(members)),
            str(len({facts.case.subject for facts in members})),
            str(sum(facts.case.label is not None for facts in members)),
            str(touching(found.errors)),
            str(touching(found.warnings)),
            ", ".join(map(str, [0, *usual_unnamed(members)])),
        )
    return table


def _cases(found: Check) -> Table:
    from uda_study.data.facts import PERCENTILES

    table = Table(box=None, pad_edge=False)
    for name in ("case", "size", "spacing mm", "axes"):
        table.add_column(name)
    for name in (*(f"p{q}" for q in PERCENTILES), *(f"{name} ml" for name in found.structures)):
        table.add_column(name, justify="right")
    table.add_column("found")
    for facts in found.cases:
        own = [remark for remark in found.remarks if facts.case in remark.cases]
        level = "error" if any(r.fatal for r in own) else "warning" if own else "ok"
        numbers = [f"{n:.4g}" for n in facts.percentiles[0]] if facts.percentiles else []
        table.add_row(
            facts.case.id,
            " x ".join(map(str, facts.shape)),
            " x ".join(f"{edge:.3g}" for edge in facts.spacing),
            facts.orientation,
            *(numbers or [""] * len(PERCENTILES)),
            *(f"{facts.volumes[n]:.4g}" if n in facts.volumes else "" for n in found.structures),
            level,
        )
    return table


def _shift_lines(name: str, shift: Shift) -> list[str]:
    """Return a line per pair of domains."""
    lines = []
    for i, j in combinations(range(len(shift.domains)), 2):
        between, first, second = (shift.divergence[at] for at in ((i, j), (i, i), (j, j)))
        lines.append(
            f"JS {shift.domains[i]} and {shift.domains[j]}, {name}: {_bits(between)} between, "
            f"{_bits(first)} and {_bits(second)} within, {_bits(shift.excess[i, j])} excess"
        )
    return lines


def _bits(value: float) -> str:
    return "–" if isnan(value) else f"{value:.3f}"


def _document(checked: Checked, shifts: dict[str, Shift]) -> dict[str, Any]:
    found = checked.check
    return {
        "dataset": checked.dataset,
        "study": checked.study,
        "directions": list(checked.directions),
        "errors": [_problem(remark) for remark in found.errors],
        "warnings": [_problem(remark) for remark in found.warnings],
        "cases": [_case(facts) for facts in found.cases],
        "js": {
            name: {
                "domains": list(shift.domains),
                "divergence": _numbers(shift.divergence.tolist()),
                "excess": _numbers(shift.excess.tolist()),
            }
            for name, shift in shifts.items()
        },
    }


def _problem(remark: Remark) -> dict[str, Any]:
    problem = remark.problem
    return {
        "cases": [case.id for case in remark.cases],
        "where": problem.where,
        "rule": problem.rule,
        "value": problem.value,
        "remedy": problem.remedy,
    }


def _case(facts: CaseFacts) -> dict[str, Any]:
    from uda_study.data.facts import PERCENTILES

    return {
        "id": facts.case.id,
        "subject": facts.case.subject,
        "domain": facts.case.domain,
        "size": list(facts.shape),
        "spacing_mm": list(facts.spacing),
        "axes": facts.orientation,
        "percentiles": [
            dict(zip(map(str, PERCENTILES), row, strict=True)) for row in facts.percentiles
        ],
        "label_values": {str(value): count for value, count in facts.values.items()},
        "volumes_ml": dict(facts.volumes),
    }


def _numbers(rows: list[list[float]]) -> list[list[float | None]]:
    """Return the rows with None for NaN, which JSON lacks."""
    return [[None if isnan(value) else value for value in row] for row in rows]
