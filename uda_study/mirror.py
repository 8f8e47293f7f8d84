"""A second copy of a home's folders, where every machine of a cluster reaches it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mirror:
    """Keeps files and folders of a home at an address such as ``s3://bucket/prefix``.

    Without an address all machines share the home itself, and every call does nothing.
    """

    home: Path
    address: str | None = None

    def push(self, path: Path) -> None:
        """Copy a file or folder of the home to the address; it appears there whole."""

    def pull(self, path: Path) -> None:
        """Fetch a file or folder of the home that is not here; pass over one that is nowhere."""

    def drop(self, path: Path) -> None:
        """Remove the copy of a file or folder of the home."""
