"""``uda-study evaluate``: measure what the trainings of a finished study lack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from uda_study.cli.console import FAILED, OK, Screen
from uda_study.cli.options import HOME, HomeOption, JsonOption, QuietOption, in_home

if TYPE_CHECKING:
    from uda_study.engine.reevaluate import Evaluated
    from uda_study.study.trial import TrialSpec


def evaluate(
    study: Annotated[str, typer.Argument(help="The study's id, or how it begins.")],
    metrics: Annotated[
        list[str],
        typer.Option(
            "--metric",
            metavar="NAME",
            help="Measure this one; may be repeated. Without, all that the study asks for.",
        ),
    ] = [],  # noqa: B006 - typer reads the default, nothing writes to it
    again: Annotated[
        bool, typer.Option("--again", help="Also measure anew what there is already.")
    ] = False,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Measure what finished trainings lack, without training; goes on where it was interrupted."""
    from uda_study import plugins
    from uda_study.cli.progress_view import counting
    from uda_study.data.prune import in_use
    from uda_study.engine.job import Home
    from uda_study.engine.reevaluate import Wanted, reevaluate
    from uda_study.engine.revisit import reopen
    from uda_study.metric import Metric
    from uda_study.tracking.evaluations import MlflowEvaluationLog
    from uda_study.training import accelerator
    from uda_study.training.evaluate import measured_metrics

    for name in metrics:
        plugins.load("metrics", name, Metric)
    screen, place = Screen(quiet, as_json), Home(home.absolute())
    with counting(screen, "preparing images") as count:
        prepared = reopen(place, study, count)
    device = accelerator.device()
    names = tuple(dict.fromkeys(metrics)) or measured_metrics(prepared.spec.evaluation.metrics)
    folder = place.study(prepared.id)
    log = MlflowEvaluationLog(place.path, prepared.id, folder, screen.note)
    try:
        with in_use(place.prepared):
            wanted = Wanted(names, again, device)
            done = list(reevaluate(prepared, place, log, wanted, _line(screen)))
    finally:
        arrived = log.close()
    _tell(screen, prepared.id, done, home)
    raise SystemExit(OK if arrived else FAILED)


def _line(screen: Screen) -> Callable[[int, int, TrialSpec, Sequence[str]], None]:
    """Return what prints a line for each training on which something is measured."""
    from uda_study.tracking.names import run_name

    def tell(number: int, total: int, spec: TrialSpec, metrics: Sequence[str]) -> None:
        if metrics:
            training = f"{spec.cell} {run_name(spec)}"
            screen.note(f"{number}/{total} {training}: {', '.join(metrics)}")

    return tell


def _tell(screen: Screen, study: str, done: Sequence[Evaluated], home: Path) -> None:
    from uda_study import plugins
    from uda_study.metric import Metric

    measured = [training for training in done if training.measured]
    undefined = Counter(name for training in done for name in training.undefined)
    lacking = [training for training in done if training.without_model]
    if screen.as_json:
        screen.result(
            {
                "study": study,
                "trainings": len(done),
                "evaluated": len(measured),
                "metrics": sorted({name for each in measured for name in each.measured}),
                "undefined": dict(sorted(undefined.items())),
                "without_model": [training.spec.key for training in lacking],
            }
        )
        return
    for name, count in sorted(undefined.items()):
        reason = plugins.load("metrics", name, Metric).undefined
        screen.note(f"! {name} is undefined in {count} of {len(done)} trainings: {reason}")
    if lacking:
        screen.note(
            f"! {len(lacking)} search trials lack {', '.join(lacking[0].without_model)}: their "
            "models were dropped, as they are not among the best (checkpoint.study_top_k); "
            f"uda-study retrain {study} {lacking[0].spec.key} trains one again"
        )
    screen.note(f"study {study}: {len(measured)} of {len(done)} trainings evaluated")
    screen.note(f"leaderboard: uda-study leaderboard {study}{in_home(home)}")
