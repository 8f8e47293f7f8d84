"""``uda-study plan``: what a study would do; nothing is trained."""

from __future__ import annotations

from dataclasses import asdict

from uda_study.cli.console import Screen
from uda_study.cli.options import HOME, HomeOption, JsonOption, QuietOption, SetOption
from uda_study.cli.run import (
    FileArgument,
    SmokeOption,
    differing,
    make_plan,
    opening,
)


def plan(
    file: FileArgument,
    settings: SetOption = [],  # noqa: B006 - typer reads the default, nothing writes to it
    smoke: SmokeOption = False,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show cells, trainings and splits of a study; images are read, nothing is trained."""
    from uda_study.api.beginning import checked, read
    from uda_study.api.forecast import forecast
    from uda_study.cli.progress_view import counting
    from uda_study.engine.edits import nearest_study
    from uda_study.engine.job import Home

    screen = Screen(quiet, as_json)
    place = Home(home.absolute())
    place.create()
    with counting(screen, "preparing images") as count:
        sourced = read(file, settings, smoke=smoke)
        study = checked(sourced, place, count)
    if as_json:
        checks = [asdict(check) for check in study.checks]
        made = make_plan(study)
        room = forecast(study, place, made)
        screen.result(
            {
                "study": study.id,
                **made.to_json(),
                "room": None if room is None else room.to_json(),
                "checks": checks,
            }
        )
        return
    for line in opening(study, place):
        screen.out.print(line, markup=False)
    if (near := nearest_study(sourced, place)) is not None:
        screen.out.print(differing(study.id, *near), markup=False)
    for cell in study.all_cells:
        screen.out.print(f"  {cell.key}", markup=False)
