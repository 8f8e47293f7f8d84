"""Draw the figure of every method: ``python docs/figures/methods.py [FOLDER]``."""

from __future__ import annotations

import sys
from pathlib import Path

import disentangled
import features
import harmonised
import segmenters
import translation

FOLDER = Path(__file__).parents[1] / "images" / "methods"
FAMILIES = (segmenters, features, translation, disentangled, harmonised)


def main(folder: Path) -> None:
    """Write all figures into the folder."""
    for family in FAMILIES:
        for draw in family.FIGURES:
            draw().save(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
