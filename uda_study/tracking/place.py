"""Where runs and their artifacts are kept; this module does not import MLflow."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlparse

from uda_study.errors import InputError, Problem

DATABASE, LOCK, ARTIFACTS = "mlflow.db", "mlflow.lock", "mlartifacts"

DATABASES = frozenset({"postgresql", "mysql", "mssql", "sqlite"})
NETWORK_FILESYSTEMS = frozenset(
    """
    nfs nfs3 nfs4 cifs smb smb2 smb3 smbfs ncpfs afs ceph lustre gpfs beegfs glusterfs panfs
    orangefs pvfs2 ocfs2 gfs2 wekafs fuse.sshfs fuse.glusterfs fuse.ceph fuse.s3fs fuse.gcsfuse
    fuse.rclone fuse.juicefs fuse.goofys fuse.mount-s3
    """.split()  # noqa: SIM905 - a word list reads better than thirty quoted strings
)


def tracking_uri(home: Path) -> str:
    """Return where runs are written: ``MLFLOW_TRACKING_URI``, else a database in ``home``."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{home.absolute() / DATABASE}"


def artifact_location(home: Path, study: str) -> str | None:
    """Return where a study's artifacts lie; None leaves it to a tracking server.

    Beside a database in a file; for any other database, which holds no files, below the address of
    ``UDA_STUDY_STORAGE`` if it is set, else in the home.
    """
    uri = tracking_uri(home)
    path = sqlite_path(uri)
    if path is not None:
        return str(path.parent / ARTIFACTS / study)
    if not is_database(uri):
        return None
    storage = os.environ.get("UDA_STUDY_STORAGE")
    return f"{(storage or str(home.absolute())).rstrip('/')}/{ARTIFACTS}/{study}"


def is_database(uri: str) -> bool:
    """Tell whether runs go straight into a database such as Postgres, without a server between."""
    return urlparse(uri).scheme.partition("+")[0] in DATABASES


def shown(uri: str) -> str:
    """Return the address as it may be printed: without a password and without options."""
    scheme, mark, rest = uri.partition("?")[0].partition("://")
    place, slash, path = rest.partition("/")
    login, at, host = place.rpartition("@")
    return f"{scheme}{mark}{login.partition(':')[0]}{at}{host}{slash}{path}"


def sqlite_path(uri: str) -> Path | None:
    """Return the file of a ``sqlite:///`` address, None for any other store."""
    prefix = "sqlite:///"
    return Path(uri.removeprefix(prefix)).absolute() if uri.startswith(prefix) else None


def local_folder(uri: str) -> Path | None:
    """Return the folder of a local artifact address, None for a remote one."""
    parsed = urlparse(uri)
    if parsed.scheme == "file":
        return Path(unquote(parsed.path))
    return Path(uri) if not parsed.scheme else None


def check_place(folder: Path, mounts: Callable[[], str]) -> None:
    """Raise `InputError` where a SQLite database cannot be kept; makes the folder.

    ``mounts`` returns the text of the mount table, as in ``/proc/mounts``.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / LOCK).open("a"):
            pass
    except OSError as error:
        raise InputError.of(
            "home", f"must be a folder that can be written to ({error.strerror})", folder
        ) from error
    kind = filesystem(folder, mounts())
    if kind in NETWORK_FILESYSTEMS:
        raise InputError(
            [
                Problem(
                    "home",
                    "SQLite breaks on a network filesystem",
                    f"{folder} on {kind}",
                    "use a local disk, or set MLFLOW_TRACKING_URI to a Postgres database or an "
                    "MLflow server",
                )
            ]
        )


def filesystem(folder: Path, mounts: str) -> str:
    """Return the filesystem type below which the folder lies, by a mount table's text."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        fields = line.split()
        if len(fields) < 3:
            continue
        point = Path(fields[1].replace("\\040", " "))
        # The later of two mounts on one point hides the earlier.
        if folder.resolve().is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), fields[2]
    return kind


def system_mounts() -> str:
    """Return the mount table of this machine; empty where the system has none."""
    table = Path("/proc/mounts")
    return table.read_text(encoding="utf-8", errors="replace") if table.exists() else ""
