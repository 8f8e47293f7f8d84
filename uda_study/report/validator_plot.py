"""Scores without labels against test Dice, one small panel per score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from uda_study.errors import InputError
from uda_study.report import style
from uda_study.report.frame import Heading, Mark
from uda_study.report.panel_grid import GridLayout, GridPanel, panel_grid
from uda_study.report.rank_correlation import Correlation
from uda_study.report.validator_trials import Point

_TRIAL = "#9AA3AC"


def validator_figure(
    panels: Mapping[str, tuple[Sequence[Point], Correlation | None]],
    title: str,
    facts: str,
    *,
    one_cell: bool,
) -> style.Picture:
    """Draw a panel per score, the first one the study's own rule; `InputError` without points.

    With one cell the axes are score and Dice; with several, the place within the cell and the Dice
    that is lost against the cell's best trial.
    """
    if not panels or not all(points for points, _ in panels.values()):
        raise InputError.of("validators", "needs points in every panel", ", ".join(panels))
    lost = [point.lost for points, _ in panels.values() for point in points]
    low = min(-0.02, *lost)

    def panel(name: str, *, first: bool) -> GridPanel:
        points, found = panels[name]

        def draw(axes: Axes) -> None:
            for point in points:
                y = point.dice if one_cell else point.lost
                if point.oracle:
                    axes.plot(
                        point.x, y, "o", markerfacecolor="none", markeredgecolor=style.UPPER,
                        markersize=7.5, markeredgewidth=1.2,
                    )  # fmt: skip
                axes.plot(
                    point.x, y, "D" if point.chosen else "o", markeredgewidth=0,
                    color=style.METHOD if point.chosen else _TRIAL,
                    markersize=4.5 if point.chosen else 3.5, alpha=0.8,
                )  # fmt: skip
            axes.yaxis.set_major_locator(MaxNLocator(4, steps=(1, 2, 2.5, 5, 10)))
            if one_cell:
                axes.xaxis.set_major_locator(MaxNLocator(3, steps=(1, 2, 2.5, 5, 10)))
            else:
                axes.set_xlim(-0.1, 1.1)
                axes.set_xticks([0, 0.5, 1], ["last", "", "first"])
                axes.set_ylim(1.08 * low, -0.06 * low)

        return GridPanel(name + (" (the rule)" if first else ""), draw, f"ρ {found or '–'}")

    key = [
        Mark("●", _TRIAL, "finished search trial"),
        Mark("◆", style.METHOD, "what the score chooses"),
        Mark("○", style.UPPER, "what target validation labels choose"),
    ]
    x = "score" if one_cell else "place within the cell"
    y = "test Dice" if one_cell else "Dice − best of the cell"
    layout = GridLayout(5, 1.45, 1.3, x, y, shared=not one_cell)
    grid = [panel(name, first=place == 0) for place, name in enumerate(panels)]
    return panel_grid(Heading(title, facts, key), grid, layout)
