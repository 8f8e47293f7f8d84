"""Divergence of intensities before and after translation, and what it has to do with Dice."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from uda_study.errors import InputError
from uda_study.report import style
from uda_study.report.frame import Heading, Mark
from uda_study.report.panel_grid import GridLayout, GridPanel, panel_grid
from uda_study.report.row_chart import RowPanel, row_chart

_MARKERS = (("o", "●"), ("s", "■"), ("^", "▲"))
_STEPS = (1, 2, 2.5, 5, 10)
_REFERENCE = style.UPPER


@dataclass(frozen=True)
class Box:
    """The values of the test subjects in one state of the images; excess may be without any."""

    name: str
    js: Sequence[float]
    excess: Sequence[float]
    reference: bool = False


@dataclass(frozen=True)
class Dot:
    """One training; ``method`` is None where it leaves images as they are."""

    method: str | None
    js: float
    dice: float


def js_boxes(boxes: Sequence[Box], title: str, facts: str) -> style.Picture:
    """Draw a box per state: divergence on the left, what exceeds that within domains right.

    After Palladino et al. (2020), figure 5. Raises `InputError` without boxes or without values.
    """
    if not boxes or any(len(box.js) == 0 for box in boxes):
        raise InputError.of("boxes", "needs values in every box", ", ".join(b.name for b in boxes))

    def draw(axes: Axes, *, excess: bool) -> None:
        axes.xaxis.set_major_locator(MaxNLocator(5, steps=_STEPS))
        if excess:
            axes.axvline(0, color=style.QUIET, linewidth=0.8)
        for y, box in enumerate(boxes):
            _box(axes, y, box.excess if excess else box.js, reference=box.reference)

    key = [
        Mark("●", style.QUIET, "test subject"),
        Mark("◆", style.LOWER, "mean"),
        Mark("▭", style.METHOD, "quartiles and median; whiskers: extremes"),
    ]
    left = RowPanel(
        axis="bit",
        limits=_from_zero([value for box in boxes for value in box.js]),
        draw=lambda axes: draw(axes, excess=False),
        margin=[f"{np.mean(box.js):.3f}" for box in boxes],
        head="mean",
        title="JS from the source",
        width=3.0,
    )
    excesses = [value for box in boxes for value in box.excess]
    right = RowPanel(
        axis="bit; 0: no further apart than images of one domain",
        limits=_from_zero(excesses),
        draw=lambda axes: draw(axes, excess=True),
        margin=[f"{np.mean(box.excess):.3f}" if len(box.excess) else "" for box in boxes],
        head="mean",
        title="Excess over JS within the domains",
        width=3.0,
    )
    panels = [left, right] if excesses else [left]
    return row_chart(Heading(title, facts, key), [box.name for box in boxes], panels)


def js_against_dice(panels: dict[str, Sequence[Dot]], remarks: dict[str, str]) -> style.Picture:
    """Draw one dot per training, a panel per direction with its remark, one colour per method.

    Raises `InputError` without dots or for one that is not finite.
    """
    dots = [dot for group in panels.values() for dot in group]
    if not dots or not all(math.isfinite(dot.js) and math.isfinite(dot.dice) for dot in dots):
        raise InputError.of("JS against Dice", "needs dots with finite values", f"{len(dots)} dots")
    methods = sorted({dot.method for dot in dots if dot.method is not None})
    looks = {name: _look(place) for place, name in enumerate(methods)}
    across, up = _from_zero([dot.js for dot in dots]), _from_zero([dot.dice for dot in dots])

    def panel(title: str) -> GridPanel:
        def draw(axes: Axes) -> None:
            for method in [None, *methods]:
                mine = [dot for dot in panels[title] if dot.method == method]
                colour, marker = (style.QUIET, "o") if method is None else looks[method][:2]
                axes.plot(
                    [dot.js for dot in mine], [dot.dice for dot in mine], marker, color=colour,
                    alpha=0.45 if method is None else 0.8, markeredgewidth=0,
                    markersize=3.5 if method is None else 5,
                )  # fmt: skip
            axes.set_xlim(*across)
            axes.set_ylim(*up)
            axes.xaxis.set_major_locator(MaxNLocator(5, steps=_STEPS))

        return GridPanel(title.replace("->", " → "), draw, remarks.get(title, ""))

    key = [Mark(looks[name][2], looks[name][0], name) for name in methods]
    if any(dot.method is None for dot in dots):
        key.append(Mark("●", style.QUIET, "methods that leave images as they are"))
    layout = GridLayout(3, 3.2, 2.6, "JS from the source, bit", "test Dice")
    heading = Heading("JS against Dice", "One dot per finished training.", key)
    return panel_grid(heading, [panel(title) for title in panels], layout)


def _box(axes: Axes, y: int, values: Sequence[float], *, reference: bool) -> None:
    if not len(values):
        return
    colour = _REFERENCE if reference else style.METHOD
    axes.boxplot(
        [values], positions=[y], orientation="horizontal", widths=0.5, whis=(0, 100),
        manage_ticks=False, patch_artist=True,
        boxprops={"facecolor": colour, "alpha": 0.25, "edgecolor": colour},
        medianprops={"color": colour, "linewidth": 1.6},
        whiskerprops={"color": colour}, capprops={"color": colour},
    )  # fmt: skip
    if len(values) <= 30:
        axes.plot(
            values, [y] * len(values), "o", color=style.QUIET, alpha=0.6, markersize=3,
            markeredgewidth=0,
        )  # fmt: skip
    axes.plot(np.mean(values), y, "D", color=style.LOWER, markersize=4)


def _look(place: int) -> tuple[str, str, str]:
    lap, index = divmod(place, len(style.LINES))
    marker, glyph = _MARKERS[lap % len(_MARKERS)]
    return style.LINES[index], marker, glyph


def _from_zero(values: Sequence[float]) -> tuple[float, float]:
    low, high = min([0.0, *values]), max([0.0, *values])
    margin = 0.04 * (high - low) or 0.01
    return low - margin, high + margin
