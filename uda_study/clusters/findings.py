"""What a check of a machine or a cluster comes to."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version

DRIVER = "driver"
"""What a finding of the process is called that leads a study."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at; ``remedy`` says what to do if it is not good."""

    what: str
    good: bool
    value: str
    remedy: str = ""


def software(python: str | None = None, ray: str | None = None) -> str:
    """Return the versions that have to agree; those of this process if left out.

    Patches of Python read each other's pickles.
    """
    minor = (python or platform.python_version()).rpartition(".")[0]
    return f"Python {minor}, Ray {ray or version('ray')}"
