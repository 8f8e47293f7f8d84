"""Copy a training's files into the store."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from uda_study.tracking._mlflow import MlflowClient, Run
from uda_study.tracking.names import DROPPED, clip, redact
from uda_study.tracking.place import local_folder

MODEL = "model"
LEFT_OUT = frozenset({"checkpoints"})
_TEXTS = frozenset({".txt", ".json", ".yaml", ".yml", ".md", ".log"})


def attach(client: MlflowClient, run: Run, folder: Path) -> None:
    """Attach all regular files below the folder, checkpoints left out; absolute paths are cut.

    In a local store files are linked where the filesystem can, so that nothing is held twice.
    The model package is left as it is, since its files are signed.
    """
    store = local_folder(run.info.artifact_uri)
    for name in _files(folder):
        source = folder / name
        text = source.suffix in _TEXTS and name.parts[0] != MODEL
        try:
            if store is not None:
                _place(source, store / name, redacted=text)
            else:
                _upload(client, run.info.run_id, source, name, redacted=text)
        except OSError:
            # A model may be dropped while it is attached; the event that says so comes next.
            if name.parts[0] != MODEL or source.exists():
                raise


def drop_model(client: MlflowClient, run: Run) -> str:
    """Remove the model from the run's artifacts; return `names.DROPPED`, or why it is still there.

    A store that gives nothing up is no reason to stop writing to it.
    """
    store = local_folder(run.info.artifact_uri)
    if store is not None:
        shutil.rmtree(store / MODEL, ignore_errors=True)
        return DROPPED
    try:
        # MLflow's client deletes no artifacts itself; of its repositories some do nothing at all.
        repository: Any = client._tracking_client._get_artifact_repo(run.info.run_id)
        repository.delete_artifacts(MODEL)
        left = client.list_artifacts(run.info.run_id, MODEL)
    except Exception as error:
        return clip(redact(f"not dropped: {type(error).__name__}: {error}"))
    return "not dropped: the store deletes nothing" if left else DROPPED


def attach_files(client: MlflowClient, run: Run, files: list[Path]) -> None:
    """Attach single files at the root of the run's artifacts; absolute paths in them are cut."""
    store = local_folder(run.info.artifact_uri)
    for file in files:
        name = PurePosixPath(file.name)
        if store is not None:
            _place(file, store / name, redacted=True)
        else:
            _upload(client, run.info.run_id, file, name, redacted=True)


def _files(folder: Path) -> Iterator[PurePosixPath]:
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(f for f in folders if f not in LEFT_OUT and not f.startswith("."))
        for name in sorted(files):
            path = Path(parent) / name
            if path.is_file() and not path.is_symlink() and not name.startswith("."):
                yield PurePosixPath(path.relative_to(folder).as_posix())


def _place(source: Path, target: Path, *, redacted: bool) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.exists() and target.samefile(source):
        return
    draft = target.with_name(f".{target.name}.new")
    draft.unlink(missing_ok=True)
    if redacted:
        draft.write_text(_redacted(source), encoding="utf-8")
    else:
        try:
            os.link(source, draft)
        except OSError:
            shutil.copyfile(source, draft)
    draft.replace(target)


def _upload(
    client: MlflowClient, run_id: str, source: Path, name: PurePosixPath, *, redacted: bool
) -> None:
    parent = None if name.parent == PurePosixPath() else str(name.parent)
    if not redacted:
        client.log_artifact(run_id, str(source), parent)
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / name.name
        copy.write_text(_redacted(source), encoding="utf-8")
        client.log_artifact(run_id, str(copy), parent)


def _redacted(source: Path) -> str:
    return redact(source.read_text(encoding="utf-8", errors="replace"))
