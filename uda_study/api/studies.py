"""Look at what came out of a study."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from uda_study.api.models import Model
from uda_study.api.places import PathLike, home_folder, to_stderr
from uda_study.errors import InputError
from uda_study.study.board import By, Leaderboard, Row
from uda_study.study.board_frame import board_frame
from uda_study.tracking.artifacts import MODEL
from uda_study.tracking.boards import read_board
from uda_study.tracking.dropped import no_model
from uda_study.tracking.fetching import fetch
from uda_study.tracking.promote import Promotion, Request, promote, representative
from uda_study.tracking.query import cases_of, find_study, study_runs
from uda_study.tracking.store import open_store
from uda_study.training.package import read_config
from uda_study.training.round_trip import predicts_the_same


@dataclass(frozen=True)
class Study:
    """A study of one home, by its id; everything is read from MLflow when it is asked for."""

    id: str
    home: Path

    def runs(self) -> pd.DataFrame:
        """Return one row per training, with its scores (`uda_study.tracking.query.study_runs`)."""
        return study_runs(open_store(self.home), self.id)

    def cases(self) -> pd.DataFrame:
        """Return every measured value of every case."""
        return cases_of(open_store(self.home), self.runs())

    def board(self, by: By = "cell", select: str | None = None) -> Leaderboard:
        """Return the leaderboard as values; ``select`` chooses by another rule than the study's."""
        return read_board(open_store(self.home), [self.id], by, select)

    def leaderboard(self, by: By = "cell", select: str | None = None) -> pd.DataFrame:
        """Return the leaderboard as a data frame (`uda_study.study.board_frame`)."""
        return board_frame(self.board(by, select))

    def report(
        self,
        page: PathLike = "report.html",
        *,
        volumes: bool = True,
        tell: Callable[[str], None] = to_stderr,
    ) -> Path:
        """Write the report, one HTML file that needs no network, and return where it is."""
        # What draws it, and segments the volumes again, needs Ray's half of the package.
        from uda_study.api.reports import write_report  # noqa: PLC0415

        return write_report(self.id, self.home, Path(page), volumes, tell).page

    def best(self, direction: str | None = None, cell: str | None = None) -> Model:
        """Return the model that stands for a cell: of those confirmed, the best blind score.

        The cell is the first row of the direction's table, which test labels have ordered, or the
        one that is named. Raises `InputError` where there are several tables and neither is given.
        """
        key = cell or self._first(direction).cell
        client = open_store(self.home)
        run = representative(study_runs(client, self.id), key)
        own = self.home / "studies" / self.id / "trials" / str(run["key"]) / MODEL
        if own.is_dir():
            return Model(own)
        # Without the training's folder, as on another machine: the tracker has the model, too.
        place = Path(tempfile.mkdtemp(prefix="uda-study-"))
        package = fetch(client, run["run_id"], run["artifact_uri"], MODEL, place)
        if package is None:
            raise no_model(client, run)
        return Model(package)

    def promote(
        self, cell: str, to: str, *, force: str | None = None, dry_run: bool = False
    ) -> Promotion:
        """Register the cell's model as ``NAME`` or ``NAME@ALIAS`` if it passes the gates."""
        name, _, alias = to.partition("@")
        request = Request(self.id, cell, name, alias or "champion", force, dry_run)
        trials = self.home / "studies" / self.id / "trials"

        def round_trip(package: Path) -> bool:
            return predicts_the_same(package, trials / read_config(package).trial)

        return promote(open_store(self.home), request, round_trip)

    def _first(self, direction: str | None) -> Row:
        tables = [t for t in self.board().tables if direction in (None, t.direction)]
        firsts = [table.rows[0] for table in tables if table.rows and table.rows[0].rank == 1]
        if len(firsts) == 1:
            return firsts[0]
        cells = ", ".join(repr(row.cell) for row in firsts)
        raise InputError.of(
            "best",
            "there must be one table to take the first row of",
            f"{len(firsts)} tables" + (f" of {direction}" if direction else ""),
            f"name the direction or one of these cells: {cells}" if cells else None,
        )


def load(name: str, home: PathLike | None = None) -> Study:
    """Return the study of that id or name, or the only one that begins so; else `InputError`."""
    folder = home_folder(home)
    return Study(find_study(open_store(folder), name), folder)
