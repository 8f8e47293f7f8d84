"""MLflow's database read directly, without MLflow, whose import alone takes longer than a table.

The tables are those of MLflow's SQLAlchemy store. A database that does not have them as expected is
left to MLflow, which says what is wrong with it.
"""

from __future__ import annotations

import math
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, Select, column, create_engine, select, table
from sqlalchemy.exc import SQLAlchemyError

from uda_study.errors import StoreError
from uda_study.tracking import names
from uda_study.tracking.place import check_place, sqlite_path, system_mounts, tracking_uri

SELECTION = "uda.selection"
_PART = 500
"""Rows that are taken at a time: one by one is slow, and more than 700 new tuples at once make
Python look for garbage among everything that it has."""
_RUNS = table(
    "runs",
    *map(column, ("run_uuid", "status", "start_time", "end_time", "artifact_uri")),
    *map(column, ("experiment_id", "lifecycle_stage")),
)
_OF_RUN = ("run_uuid", "key", "value")
_TAG, _PARAM = table("tags", *map(column, _OF_RUN)), table("params", *map(column, _OF_RUN))
_SCORE = table("latest_metrics", *map(column, (*_OF_RUN, "is_nan")))
_EXPERIMENT = table(
    "experiments", *map(column, ("experiment_id", "name", "lifecycle_stage", "creation_time"))
)
_ABOUT = table("experiment_tags", *map(column, ("experiment_id", "key", "value")))


class Stored(NamedTuple):
    """A run as the store has it."""

    run_id: str
    state: str
    start: int
    end: int | None
    uri: str
    tags: Mapping[str, str]
    params: Mapping[str, str]
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Database:
    """The experiments and runs in the tables of MLflow's database."""

    engine: Engine

    def studies(self) -> list[str]:
        """Return the names of the experiments that are studies, the newest first."""
        ours = select(_ABOUT.c.experiment_id).where(_ABOUT.c.key == names.STUDY)
        active = _EXPERIMENT.c.lifecycle_stage == "active"
        wanted = select(_EXPERIMENT.c.name).where(active & _EXPERIMENT.c.experiment_id.in_(ours))
        with self._reading() as base:
            order = wanted.order_by(_EXPERIMENT.c.creation_time.desc())
            return [str(name) for (name,) in base.execute(order)]

    def experiment(self, name: str) -> str | None:
        """Return the id of the experiment of that name, None if there is none."""
        wanted = select(_EXPERIMENT.c.experiment_id).where(_EXPERIMENT.c.name == name)
        with self._reading() as base:
            found = base.execute(wanted).scalar()
        return None if found is None else str(found)

    def runs(self, experiment: str, scores: Collection[str] | None) -> Iterator[Stored]:
        """Yield the active runs of an experiment; see `uda_study.tracking.query.study_runs`."""
        mine = (_RUNS.c.experiment_id == int(experiment)) & (_RUNS.c.lifecycle_stage == "active")
        ids = select(_RUNS.c.run_uuid).where(mine)
        tags, params, measured = (
            select(*table.c).where(table.c.run_uuid.in_(ids)) for table in (_TAG, _PARAM, _SCORE)
        )
        if scores is not None:
            search = (_TAG.c.key == names.KIND) & (_TAG.c.value == "search")
            params = params.where(_PARAM.c.run_uuid.not_in(select(_TAG.c.run_uuid).where(search)))
        values: dict[str, dict[str, float]] = defaultdict(dict)
        with self._reading() as base:
            # A study may be running. A training's scores are written before its status, and the
            # status before the end of its run, so what is read in the opposite order fits together.
            runs = base.execute(select(*list(_RUNS.c)[:5]).where(mine)).all()
            tags_of, params_of = _texts(base, tags), _texts(base, params)
            if scores is not None:
                rules = {tags.get(SELECTION, "") for tags in tags_of.values()}
                measured = measured.where(_SCORE.c.key.in_({*scores, *rules}))
            for run, key, value, is_nan in _rows(base, measured):
                values[run][key] = math.nan if is_nan else value
        for run, state, start, end, uri in runs:
            yield Stored(run, state, start, end, uri, tags_of[run], params_of[run], values[run])

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self.engine.connect() as base:
                yield base
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise StoreError(f"{self.engine.url}: {getattr(error, 'orig', error)}") from error


def open_database(home: Path, *, mounts: Callable[[], str] = system_mounts) -> Database | None:
    """Return the home's database; None where the store is none in a file, or one to be mended.

    Raises `InputError` where a store cannot be kept.
    """
    path = sqlite_path(tracking_uri(home))
    if path is None or not path.exists():
        return None
    check_place(path.parent, mounts)
    database = Database(create_engine(f"sqlite:///{path}"))
    try:
        with database.engine.connect() as base:
            for known in (_RUNS, _TAG, _PARAM, _SCORE, _EXPERIMENT, _ABOUT):
                base.execute(select(*known.c).limit(1))
    except (SQLAlchemyError, sqlite3.Error):
        return None
    return database


def _rows(base: Connection, wanted: Select[Any]) -> Iterator[Sequence[Any]]:
    for part in base.execute(wanted).partitions(_PART):
        yield from part


def _texts(base: Connection, wanted: Select[Any]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for run, key, value in _rows(base, wanted):
        found[run][key] = value
    return found
