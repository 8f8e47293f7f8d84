"""All pairs of rows at once: differences above the diagonal, adjusted p below it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from uda_study.errors import InputError
from uda_study.report import style
from uda_study.report.frame import MARGIN, Heading, Mark, shortened, text_width
from uda_study.report.table_words import signed

# Inches.
_CELL, _NUMBERS = 0.5, 0.22
_SMALLEST_SCALE = 0.05


def pair_matrix(
    names: Sequence[str],
    differences: NDArray[np.float64],
    p_adjusted: NDArray[np.float64],
    heading: Heading,
) -> style.Picture:
    """Draw the differences, row minus column, and p of the pairs ``(rows, rows)``.

    Only what lies above the diagonal is read; NaN is drawn as a dash, and a frame marks p < .05.
    Raises `InputError` where the shapes do not fit the names or there are fewer than two.
    """
    count = len(names)
    if count < 2 or differences.shape != (count, count) or p_adjusted.shape != (count, count):
        raise InputError.of(
            "pairs", "needs a square of values per pair of at least two names",
            f"{count} names, {differences.shape} and {p_adjusted.shape}",
        )  # fmt: skip
    labels = [f"{n}  {shortened(name)}" for n, name in enumerate(names, 1)]
    left = MARGIN + max(text_width(label, style.LABEL) for label in labels) + 0.12
    side = _CELL * count
    marks = [
        *heading.key,
        Mark("■", "#92C5DE", "row higher than column"),
        Mark("■", "#F4A582", "row lower"),
        Mark("□", style.INK, "p < .05 after Holm"),
    ]
    whole = Heading(heading.title, heading.facts, marks)
    width = max(
        left + side + MARGIN, 5.4, 2 * MARGIN + text_width(heading.title, style.TITLE + 0.5, "bold")
    )
    top = whole.height(width) + _NUMBERS
    with style.styled():
        figure = style.new_figure(width, top + side + MARGIN)
        whole.draw(figure, width)
        axes = style.place(figure, left, top, side, side)
        _draw(axes, differences, p_adjusted)
        axes.set_yticks(range(count), labels, size=style.LABEL)
        axes.set_xticks(range(count), [str(n + 1) for n in range(count)], size=style.LABEL)
        axes.tick_params(length=0, top=False, labeltop=True, labelbottom=False, pad=2)
        for spine in axes.spines.values():
            spine.set_visible(False)
        return style.render(figure)


def _draw(axes: Axes, differences: NDArray[np.float64], p: NDArray[np.float64]) -> None:
    count = len(differences)
    above = np.triu(np.ones((count, count), dtype=bool), 1)
    shown = np.where(above, differences, np.nan)
    scale = max(_SMALLEST_SCALE, float(np.nanmax(np.abs(shown), initial=0.0)))
    axes.imshow(shown, cmap="RdBu", vmin=-2 * scale, vmax=2 * scale, aspect="auto")
    for i, j in np.argwhere(above):
        text = "–" if np.isnan(differences[i, j]) else signed(differences[i, j])
        axes.text(j, i, text, ha="center", va="center", size=style.SMALL)
        quiet = "–" if np.isnan(p[i, j]) else _p(p[i, j])
        axes.text(i, j, quiet, ha="center", va="center", size=style.SMALL, color=style.QUIET)
        if p[i, j] < 0.05:
            axes.add_patch(
                Rectangle((j - 0.47, i - 0.47), 0.94, 0.94, fill=False, edgecolor=style.INK)
            )
    axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
    axes.grid(which="minor", color=style.FAINT, linewidth=0.5)
    axes.tick_params(which="minor", length=0)


def _p(value: float) -> str:
    if value < 0.001:
        return "<.001"
    return "1" if value >= 0.9995 else f"{value:.3f}".removeprefix("0")
