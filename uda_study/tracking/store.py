"""Open the MLflow store; its database is made once, whole, however many processes ask for it."""

from __future__ import annotations

import fcntl
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from uda_study.errors import InputError, StoreError
from uda_study.tracking._mlflow import (
    MlflowClient,
    MlflowException,
    SQLAlchemyError,
    SqlAlchemyStore,
)
from uda_study.tracking.first_use import made_once
from uda_study.tracking.place import (
    ARTIFACTS,
    LOCK,
    check_place,
    shown,
    sqlite_path,
    system_mounts,
    tracking_uri,
)

LOCK_SECONDS = 120.0


def open_store(home: Path, *, mounts: Callable[[], str] = system_mounts) -> MlflowClient:
    """Return a client of the store, made on first use; several processes may call this at once.

    Raises `InputError` where a store cannot be kept or does not answer, `StoreError` for a
    database that is damaged or of another MLflow version.
    """
    uri = tracking_uri(home)
    path = sqlite_path(uri)
    if path is not None:
        check_place(path.parent, mounts)
    with store_errors(uri):
        if path is not None and not path.exists():
            _create(path)
        with made_once(uri):
            client = MlflowClient(tracking_uri=uri, registry_uri=uri)
            client.search_experiments(max_results=1)
    return client


@contextmanager
def store_errors(uri: str) -> Iterator[None]:
    """Turn what MLflow and its database raise into `StoreError` or `InputError`."""
    path = sqlite_path(uri)
    try:
        yield
    except MlflowException as error:
        if "out-of-date database schema" in str(error):
            raise StoreError(
                f"{shown(uri)}: was written by another version of MLflow; back it up, then upgrade "
                f"it:\n{'' if path is None else f'cp {path} {path}.bak'}\n"
                f"mlflow db upgrade {shown(uri)}"
            ) from error
        if path is not None:
            raise StoreError(f"{uri}: {error}") from error
        said = str(error).replace(uri, shown(uri))[:300]
        raise InputError.of(
            "MLFLOW_TRACKING_URI", "must be a store that answers", shown(uri), said
        ) from error
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise StoreError(f"{shown(uri)}: {getattr(error, 'orig', error)}") from error
    except ModuleNotFoundError as error:
        raise InputError.of(
            "MLFLOW_TRACKING_URI",
            f"names a database whose driver {error.name} is not installed",
            shown(uri),
            "pip install 'uda-study[postgres]'",
        ) from error


def _create(path: Path) -> None:
    """Make the database under a lock, beside its place, and move it there when it is whole."""
    with _locked(path.parent / LOCK):
        if path.exists():
            return
        fresh = path.with_name(f"{path.name}.new")
        for left in path.parent.glob(f"{fresh.name}*"):
            left.unlink()
        store = SqlAlchemyStore(f"sqlite:///{fresh}", str(path.parent / ARTIFACTS))  # type: ignore[no-untyped-call]
        store.engine.dispose()
        connection = sqlite3.connect(fresh)
        # Kept in the file: readers and the writer no longer block one another.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.close()
        fresh.replace(path)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    deadline = time.monotonic() + LOCK_SECONDS
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise StoreError(f"{path}: another process holds it for too long") from None
                time.sleep(0.05)
        yield
