"""Find an artifact of a run: in a local store as it lies there, from any other by download."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from uda_study.tracking.place import local_folder

if TYPE_CHECKING:
    from uda_study.tracking._mlflow import MlflowClient


def fetch(client: MlflowClient | None, run_id: str, uri: str, name: str, into: Path) -> Path | None:
    """Return a local path of an artifact, downloading it below ``into`` if need be.

    Without a client, one is made where artifacts do not lie on this machine.
    """
    store = local_folder(uri)
    if store is not None:
        path = store / name
        return path if path.exists() else None
    # MLflow takes a second to import, and local artifacts do without.
    from uda_study.tracking._mlflow import MlflowException, download_artifacts  # noqa: PLC0415

    try:
        if client is None:
            return Path(download_artifacts(artifact_uri=f"{uri}/{name}", dst_path=str(into)))
        return Path(client.download_artifacts(run_id, name, str(into)))
    except (MlflowException, OSError):
        return None
