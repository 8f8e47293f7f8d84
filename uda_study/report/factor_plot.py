"""Dice against the ordered values of a factor, with the bounds behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from uda_study.errors import InputError
from uda_study.report import style
from uda_study.report.factor_levels import FactorCurve
from uda_study.report.frame import Heading, Mark
from uda_study.report.panel_grid import GridLayout, GridPanel, panel_grid
from uda_study.report.table_words import counted
from uda_study.study.statistics import Interval


@dataclass(frozen=True)
class Band:
    """A bound: its mean and 95 % interval."""

    name: str
    mean: float
    interval: Interval
    upper: bool


@dataclass(frozen=True)
class FactorPanel:
    """The curves of one table, and its bounds."""

    title: str
    curves: Sequence[FactorCurve]
    bands: Sequence[Band] = ()


def factor_figure(factor: str, panels: Sequence[FactorPanel]) -> style.Picture:
    """Draw a panel per table; raises `InputError` where a panel has no curve."""
    if not panels or not all(panel.curves for panel in panels):
        raise InputError.of("factor", "needs at least one curve per panel", factor)
    settings = list(dict.fromkeys(curve.setting for panel in panels for curve in panel.curves))
    looks = {name: style.line(place) for place, name in enumerate(settings)}
    key = [
        Mark("●", looks[name][0], name or "mean, 95 % interval over subjects") for name in settings
    ]
    key.append(Mark("━", "#9CC4E0", "faint: one seed"))
    for upper, colour in ((False, style.LOWER), (True, style.UPPER)):
        names = {band.name for panel in panels for band in panel.bands if band.upper is upper}
        key += [Mark("━", colour, name) for name in sorted(names)]
    values = list(
        dict.fromkeys(v for panel in panels for curve in panel.curves for v in curve.values)
    )
    layout = GridLayout(3, max(2.6, min(5.0, 0.5 * len(values))), 2.6, factor, "test Dice")
    grid = [
        GridPanel(panel.title, _drawing(panel, looks), _remark(panel.curves)) for panel in panels
    ]
    heading = Heading(f"Dice against {factor}", "Confirmations on common seeds.", key)
    return panel_grid(heading, grid, layout)


def _remark(curves: Sequence[FactorCurve]) -> str:
    subjects = max(len(curve.subjects) for curve in curves)
    seeds = max(len(curve.seeds) for curve in curves)
    return f"{counted(subjects, 'subject')}, {counted(seeds, 'common seed')}"


def _drawing(
    panel: FactorPanel, looks: Mapping[str, tuple[str, style.Pattern]]
) -> Callable[[Axes], None]:
    def draw(axes: Axes) -> None:
        for band in panel.bands:
            colour = style.UPPER if band.upper else style.LOWER
            low, high = band.interval
            if low is not None and high is not None:
                axes.axhspan(max(low, 0), min(high, 1), color=colour, alpha=0.13, linewidth=0)
            axes.axhline(band.mean, color=colour, linewidth=1.4)
        for place, curve in enumerate(panel.curves):
            _curve(axes, curve, looks[curve.setting], _shift(place, len(panel.curves)))
        names = max((curve.values for curve in panel.curves), key=len)
        axes.set_xticks(range(len(names)), names)
        axes.set_xlim(-0.4, len(names) - 0.6)
        axes.set_ylim(-0.03, 1.03)

    return draw


def _curve(axes: Axes, curve: FactorCurve, look: tuple[str, style.Pattern], shift: float) -> None:
    colour, pattern = look
    across = [place + shift for place in range(len(curve.values))]
    for seed in range(len(curve.seeds)):
        means = curve.dice[:, :, seed].mean(axis=1)
        axes.plot(across, means, color=colour, alpha=0.3, linewidth=0.8)
    for x, (low, high) in zip(across, curve.intervals, strict=True):
        if low is not None and high is not None:
            axes.plot([x, x], [low, high], color=colour, linewidth=1.6)
    axes.plot(across, curve.means, pattern, color=colour, linewidth=1.6, marker="o", markersize=5)


def _shift(place: int, of: int) -> float:
    """Keep the intervals of several curves apart."""
    return 0.08 * (place - (of - 1) / 2)
