"""What happened during one training: losses by player and the scores beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullFormatter, StrMethodFormatter

from uda_study.errors import InputError
from uda_study.report import style
from uda_study.report.legend import Entry, Legend

if TYPE_CHECKING:
    import pandas as pd

SCORES = ("blind", "oracle", "test")
"""Names before the slash that mark scores; every other is a player with its losses."""

WHOLE = "own"
"""The stage of values that count the steps of all the trial's own stages, such as scores."""

# Inches.
_MARGIN, _WIDTH, _HEIGHT, _TICKS = 0.12, 2.55, 1.35, 0.5
_HEAD, _BELOW, _BETWEEN = 0.22, 0.52, 0.22
_ROUND = (1, 2, 2.5, 5, 10)
_SPREAD_FOR_LOG = 30
_SMOOTHED_FROM = 60
_LARGE = 10.0


@dataclass(frozen=True)
class _Panel:
    title: str
    scores: bool
    whole: bool
    series: Mapping[str, pd.DataFrame]

    @property
    def legend(self) -> Legend:
        entries = [Entry(name, *look) for name, look in self.looks.items()]
        return Legend(entries, _WIDTH)

    @property
    def looks(self) -> Mapping[str, tuple[str, style.Pattern]]:
        return {name: style.line(n) for n, name in enumerate(self.series)}


def curves_figure(frame: pd.DataFrame, stages: Mapping[str, int] | None = None) -> style.Picture:
    """Draw small multiples of a long table with the columns ``step``, ``name`` and ``value``.

    A panel holds what shares the part of ``name`` before the last slash: the losses of a player
    (``critic/wasserstein``) or scores (``blind/score``), which come first. With a column ``stage``
    each stage has panels of its own, whose steps are the stage's; the stage `WHOLE` counts over
    all of them. ``stages`` maps a stage's name to its first step on the common axis and marks it.
    Long losses are shown faint with their running median on top; what is not finite is left out
    and counted. Raises `InputError` for an empty table or a missing column.
    """
    missing = [name for name in ("step", "name", "value") if name not in frame.columns]
    if missing or frame.empty:
        raise InputError.of(
            "curves", "needs rows with the columns step, name and value", ", ".join(frame.columns)
        )
    panels = _panels(frame)
    columns = min(len(panels), 2 if len(panels) <= 4 else 3)
    lines = [panels[n : n + columns] for n in range(0, len(panels), columns)]
    extra = 0.08 if stages else 0.0
    heads = [_HEAD + extra + max(panel.legend.height for panel in line) for line in lines]
    pitch = _TICKS + _WIDTH + _BETWEEN
    starts = list((stages or {}).items())
    note = 0.2 if starts else 0.0
    width = 2 * _MARGIN + columns * pitch - _BETWEEN + 0.1
    height = _MARGIN + sum(heads) + len(lines) * (_HEIGHT + _BELOW) + note
    ends = _ends(panels)
    with style.styled():
        figure = style.new_figure(width, height)
        top = _MARGIN
        for line, head in zip(lines, heads, strict=True):
            for column, panel in enumerate(line):
                left = _MARGIN + _TICKS + column * pitch
                style.write(figure, left, top, panel.title, weight="bold")
                panel.legend.draw(figure, left, top + _HEAD)
                axes = style.place(figure, left, top + head, _WIDTH, _HEIGHT)
                _draw(axes, panel)
                if panel.whole:
                    axes.set_xlim(*ends)
                    _mark(axes, starts)
            top += head + _HEIGHT + _BELOW
        if starts:
            text = "Stages: " + ", ".join(
                f"{n} {name} from step {step}" for n, (name, step) in enumerate(starts, 1)
            )
            style.write(figure, _MARGIN, top, text, size=style.SMALL, colour=style.QUIET)
        return style.render(figure)


