"""The domains of the phantom: which images a subject of each has, and how they are made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from uda_study.simulation.anatomy import Anatomy
from uda_study.simulation.ct import Window, ct_image
from uda_study.simulation.inverted import inverted_image
from uda_study.simulation.mr import SCANNERS, Contrast, mr_image

Domain = Literal["mr", "ct", "utrecht", "singapore", "amsterdam", "inverted", "mixed"]

Acquire = Callable[[Anatomy, Window, np.random.Generator], NDArray[np.float32]]
"""Images one subject ``(X, Y, Z)``; the window is that of CT."""

Series = Mapping[str, Acquire]
"""The images of one subject by their names, in the order in which they are made."""


def series(domain: Domain, number: int) -> Series:
    """Return what a subject of the domain is imaged by; ``number`` counts from 1.

    Subjects of ``mixed`` take turns: T1 of Singapore, FLAIR of Amsterdam, inverted T1, CT.
    """
    turns = _TURNS[domain]
    return turns[(number - 1) % len(turns)]


def is_mixed(domain: Domain) -> bool:
    """Tell whether subjects of the domain are imaged in different ways."""
    return len(_TURNS[domain]) > 1


def _mr(scanner: str, contrast: Contrast) -> Acquire:
    def acquire(anatomy: Anatomy, window: Window, rng: np.random.Generator) -> NDArray[np.float32]:
        del window
        return mr_image(anatomy, SCANNERS[scanner], contrast, rng)

    return acquire


def _inverted(contrast: Contrast) -> Acquire:
    def acquire(anatomy: Anatomy, window: Window, rng: np.random.Generator) -> NDArray[np.float32]:
        del window
        return inverted_image(anatomy, SCANNERS["utrecht"], contrast, rng)

    return acquire


def _scanner(name: str) -> Series:
    return {"t1": _mr(name, "t1"), "flair": _mr(name, "flair")}


_TURNS: Mapping[Domain, tuple[Series, ...]] = {
    "mr": (_scanner("utrecht"),),
    "ct": ({"ct": ct_image},),
    "utrecht": (_scanner("utrecht"),),
    "singapore": (_scanner("singapore"),),
    "amsterdam": (_scanner("amsterdam"),),
    "inverted": ({"t1": _inverted("t1"), "flair": _inverted("flair")},),
    "mixed": (
        {"t1": _mr("singapore", "t1")},
        {"flair": _mr("amsterdam", "flair")},
        {"inverted": _inverted("t1")},
        {"ct": ct_image},
    ),
}
