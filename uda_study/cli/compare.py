"""``uda-study compare``: two rows of leaderboards, paired case by case."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from uda_study.cli.console import Screen
from uda_study.cli.options import HOME, HomeOption, JsonOption, QuietOption
from uda_study.errors import InputError, UdaStudyError
from uda_study.files import unwritable, write_whole

if TYPE_CHECKING:
    from uda_study.engine.job import Home
    from uda_study.engine.revisit import Revisit
    from uda_study.report.compare_page import Overlays
    from uda_study.report.pair_overlays import PairOverlay
    from uda_study.study.case_pairs import CasePair, Pairing

_SHOWN_CASES = 10
_SHOWN_METRICS = ("dice", "hd95", "assd", "js", "js_excess")
_EACH = 3
"""The cases that are shown as images, of those where A leads and of those where B does."""


def compare(
    study: Annotated[str, typer.Argument(help="The study's id, or how it begins.")],
    a: Annotated[str, typer.Argument(metavar="A", help='A row: its cell, or words of it, "g5".')],
    b: Annotated[str, typer.Argument(metavar="B", help="The row that it is compared with.")],
    other: Annotated[
        str | None,
        typer.Option("--with", metavar="STUDY", help="The study that B is of, if it is another."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write a page, with images, to this file.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option("--picture", help="Draw the subjects' Dice as a PNG.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write every case and metric to this file.")
    ] = None,
    style: Annotated[
        Literal["table", "csv", "json"],
        typer.Option("--format", help="How it is written to stdout."),
    ] = "table",
    everything: Annotated[
        bool, typer.Option("--all", help="Show all cases, and all metrics that both have.")
    ] = False,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Compare two rows of a leaderboard, paired by case, subject and seed.

    Rows are named as the leaderboard shows them, or by words that only one row has: "depth=g5
    direction=mr->ct", "g5 mr->ct", a method's name, no_adaptation.
    """
    from uda_study.study import pair_text

    files = {"--output": output, "--picture": picture, "--csv": csv}
    _check_places({name: path for name, path in files.items() if path is not None})
    screen = Screen(quiet, as_json or style == "json")
    found = _pairing(home, study, other or study, a, b)
    if csv is not None:
        _write(screen, csv, pair_text.to_csv(found).encode())
    if picture is not None:
        from uda_study.report.pair_plot import pair_figure

        _write(screen, picture, pair_figure(found).png)
    if output is not None:
        from uda_study.report.compare_page import compare_page

        _write(screen, output, compare_page(found, _overlays(screen, home, found)).encode())
    if screen.as_json:
        screen.result(pair_text.to_json(found))
    elif style == "csv":
        typer.echo(pair_text.to_csv(found), nl=False)
    else:
        _show(screen, found, everything=everything)


def _pairing(home: Path, study: str, other: str, a: str, b: str) -> Pairing:
    """Return the two rows, paired, from what MLflow holds, and nothing else."""
    import pandas as pd

    from uda_study.study.case_pairs import pair
    from uda_study.study.leaderboard import leaderboard
    from uda_study.study.row_names import find_pair, sides
    from uda_study.tracking.boards import needed_cases
    from uda_study.tracking.query import find_study, study_runs
    from uda_study.tracking.store import open_store

    client = open_store(home.absolute())
    names = [find_study(client, study), find_study(client, other)]
    rows, tables = {}, []
    for name in dict.fromkeys(names):
        runs = study_runs(client, name)
        tables.append(needed_cases(client, runs))
        rows[name] = sides(leaderboard(runs, tables[-1]), runs)
    first, second = find_pair(rows[names[0]], rows[names[1]], a, b)
    found = pair(first, second, pd.concat(tables))
    return replace(found, unlike=_unlike(home, names, found))


def _unlike(home: Path, studies: Sequence[str], pairing: Pairing) -> int | None:
    """Return how many cases have other files in the second study; None where one is not here."""
    if len(set(studies)) == 1:
        return 0
    files = [home / "studies" / study / "data.json" for study in studies]
    if not all(file.is_file() for file in files):
        return None
    first, second = (json.loads(file.read_text(encoding="utf-8"))["cases"] for file in files)
    unlike = [c for c in pairing.cases if first.get(c.case) != second.get(c.case)]
    return len(unlike)


