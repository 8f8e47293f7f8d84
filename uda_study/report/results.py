"""A leaderboard as a picture: every cell between its lower and its upper bound."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from uda_study.errors import InputError, Problem
from uda_study.report import style
from uda_study.report.legend import Entry, Legend

NOTE = "Dot: mean over seeds. Line: 95 % interval. Faint dots: single seeds."

# Inches.
_MARGIN, _WIDTH, _PITCH, _LETTER = 0.18, 2.9, 0.27, 0.076
_VALUES, _BETWEEN, _BELOW = 0.45, 0.2, 0.55
_TITLE, _SUBTITLE, _HEAD, _NOTE = 0.28, 0.22, 0.24, 0.26


@dataclass(frozen=True)
class ResultRow:
    """One cell: mean, 95 % interval (NaN where there is none) and the value of each seed.

    The ``role`` tells what is compared from the bounds that are drawn behind it.
    """

    label: str
    mean: float
    lo: float
    hi: float
    seeds: Sequence[float] = ()
    role: Literal["method", "lower", "upper"] = "method"


@dataclass(frozen=True)
class ResultPanel:
    """The results of one direction; its ``title`` may be written ``mr->ct``."""

    title: str
    rows: Sequence[ResultRow]

    def of(self, label: str) -> ResultRow | None:
        """Return the compared row of that label, None if the direction has none."""
        return next((r for r in self.rows if r.role == "method" and r.label == label), None)

    @property
    def bounds(self) -> list[ResultRow]:
        """The lower and upper bounds."""
        return [row for row in self.rows if row.role != "method"]


def results_figure(
    panels: Sequence[ResultPanel], title: str, subtitle: str = "", measure: str = "Dice"
) -> style.Picture:
    """Draw dots and whiskers, one panel per direction, all on the same scale.

    Cells stand in one order in all panels, by the mean over the directions, highest first. Raises
    `InputError` without panels or for a mean that is not finite.
    """
    _check(panels)
    labels = _order(panels)
    names = _MARGIN + _LETTER * max(map(len, labels), default=0) + 0.1
    across = 2 if len(panels) == 4 else min(len(panels), 3)
    lines = [panels[n : n + across] for n in range(0, len(panels), across)]
    pitch = _WIDTH + _VALUES + _BETWEEN
    body = _PITCH * max(1, len(labels)) + 0.06
    legends = {
        id(panel): Legend(
            [Entry(f"{row.label} {row.mean:.2f}", _colour(row)) for row in panel.bounds], pitch
        )
        for panel in panels
    }
    heads = [_HEAD + 0.05 + max(legends[id(panel)].height for panel in line) for line in lines]
    start = _MARGIN + _TITLE + (_SUBTITLE if subtitle else 0) + 0.1
    foot = start + sum(heads) + len(lines) * (body + _BELOW)
    longest = max(1.4 * len(title), len(subtitle), 0.8 * len(NOTE))
    width = max(names + across * pitch + _MARGIN - _BETWEEN, 2 * _MARGIN + _LETTER * longest)
    low, high = _limits(panels)
    with style.styled():
        figure = style.new_figure(width, foot + _NOTE)
        style.write(figure, _MARGIN, _MARGIN, title, size=style.TITLE + 1.5, weight="bold")
        style.write(figure, _MARGIN, _MARGIN + _TITLE, subtitle, colour=style.QUIET)
        top = start
        for line, head in zip(lines, heads, strict=True):
            for column, panel in enumerate(line):
                left = names + column * pitch
                heading = panel.title.replace("->", " → ")
                style.write(figure, left, top, heading, size=style.TITLE, weight="bold")
                legends[id(panel)].draw(figure, left, top + _HEAD)
                axes = style.place(figure, left, top + head, _WIDTH, body)
                axes.set_xlim(low, high)
                _draw(axes, panel, labels, measure, named=column == 0)
            top += head + body + _BELOW
        _note(figure, foot)
        return style.render(figure)


def _order(panels: Sequence[ResultPanel]) -> list[str]:
    means: dict[str, list[float]] = {}
    for panel in panels:
        for row in panel.rows:
            if row.role == "method":
                means.setdefault(row.label, []).append(row.mean)
    return sorted(means, key=lambda label: (-sum(means[label]) / len(means[label]), label))


def _limits(panels: Sequence[ResultPanel]) -> tuple[float, float]:
    values = list(_values(panels))
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or 0.05
    return low - margin, high + margin


def _values(panels: Sequence[ResultPanel]) -> Iterable[float]:
    for panel in panels:
        for row in panel.rows:
            yield from (v for v in (row.mean, row.lo, row.hi, *row.seeds) if math.isfinite(v))


def _draw(
    axes: Axes, panel: ResultPanel, labels: Sequence[str], measure: str, *, named: bool
) -> None:
    axes.set_ylim(max(1, len(labels)) - 0.5, -0.5)
    axes.set_yticks(range(len(labels)), labels if named else [""] * len(labels), size=style.LABEL)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=(1, 2, 2.5, 5, 10)))
    axes.grid(axis="both")
    axes.set_xlabel(measure, size=style.SMALL, labelpad=2)
    for bound in panel.bounds:
        colour = _colour(bound)
        if math.isfinite(bound.lo) and math.isfinite(bound.hi):
            axes.axvspan(bound.lo, bound.hi, color=colour, alpha=0.13, linewidth=0)
        axes.axvline(bound.mean, color=colour, linewidth=1.4)
    for y, label in enumerate(labels):
        row = panel.of(label)
        if row is None:
            _value(axes, y, "–", style.QUIET)
            continue
        axes.plot(
            row.seeds, [y + 0.27] * len(row.seeds), "o", color=style.METHOD, alpha=0.35,
            markersize=3, markeredgewidth=0,
        )  # fmt: skip
        axes.plot([row.lo, row.hi], [y, y], color=style.METHOD, linewidth=1.6)
        axes.plot(row.mean, y, "o", color=style.METHOD, markersize=5.5)
        _value(axes, y, f"{row.mean:.3f}", style.INK)


def _value(axes: Axes, y: float, text: str, colour: str) -> None:
    axes.text(
        1.13, y, text, color=colour, size=style.LABEL, ha="right", va="center_baseline",
        transform=axes.get_yaxis_transform(),
    )  # fmt: skip


def _colour(row: ResultRow) -> str:
    return {"lower": style.LOWER, "upper": style.UPPER, "method": style.METHOD}[row.role]


def _note(figure: Figure, top: float) -> None:
    style.write(figure, _MARGIN, top, NOTE, size=style.SMALL, colour=style.QUIET)


def _check(panels: Sequence[ResultPanel]) -> None:
    problems = [
        Problem(f"results {panel.title}", "needs a finite mean", f"{row.label} {row.mean}")
        for panel in panels
        for row in panel.rows
        if not math.isfinite(row.mean)
    ]
    if not any(panel.rows for panel in panels):
        problems.append(Problem("results", "needs at least one row"))
    if problems:
        raise InputError(problems)
