"""``uda-study plan``: what a study would do; nothing is trained."""

from __future__ import annotations

from uda_study.cli.console import Screen
from uda_study.cli.options import HOME, HomeOption, JsonOption, QuietOption, SetOption
from uda_study.cli.run import FileArgument, SmokeOption, make_plan, opening, read


def plan(
    file: FileArgument,
    settings: SetOption = [],  # noqa: B006 - typer reads the default, nothing writes to it
    smoke: SmokeOption = False,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show cells, trainings and splits of a study; images are read, nothing is trained."""
    from uda_study.cli.progress_view import counting
    from uda_study.engine.job import Home
    from uda_study.engine.setup import prepare_study

    screen = Screen(quiet, as_json)
    place = Home(home.absolute())
    place.create()
    with counting(screen, "preparing images") as count:
        study = prepare_study(read(file, settings, smoke), place, count)
    if as_json:
        screen.result({"study": study.id, **make_plan(study).to_json()})
        return
    for line in opening(study):
        screen.out.print(line, markup=False)
    for cell in study.all_cells:
        screen.out.print(f"  {cell.key}", markup=False)