def _overlays(screen: Screen, home: Path, pairing: Pairing) -> Overlays:
    """Return the cases that differ most, segmented again; what is gone is said, not an error."""
    from uda_study.data.prune import in_use
    from uda_study.engine.job import Home
    from uda_study.report.compare_page import Overlays
    from uda_study.study.case_pairs import extremes

    place = Home(home.absolute())
    cases = extremes(pairing, _EACH)
    studies = (pairing.first.row.study, pairing.second.row.study)
    wanted = {
        (study, key) for case in cases for study, key in zip(studies, case.typical, strict=True)
    }
    gone = [k for s, k in sorted(wanted) if not (place.study(s) / "trials" / k / "model").is_dir()]
    if gone:
        reason = f"the models of {len(gone)} of {len(wanted)} trainings are not on this disk"
        screen.note(f"! no images on the page: {reason}, such as {gone[0]}")
        screen.note("  uda-study retrain STUDY KEY trains one again")
        return Overlays(missing=f"{reason}.")
    try:
        with in_use(place.prepared):
            names, shown = _segment(screen, place, pairing, cases)
    except UdaStudyError as error:
        screen.note(f"! no images on the page: {error}")
        return Overlays(missing="the studies could not be opened again.")
    return Overlays(shown, names)


def _segment(
    screen: Screen, place: Home, pairing: Pairing, cases: Sequence[CasePair]
) -> tuple[Sequence[str], list[PairOverlay]]:
    from uda_study.cli.progress_view import counting
    from uda_study.engine.revisit import Revisit, reopen
    from uda_study.training import accelerator

    device = accelerator.device()
    opened: dict[str, Revisit] = {}
    for side in (pairing.first, pairing.second):
        if side.row.study not in opened:
            with counting(screen, "preparing images") as count:
                study = reopen(place, side.row.study, count)
            opened[side.row.study] = Revisit(study, place, device)
    revisits = (opened[pairing.first.row.study], opened[pairing.second.row.study])
    names, others = (revisit.study.preprocessing.class_names for revisit in revisits)
    if names != others:
        raise InputError.of("A and B", "must number their structures alike")
    shown = []
    with counting(screen, "segmenting") as count:
        for number, case in enumerate(cases, start=1):
            shown.append(_overlay(pairing, case, revisits))
            count(number, len(cases))
    return names, shown


def _overlay(pairing: Pairing, case: CasePair, revisits: tuple[Revisit, Revisit]) -> PairOverlay:
    from uda_study.report.pair_overlays import Volumes
    from uda_study.study.spelling import signed

    (first,), (second,) = (
        revisit.segmented(key, [case.case])
        for revisit, key in zip(revisits, case.typical, strict=True)
    )
    recorded = (
        case.first[pairing.first.trainings[case.typical[0]]],
        case.second[pairing.second.trainings[case.typical[1]]],
    )
    volumes = Volumes(first.image, first.truth, first.after, second.after, first.affine)
    return volumes.cut(f"{case.case}: A - B {signed(case.difference)} over seeds", recorded)


def _show(screen: Screen, pairing: Pairing, *, everything: bool) -> None:
    from uda_study.study import pair_text

    for name, value in pair_text.facts(pairing):
        screen.out.print(f"{name:<13}{value}", markup=False)
    screen.out.print(f"\n{pair_text.headline(pairing)}", markup=False)
    if text := pair_text.probabilities(pairing):
        screen.out.print(text, markup=False)
    screen.out.print()
    measures = [m for m in pairing.measures if everything or m.metric in _SHOWN_METRICS]
    _print(screen, pair_text.MEASURE_COLUMNS, map(pair_text.measure_cells, measures), 2)
    of_structures = [m for m in pairing.structures if everything or m.metric == "dice"]
    if of_structures:
        rows = map(pair_text.structure_cells, of_structures)
        _print(screen, pair_text.STRUCTURE_COLUMNS, rows, 3)
    cases = pairing.cases if everything else pairing.cases[:_SHOWN_CASES]
    _print(screen, pair_text.CASE_COLUMNS, map(pair_text.case_cells, cases), 2)
    notes = [*pair_text.warnings(pairing), *pair_text.explanations(pairing)]
    if len(cases) < len(pairing.cases):
        notes.append(f"{len(pairing.cases) - len(cases)} more cases differ less; --all shows them")
    for note in notes:
        screen.out.print(f"  {note}", markup=False)


def _print(
    screen: Screen, columns: Sequence[str], rows: Iterator[tuple[str, ...]], texts: int
) -> None:
    """Print a table whose first columns are texts, the others numbers."""
    table = Table(box=None, pad_edge=False)
    for place, column in enumerate(columns):
        left = place < texts or column == "A is"
        table.add_column(column, justify="left" if left else "right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    screen.out.print(table)
    screen.out.print()


def _check_places(files: dict[str, Path]) -> None:
    """Raise `InputError` for files that cannot be written, before anything is computed."""
    if problems := [each for name, path in files.items() for each in unwritable(name, path)]:
        raise InputError(problems)


def _write(screen: Screen, path: Path, content: bytes) -> None:
    write_whole(path, content)
    screen.note(f"written: {path}")
