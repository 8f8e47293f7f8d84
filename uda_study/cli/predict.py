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
    import torch

    from uda_study.report.qc_page import PAGE, QcPage
    from uda_study.tracking.promote import resolve_model
    from uda_study.tracking.store import open_store
    from uda_study.training.predict import VOLUMES
    from uda_study.training.predict import predict as segment

    screen = Screen(quiet, as_json)
    package = resolve_model(open_store(home.absolute()), model)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    page = QcPage() if qc else None
    tell = Screen(quiet or as_json).note
    total = 0

    def progress(what: str, done: int, of: int) -> None:
        nonlocal total
        total = of
        if what == "reading" and done == of:
            tell(f"reading {of}/{of}")

    places: list[tuple[Path, Path | None]] = []
    for done in segment(package, sources, output, device, progress, translated=translated):
        places.append((done.path, done.translated))
        tell(f"segmenting {len(places)}/{total}  {done.name}")
        if page is not None:
            page.add(done)
    flagged = None if page is None else page.write(output / PAGE)
    if as_json:
        result: dict[str, object] = {
            "written": [str(path) for path, _ in places],
            "volumes": str(output / VOLUMES),
        }
        if translated:
            result["translated"] = [str(path) for _, path in places]
        if flagged is not None:
            result |= {"qc": str(output / PAGE), "to_look_at": flagged}
        screen.result(result)
    else:
        seen = "" if flagged is None else f"   {PAGE}: {len(flagged)} to look at"
        screen.note(
            f"{len(places)}/{len(places)} written to {output} in the input's own grid"
            f"{seen}   {VOLUMES}"
        )
