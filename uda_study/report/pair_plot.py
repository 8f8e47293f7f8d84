"""Two rows subject by subject, and their difference beside them on the same scale.

The layout is the estimation plot of Gardner and Altman (BMJ 292, 1986) for paired values.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from uda_study.report import style
from uda_study.study.case_pairs import Pairing
from uda_study.study.measure_pairs import mean
from uda_study.study.pair_text import difference, sentence
from uda_study.study.paired import BySeed
from uda_study.study.statistics import ROPE

FIRST, SECOND = style.LINES[0], style.LINES[1]
"""The colours of A and B."""

NOTE = (
    "Line: a subject, means over seeds, in the colour of the side that leads. Faint dots: single "
    "seeds. Diamonds: means.\n"
    "Right: A - B on the same scale, 0 at B's mean. Dot and line: mean and 95 % interval, with the "
    "luck of subjects and seeds.\n"
    f"Faint dots: subjects. Grey band: within ±{ROPE:g}, which does not matter in practice."
)

# Inches.
_MARGIN, _LETTER = 0.18, 0.076
_LEFT, _BETWEEN, _RIGHT, _TICKS = 4.4, 0.12, 1.8, 0.55
_HEIGHT, _BELOW, _NOTE = 3.4, 0.42, 0.52
_TITLE, _NAME = 0.3, 0.2

_EDGES = (-0.3, 1.3)
_STEPS = (1, 2, 2.5, 5, 10)
_OF_A: dict[str, Any] = {"color": style.INK, "linewidth": 0.9, "linestyle": ":"}
_OF_B: dict[str, Any] = {"color": style.INK, "linewidth": 0.9}


def pair_figure(pairing: Pairing) -> style.Picture:
    """Draw the Dice of every subject on both sides, and the mean difference with its interval."""
    title, numbers = sentence(pairing), difference(pairing)
    names = [
        f"{letter}  {side.name}  ({side.row.study})"
        for letter, side in zip("AB", (pairing.first, pairing.second), strict=True)
    ]
    subtitle = (
        f"{pairing.first.dataset} {pairing.first.direction.replace('->', ' → ')}, "
        f"{len(pairing.subjects)} subjects, {len(pairing.seeds) or 'unpaired'} seeds"
    )
    left = _MARGIN + _TICKS
    body = left + _LEFT + _BETWEEN + _RIGHT + _TICKS + _MARGIN
    lines = [numbers, subtitle, *names, *NOTE.splitlines()]
    longest = max(1.4 * len(title), 0.95 * max(map(len, lines)))
    top = _MARGIN + _TITLE + 4 * _NAME + 0.12
    with style.styled():
        figure = style.new_figure(
            max(body, 2 * _MARGIN + _LETTER * longest), top + _HEIGHT + _BELOW + _NOTE
        )
        style.write(figure, _MARGIN, _MARGIN, title, size=style.TITLE, weight="bold")
        style.write(figure, _MARGIN, _MARGIN + _TITLE, numbers)
        style.write(figure, _MARGIN, _MARGIN + _TITLE + _NAME, subtitle, colour=style.QUIET)
        for number, (name, colour) in enumerate(zip(names, (FIRST, SECOND), strict=True), start=2):
            style.write(figure, _MARGIN, _MARGIN + _TITLE + number * _NAME, name, colour=colour)
        low, high = _limits(pairing)
        values = style.place(figure, left, top, _LEFT, _HEIGHT)
        values.set_ylim(low, high)
        _draw_values(values, pairing)
        base = pairing.dice.second
        beside = style.place(figure, left + _LEFT + _BETWEEN, top, _RIGHT, _HEIGHT)
        beside.set_ylim(low - base, high - base)
        _draw_difference(beside, pairing)
        _draw_note(figure, top + _HEIGHT + _BELOW)
        return style.render(figure)


def _draw_values(axes: Axes, pairing: Pairing) -> None:
    first, second = (_means(values, pairing) for values in pairing.values)
    axes.set_xlim(*_EDGES)
    axes.set_xticks([0, 1], ["A", "B"], size=style.LABEL, weight="bold")
    axes.tick_params(axis="x", length=0)
    axes.set_ylabel("Dice", size=style.SMALL)
    # The interval may reach beyond what a Dice can be.
    ticks = MaxNLocator(7, steps=_STEPS).tick_values(*axes.get_ylim())
    low, high = axes.get_ylim()
    axes.set_yticks([tick for tick in ticks if max(0, low) <= tick <= min(1, high)])
    axes.grid(axis="y")
    for one, other in zip(first, second, strict=True):
        colour = FIRST if one > other else SECOND if other > one else style.QUIET
        axes.plot([0, 1], [one, other], "-o", color=colour, alpha=0.75, linewidth=1, markersize=3.5)
    sides = ((0, -1, FIRST), (1, 1, SECOND))
    for (place, outwards, colour), values in zip(sides, pairing.values, strict=True):
        seeds = sorted({seed for subject in pairing.subjects for seed in values[subject]})
        for number, seed in enumerate(seeds, start=1):
            dots = [values[s][seed] for s in pairing.subjects if seed in values[s]]
            x = place + outwards * (0.05 + 0.13 * number / len(seeds))
            axes.plot([x] * len(dots), dots, "o", color=colour, alpha=0.35, markersize=3,
                      markeredgewidth=0)  # fmt: skip
    # Both means go on as lines into the axes of the difference.
    for place, level, look in ((0, pairing.dice.first, _OF_A), (1, pairing.dice.second, _OF_B)):
        axes.plot([place, _EDGES[1]], [level, level], **look)
        axes.plot(place, level, "D", color=style.INK, markersize=5.5, zorder=5)


def _draw_difference(axes: Axes, pairing: Pairing) -> None:
    found = pairing.dice.comparison
    axes.set_xlim(-0.6, 0.6)
    axes.set_xticks([0], ["A - B"], size=style.LABEL, weight="bold")
    axes.tick_params(axis="x", length=0)
    axes.yaxis.tick_right()
    axes.yaxis.set_major_locator(MaxNLocator(7, steps=_STEPS))
    axes.spines["left"].set_visible(False)
    axes.spines["right"].set_visible(True)
    axes.axhspan(-ROPE, ROPE, color=style.QUIET, alpha=0.22, linewidth=0)
    axes.axhline(0, **_OF_B)
    mean_difference = pairing.dice.first - pairing.dice.second
    axes.axhline(mean_difference, **_OF_A)
    first, second = (_means(values, pairing) for values in pairing.values)
    dots = [one - other for one, other in zip(first, second, strict=True)]
    axes.plot([0.25] * len(dots), dots, "o", color=style.QUIET, alpha=0.45, markersize=3.5,
              markeredgewidth=0)  # fmt: skip
    low, high = found.ci95
    if low is not None and high is not None:
        axes.plot([0, 0], [low, high], color=style.INK, linewidth=2)
    axes.plot([0], [mean_difference], "o", color=style.INK, markersize=7)


def _draw_note(figure: Figure, top: float) -> None:
    for number, text in enumerate(NOTE.splitlines()):
        style.write(
            figure, _MARGIN, top + 0.15 * number, text, size=style.SMALL, colour=style.QUIET
        )


def _means(values: BySeed, pairing: Pairing) -> list[float]:
    """Return each subject's mean over the seeds that are paired, over all without."""
    return [
        mean({k: v for k, v in values[s].items() if not pairing.seeds or k in pairing.seeds})
        for s in pairing.subjects
    ]


def _limits(pairing: Pairing) -> tuple[float, float]:
    values = list(_shown(pairing))
    low, high = min(values), max(values)
    margin = 0.05 * (high - low) or 0.05
    return low - margin, high + margin


def _shown(pairing: Pairing) -> Iterator[float]:
    for side in pairing.values:
        for subject in pairing.subjects:
            yield from side[subject].values()
    base = pairing.dice.second
    differences: Sequence[float | None] = (*pairing.dice.comparison.ci95, 0.0)
    first, second = (_means(values, pairing) for values in pairing.values)
    differences = [*differences, *(a - b for a, b in zip(first, second, strict=True))]
    yield from (base + v for v in differences if v is not None and math.isfinite(v))
