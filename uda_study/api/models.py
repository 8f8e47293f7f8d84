"""A trained model, and images segmented with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from uda_study.api.places import PathLike, home_folder, to_stderr
from uda_study.report.qc_page import PAGE, QcPage
from uda_study.tracking.registry import resolve_model
from uda_study.tracking.store import open_store
from uda_study.training import accelerator
from uda_study.training.package import ModelConfig, read_config, verify_package
from uda_study.training.predict import VOLUMES
from uda_study.training.predict import predict as segment


@dataclass(frozen=True)
class Predicted:
    """What a prediction has written, in the order of the images.

    ``page`` and ``flagged``, the names of what somebody should look at, are None unless a page for
    quality control was asked for.
    """

    files: tuple[Path, ...]
    translated: tuple[Path, ...]
    volumes_file: Path
    page: Path | None = None
    flagged: tuple[str, ...] | None = None

    @property
    def volumes(self) -> pd.DataFrame:
        """The millilitres of every structure in every image."""
        return pd.read_csv(self.volumes_file)


@dataclass(frozen=True)
class Model:
    """A model package: a folder of weights, a description and checksums. No code is run from it."""

    package: Path

    def __post_init__(self) -> None:
        verify_package(self.package)

    @property
    def config(self) -> ModelConfig:
        """What the model is: method, hyperparameters, task, preprocessing and where it is from."""
        return read_config(self.package)

    def predict(
        self,
        images: PathLike | Sequence[PathLike],
        output: PathLike,
        *,
        translated: bool = False,
        qc: bool = False,
        tell: Callable[[str], None] = to_stderr,
    ) -> Predicted:
        """Segment images, each on its own native grid, and write them into the folder ``output``.

        ``images`` are files, DICOM series or folders of them. Raises `InputError` naming every
        image that is refused, before anything is written.
        """
        given = [images] if isinstance(images, str) or not isinstance(images, Sequence) else images
        folder = Path(output)
        device = accelerator.device()
        page = QcPage() if qc else None
        files: list[Path] = []
        looks: list[Path] = []
        total = 0

        def progress(what: str, done: int, of: int) -> None:
            nonlocal total
            total = of
            if what == "reading" and done == of:
                tell(f"reading {of}/{of}")

        sources = [Path(each) for each in given]
        for done in segment(self.package, sources, folder, device, progress, translated=translated):
            files.append(done.path)
            looks += [] if done.translated is None else [done.translated]
            tell(f"segmenting {len(files)}/{total}  {done.name}")
            if page is not None:
                page.add(done)
        flagged = None if page is None else tuple(page.write(folder / PAGE))
        return Predicted(
            tuple(files),
            tuple(looks),
            folder / VOLUMES,
            None if page is None else folder / PAGE,
            flagged,
        )

    def __repr__(self) -> str:
        config = self.config
        return f"Model({config.method} {config.direction}, study {config.study}, {config.trial})"


def load_model(name: str, home: PathLike | None = None) -> Model:
    """Return the model ``NAME@ALIAS`` or ``NAME/VERSION`` of the registry, or that of a folder."""
    return Model(resolve_model(open_store(home_folder(home)), name))