def _panels(frame: pd.DataFrame) -> list[_Panel]:
    stage = frame["stage"] if "stage" in frame.columns else WHOLE
    parts = frame["name"].str.rpartition("/")
    split = frame.assign(stage=stage, group=parts[0], line=parts[2])
    panels = []
    for (where, group), rows in split.groupby(["stage", "group"], sort=False):
        series = {str(name): part for name, part in rows.groupby("line", sort=False)}
        whole = where == WHOLE
        title = " · ".join(part for part in ("" if whole else str(where), str(group)) if part)
        scores = group in SCORES
        # Most scores lie within one; beside a critic's distance they would all be flat lines.
        large = [n for n, part in series.items() if scores and part["value"].abs().max() > _LARGE]
        usual = {name: part for name, part in series.items() if name not in large}
        if usual:
            panels.append(_Panel(title or "values", scores, whole, usual))
        panels += [_Panel(f"{title} · {n}", scores, whole, {n: series[n]}) for n in large]
    return sorted(panels, key=lambda panel: not panel.scores)


def _ends(panels: Sequence[_Panel]) -> tuple[float, float]:
    """Return where the common axis begins and ends, the same for all panels that use it."""
    steps = [part["step"] for panel in panels if panel.whole for part in panel.series.values()]
    low = min((float(part.min()) for part in steps), default=0.0)
    high = max((float(part.max()) for part in steps), default=1.0)
    margin = 0.04 * (high - low) or 0.5
    return low - margin, high + margin


def _draw(axes: Axes, panel: _Panel) -> None:
    finite = {name: rows[np.isfinite(rows["value"])] for name, rows in panel.series.items()}
    for name, rows in finite.items():
        colour, pattern = panel.looks[name]
        ordered = rows.sort_values("step")
        steps, values = ordered["step"], ordered["value"]
        if len(values) >= _SMOOTHED_FROM:
            axes.plot(steps, values, color=colour, linewidth=0.6, alpha=0.3)
            values = smoothed(values)
        strong = panel.scores and name == "score"
        axes.plot(
            steps,
            values,
            color=colour,
            linestyle=pattern,
            linewidth=2.0 if strong else 1.2,
            marker="o" if len(values) <= 30 else None,
            markersize=3.5 if strong else 2.2,
        )
    everything = np.concatenate([rows["value"].to_numpy() for rows in finite.values()])
    scale(axes, everything, may_be_log=not panel.scores)
    axes.grid(axis="y")
    axes.set_xlabel("step", size=style.SMALL, labelpad=2)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=_ROUND, integer=True))
    lost = sum(map(len, panel.series.values())) - len(everything)
    if lost:
        axes.text(
            0.99, 0.03, f"{lost} not finite", color=style.LOWER, size=style.SMALL, ha="right",
            va="bottom", transform=axes.transAxes,
        )  # fmt: skip


def smoothed(values: pd.Series) -> pd.Series:
    """Return the running median of a long curve, and a short one as it is."""
    if len(values) < _SMOOTHED_FROM:
        return values
    return values.rolling(len(values) // 20, center=True, min_periods=1).median()


def scale(axes: Axes, values: np.ndarray, *, may_be_log: bool) -> None:
    """Give positive values of a wide spread a logarithmic axis where that may be."""
    wide = values.size > 0 and values.min() > 0 and values.max() / values.min() > _SPREAD_FOR_LOG
    if may_be_log and wide:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(5, steps=_ROUND, min_n_ticks=3))


def _mark(axes: Axes, starts: list[tuple[str, int]]) -> None:
    """Draw a line where each stage but the first begins, and number the stages."""
    for number, (_, step) in enumerate(starts, 1):
        if number > 1:
            axes.axvline(step, color=style.QUIET, linewidth=0.8, linestyle=":")
        axes.text(
            step, 1.01, str(number), color=style.QUIET, size=style.SMALL, ha="center", va="bottom",
            transform=axes.get_xaxis_transform(),
        )  # fmt: skip
