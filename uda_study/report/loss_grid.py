"""How trainings of one setting on several seeds went: median and range, one panel per loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from uda_study.errors import InputError
from uda_study.report import style
from uda_study.report.curves import scale, smoothed
from uda_study.report.frame import Heading, Mark, shortened
from uda_study.report.panel_grid import GridLayout, GridPanel, panel_grid

SCORE = "blind/score"
_POINTS = 400


@dataclass(frozen=True)
class Course:
    """The values of one loss by step, a column per training.

    ``ended`` are steps at which trainings diverged, ``lost`` how many values are not finite.
    """

    name: str
    values: pd.DataFrame
    ended: Sequence[int] = ()
    lost: int = 0


def courses(tables: Sequence[pd.DataFrame], diverged: Sequence[bool]) -> list[Course]:
    """Return the score and every loss of trainings' curves (``stage step name value``).

    The steps of a loss are its stage's. Long curves are smoothed, training by training, by a
    running median. A training that diverged ends at its last step in the last stage it reached.
    """
    rows = pd.concat([table.assign(run=n) for n, table in enumerate(tables)], ignore_index=True)
    rows = rows[(rows["name"] == SCORE) | ~rows["name"].str.startswith(("blind/", "oracle/"))]
    several = rows.loc[rows["name"] != SCORE, "stage"].nunique() > 1
    ends = [_end(rows[rows["run"] == n]) for n, gone in enumerate(diverged) if gone]
    lost = ~np.isfinite(rows["value"].astype(float))
    rows = rows.assign(value=rows["value"].astype(float).where(~lost), lost=lost)
    found = []
    for (stage, name), part in rows.groupby(["stage", "name"], sort=False):
        score = name == SCORE
        wide = part.pivot_table(index="step", columns="run", values="value", aggfunc="last")
        wide = wide if score else wide.apply(lambda one: smoothed(one.dropna())).sort_index()
        # Scores count the steps of all stages, which are a stage's own where there is but one.
        here = [step for where, step in ends if where == stage or (score and not several)]
        label = f"{stage} · {name}" if several and not score else str(name)
        found.append(Course(label, wide, here, int(part["lost"].sum())))
    return sorted(found, key=lambda course: course.name != SCORE)


def _end(rows: pd.DataFrame) -> tuple[str, int]:
    """Return the last stage of a training that has losses, and its last step."""
    losses = rows[rows["name"] != SCORE]
    if losses.empty:
        return "", 0
    stage = str(losses["stage"].iloc[-1])
    return stage, int(losses.loc[losses["stage"] == stage, "step"].max())


def loss_figure(shown: Sequence[Course], title: str, facts: str) -> style.Picture:
    """Draw one panel per course, the score first; `InputError` without any."""
    if not shown:
        raise InputError.of("losses", "needs at least one curve")
    key = [
        Mark("━", style.METHOD, "median over the trainings"),
        Mark("█", _BAND, "from the lowest to the highest"),
    ]
    if any(course.ended for course in shown):
        key.append(Mark("┊", style.LOWER, "a training diverged"))
    panels = [GridPanel(shortened(one.name, 30), partial(_draw, one)) for one in shown]
    return panel_grid(Heading(title, facts, key), panels, GridLayout(4, 1.65, 1.05, "step", ""))


_BAND = "#A9CBE3"


def _draw(course: Course, axes: Axes) -> None:
    table = course.values.iloc[:: max(1, len(course.values) // _POINTS)]
    known = table.dropna(how="all")
    steps = known.index.to_numpy()
    lines = {"low": known.min(axis=1), "middle": known.median(axis=1), "high": known.max(axis=1)}
    if len(steps) == 1:
        axes.vlines(steps, lines["low"], lines["high"], color=_BAND, linewidth=5)
    else:
        axes.fill_between(steps, lines["low"], lines["high"], color=_BAND, linewidth=0)
    axes.plot(
        steps, lines["middle"], color=style.METHOD, linewidth=1.3,
        marker="o" if len(steps) <= 12 else None, markersize=2.6,
    )  # fmt: skip
    for step in course.ended:
        axes.axvline(step, color=style.LOWER, linewidth=1.2, linestyle=":")
    scale(axes, known.to_numpy()[np.isfinite(known.to_numpy())], may_be_log=course.name != SCORE)
    axes.set_xlim(0, 1.04 * max([1, *course.values.index, *course.ended]))
    axes.xaxis.set_major_locator(MaxNLocator(3, integer=True, min_n_ticks=1))
    if course.lost:
        axes.text(
            0.98, 0.03, f"{course.lost} not finite", color=style.LOWER, size=style.SMALL,
            ha="right", va="bottom", transform=axes.transAxes,
        )  # fmt: skip
