"""Find out, fairly and at cluster scale, which domain adaptation segments your images best."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uda_study.api.models import Model, load_model
    from uda_study.api.running import run
    from uda_study.api.studies import Study, load
    from uda_study.errors import InputError

__version__ = "0.1.0"

_HOMES = {
    "InputError": "uda_study.errors",
    "Model": "uda_study.api.models",
    "Study": "uda_study.api.studies",
    "load": "uda_study.api.studies",
    "load_model": "uda_study.api.models",
    "run": "uda_study.api.running",
}
__all__ = ["InputError", "Model", "Study", "__version__", "load", "load_model", "run"]


def __getattr__(name: str) -> Any:
    """Import torch, Ray and MLflow when one of the names is used, not before."""
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
