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
    sources: Annotated[
        list[Path],
        typer.Option(
            "-i",
            "--input",
            help="An image, a DICOM series, or a folder of them; may be given several times.",
        ),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder to write to.")],
    translated: Annotated[
        bool,
        typer.Option(
            "--translated", help="Also write each image in the source's appearance, NIfTI."
        ),
    ] = False,
    qc: Annotated[
        bool, typer.Option("--qc", help="Also write a page with a picture of each to look through.")
    ] = False,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Segment NIfTI, MetaImage, PNG or DICOM images, each on its own native grid."""
    from uda_study.api.models import load_model

    screen = Screen(quiet, as_json)
    tell = Screen(quiet or as_json).note
    done = load_model(model, home).predict(sources, output, translated=translated, qc=qc, tell=tell)
    if as_json:
        result: dict[str, object] = {
            "written": [str(path) for path in done.files],
            "volumes": str(done.volumes_file),
        }
        if translated:
            result["translated"] = [str(path) for path in done.translated]
        if done.flagged is not None:
            result |= {"qc": str(done.page), "to_look_at": done.flagged}
        screen.result(result)
    else:
        seen = ""
        if done.page is not None and done.flagged is not None:
            seen = f"   {done.page.name}: {len(done.flagged)} to look at"
        count = len(done.files)
        screen.note(
            f"{count}/{count} written to {output} in the input's own grid"
            f"{seen}   {done.volumes_file.name}"
        )
