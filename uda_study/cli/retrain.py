"""``uda-study retrain``: have the model of a training back that was dropped."""

from __future__ import annotations

from typing import Annotated

import typer

from uda_study.cli.console import Screen
from uda_study.cli.options import HOME, HomeOption, JsonOption, QuietOption


def retrain(
    study: Annotated[str, typer.Argument(help="The study's id, or how it begins.")],
    keys: Annotated[list[str], typer.Argument(metavar="TRAINING...", help="Keys of trainings.")],
    home: HomeOption = HOME,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Train finished trainings again, one after the other, to have their models back."""
    import torch

    from uda_study.api.places import open_home
    from uda_study.cli.progress_view import counting
    from uda_study.data.prune import in_use
    from uda_study.engine.retrain import retrain as train
    from uda_study.engine.revisit import reopen
    from uda_study.tracking.dropped import bring_back

    screen, place = Screen(quiet, as_json), open_home(home)
    with counting(screen, "preparing images") as count:
        prepared = reopen(place, study, count)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with in_use(place.prepared):
        for key in dict.fromkeys(keys):
            screen.note(f"training {key} again")
            folder = train(prepared, place, key, device)
            bring_back(place.path, prepared.id, key, folder)
    if as_json:
        screen.result({"study": prepared.id, "retrained": list(dict.fromkeys(keys))})
