"""Test Dice against the number of search trials, one small panel per cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from uda_study.errors import InputError
from uda_study.report import style
from uda_study.report.frame import Heading, Mark, shortened
from uda_study.report.panel_grid import GridLayout, GridPanel, panel_grid

_TRIAL = "#9AA3AC"


@dataclass(frozen=True)
class BudgetCurve:
    """A cell's Dice after 1, 2, ... trials; NaN where nothing is known or nothing can be chosen.

    ``blind`` follows the study's rule, ``best`` looks at target labels. ``trials`` is the Dice of
    each trial in its order, drawn where the trials' order counts.
    """

    title: str
    remark: str
    blind: Sequence[float]
    best: Sequence[float]
    published: float | None = None
    trials: Sequence[float] = ()


def budget_figure(
    curves: Sequence[BudgetCurve], title: str, facts: str, best: str, *, expected: bool
) -> style.Picture:
    """Draw one panel per cell on common axes; ``best`` says in the key what looked at labels.

    Expected values are joined by lines, what happened is drawn as steps. Raises `InputError`
    without a finite value.
    """
    values = [v for c in curves for v in (*c.blind, *c.best, *c.trials) if math.isfinite(v)]
    values += [c.published for c in curves if c.published is not None]
    if not values:
        raise InputError.of("budget", "needs at least one finite Dice")
    margin = 0.07 * (max(values) - min(values)) or 0.05
    longest = max(max(len(c.blind), len(c.trials)) for c in curves)
    steps = "default" if expected else "steps-post"

    def panel(curve: BudgetCurve) -> GridPanel:
        def draw(axes: Axes) -> None:
            axes.set_ylim(min(values) - margin, max(values) + margin)
            axes.set_xlim(0.5, longest + 0.5)
            if curve.published is not None:
                axes.axhline(curve.published, color=style.QUIET, linewidth=1, linestyle=":")
            for line, colour, width in (
                (curve.best, style.UPPER, 3.2),
                (curve.blind, style.METHOD, 1.5),
            ):
                # What happened holds until the next trial has ended.
                held = line if expected else [*line, *line[-1:]]
                places = [n + (1.0 if expected else 0.75) for n in range(len(held))]
                axes.plot(
                    places, held, color=colour, linewidth=width, drawstyle=steps,
                    marker="o" if expected and len(line) < 30 else None, markersize=3,
                )  # fmt: skip
            axes.plot(
                range(1, len(curve.trials) + 1), curve.trials, "o", color=_TRIAL, markersize=4.2,
                markeredgecolor=style.PAPER, markeredgewidth=0.7, zorder=3,
            )  # fmt: skip
            if not any(map(math.isfinite, curve.blind)):
                axes.text(
                    0.5, 0.5, "nothing can be chosen", transform=axes.transAxes, ha="center",
                    va="center", size=style.SMALL, color=style.LOWER,
                )  # fmt: skip
            axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
            axes.yaxis.set_major_locator(MaxNLocator(4, steps=(1, 2, 2.5, 5, 10)))

        return GridPanel(shortened(curve.title, 34), draw, curve.remark)

    key = [
        Mark("━", style.METHOD, "chosen blindly, by the study's rule"),
        Mark("━", style.UPPER, best),
        Mark("┄", style.QUIET, "published setting"),
    ]
    if not expected:
        key.append(Mark("●", _TRIAL, "a finished trial"))
    x = "trials drawn at random" if expected else "trials, in their order"
    layout = GridLayout(4, 1.75, 1.25, x, "test Dice", shared=True)
    return panel_grid(Heading(title, facts, key), [panel(curve) for curve in curves], layout)
