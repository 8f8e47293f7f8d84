"""``uda-study predict``: segment new images with a promoted model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from uda_study.cli.console import Screen
from uda_study.cli.options import HOME, HomeOption, JsonOption, QuietOption


def predict(
    model: Annotated[
        str, typer.Option("-m", "--model", help="NAME@ALIAS, NAME/VERSION or a model's folder.")
    ],
    source: Annotated[Path, typer.Option("-i", "--input", help="An image, or a folder of them.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder to write to.")],
    translated: Annotated[
        bool,
        typer.Option(
            "--translated", help="Also write each image in the source's appearance, NIfTI."
        ),
    ] = False,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Segment NIfTI, MetaImage or PNG images, each on its own native grid."""
    import torch

    from uda_study.cli.progress_view import counting
    from uda_study.tracking.promote import resolve_model
    from uda_study.tracking.store import open_store
    from uda_study.training.predict import VOLUMES, find_images
    from uda_study.training.predict import predict as segment

    screen = Screen(quiet, as_json)
    images = find_images(source)
    package = resolve_model(open_store(home.absolute()), model)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    with counting(screen, "segmenting") as count:
        segmented = segment(package, images, output, device, count, translated=translated)
        places = [(done.path, done.translated) for done in segmented]
    if as_json:
        result = {"written": [str(path) for path, _ in places], "volumes": str(output / VOLUMES)}
        if translated:
            result["translated"] = [str(path) for _, path in places]
        screen.result(result)
    else:
        screen.note(
            f"{len(places)}/{len(images)} written to {output} in the input's own grid   {VOLUMES}"
        )
