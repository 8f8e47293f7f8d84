"""``uda-study clean``: free the disk of what nothing needs any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from uda_study.cli.console import Screen
from uda_study.cli.options import HOME, HomeOption, JsonOption, QuietOption

if TYPE_CHECKING:
    from uda_study.api.cleaning import Cleaning


def clean(
    study: Annotated[
        str | None, typer.Argument(help="The study's id, or how it begins; the home if left out.")
    ] = None,
    keep_models: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="Models of so many search trials per cell stay, in place of "
            "checkpoint.study_top_k.",
        ),
    ] = None,
    unused_for: Annotated[
        str, typer.Option(metavar="TIME", help="Prepared images that were not used so long go.")
    ] = "30d",
    yes: Annotated[bool, typer.Option("--yes", help="Free it; without, it is only shown.")] = False,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Show what can go of finished trainings, crashes and caches, and free it with --yes."""
    from uda_study.api.cleaning import clean as free
    from uda_study.api.places import open_home
    from uda_study.study.duration import seconds

    screen, place = Screen(quiet, as_json), open_home(home)
    done = free(place, study, keep_models, seconds(unused_for), really=yes)
    if as_json:
        screen.result(_plain(done, yes))
    else:
        _tell(screen, done, yes)


def _rows(done: Cleaning) -> list[tuple[str, str, int, int]]:
    rows = [(one.study or "-", one.what, len(one.paths), one.bytes) for one in done.leftovers]
    if done.images.freed:
        images = ("-", "prepared images", len(done.images.freed), done.images.bytes_freed)
        rows.append(images)
    return rows


def _plain(done: Cleaning, yes: bool) -> dict[str, object]:
    names = ("study", "what", "count", "bytes")
    return {
        "freed": yes,
        "bytes": done.bytes,
        "items": [dict(zip(names, row, strict=True)) for row in _rows(done)],
        "running": list(done.running),
    }


def _tell(screen: Screen, done: Cleaning, yes: bool) -> None:
    from uda_study.data.limits import show_bytes

    rows = _rows(done)
    width = max((len(study) for study, *_ in rows), default=0)
    longest = max((len(what) for _, what, *_ in rows), default=0)
    for study, what, count, size in rows:
        line = f"{study:{width}}  {what:{longest}}  {count:5}  {show_bytes(size)}"
        screen.out.print(line, markup=False)
    for name in done.running:
        screen.note(f"! {name} is being run and is left alone, and so is what studies share")
    if not rows:
        screen.note("there is nothing to free")
        return
    verb = "freed" if yes else "can be freed; --yes does it"
    screen.note(f"{show_bytes(done.bytes)} {verb}")
