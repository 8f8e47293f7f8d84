"""All trials of a search at once: a line per trial through parallel axes, coloured by its score."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, ListedColormap
from matplotlib.ticker import LogLocator, MaxNLocator

from uda_study.errors import InputError
from uda_study.report import style
from uda_study.report.frame import MARGIN, Heading, Mark, shortened, text_width

_LOST = "#A4ABB2"
_OFF = -0.13
_SPREAD = 0.3

# Inches.
_BODY, _NAMES, _BAR, _LEAST, _TICK_ROOM, _NOT_USED = 2.0, 0.4, 0.1, 1.0, 0.22, 0.34


@dataclass(frozen=True)
class Track:
    """One axis: its name, its range, and its ticks; ``choices`` make it one of categories."""

    name: str
    low: float = 0.0
    high: float = 1.0
    log: bool = False
    choices: tuple[str, ...] = ()

    def height(self, value: float) -> float:
        """Return where a value lies between 0 and 1; of categories their place counts."""
        low, high = self._ends
        value = math.log(value) if self.log else value
        return 0.5 if high == low else (value - low) / (high - low)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Return heights and texts."""
        if self.choices:
            return [(self.height(n), shortened(c, 18)) for n, c in enumerate(self.choices)]
        if self.low == self.high:
            return [(0.5, f"{self.low:g}")]
        found = LogLocator(subs=(1.0, 2.0, 5.0)) if self.log else MaxNLocator(4)
        inner = [float(v) for v in found.tick_values(self.low, self.high)]
        if self.log and self.high / self.low > 200:
            powers = LogLocator().tick_values(self.low, self.high)
            inner = [float(v) for v in powers]
        slack = 1e-9 * (self.high - self.low)
        inside = [v for v in inner if self.low - slack <= v <= self.high + slack]
        values = inside if len(inside) > 1 else [self.low, self.high]
        return [(self.height(v), f"{v:g}") for v in values]

    @property
    def _ends(self) -> tuple[float, float]:
        if self.choices:
            return -0.5, len(self.choices) - 0.5
        return (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)


@dataclass(frozen=True)
class TrialLine:
    """A trial's value on each track, None where a parameter does not count or is not known.

    ``finished`` trials are coloured by their ``score``; the ``chosen`` one is drawn bold.
    """

    values: Sequence[float | None]
    score: float | None
    finished: bool
    chosen: bool = False


def parallel_figure(
    tracks: Sequence[Track], trials: Sequence[TrialLine], title: str, facts: str, measure: str
) -> style.Picture:
    """Draw the trials; the last `MEASURED` tracks are results, and a line without them ends.

    Raises `InputError` without trials or with fewer than two tracks.
    """
    if not trials or len(tracks) < 2:
        raise InputError.of("parallel", "needs two tracks and a trial", f"{len(trials)} trials")
    scores = [t.score for t in trials if t.finished and t.score is not None]
    low, high = (min(scores), max(scores)) if scores else (0.0, 1.0)
    pitches = [_room(track) for track in tracks]
    left = MARGIN + max(0.35, _name_width(tracks[0].name) / 2)
    across = sum(pitches[:-1])
    width = max(
        left + across + pitches[-1] + 0.75 + MARGIN,
        5.6,
        2 * MARGIN + text_width(title, style.TITLE + 0.5, "bold"),
    )
    key = [
        Mark("━", style.INK, "chosen by the study's rule: bold"),
        Mark("┄", _LOST, "stopped early, diverged or failed"),
    ]
    heading = Heading(title, facts, key)
    start = heading.height(width) + _NAMES
    colours = _colours()
    with style.styled():
        figure = style.new_figure(width, start + _BODY + _NOT_USED)
        heading.draw(figure, width)
        axes = style.place(figure, left, start, across, _BODY)
        axes.set_xlim(0, across)
        axes.set_ylim(0, 1)
        axes.set_axis_off()
        places = np.concatenate([[0.0], np.cumsum(pitches[:-1])])
        for place, (track, x) in enumerate(zip(tracks, places, strict=True)):
            _axis(axes, track, float(x))
            if place < _inputs(tracks) and any(trial.values[place] is None for trial in trials):
                axes.text(
                    x + 0.1, _OFF, "not used", size=style.SMALL, color=style.QUIET,
                    va="center_baseline", zorder=6,
                    bbox={"facecolor": style.PAPER, "alpha": 0.75, "linewidth": 0, "pad": 0.6},
                )  # fmt: skip
        # The chosen last, on top of the others.
        order = sorted(range(len(trials)), key=lambda n: (trials[n].chosen, trials[n].finished))
        heights = _heights(tracks, trials)
        for n in order:
            trial = trials[n]
            share = (
                0.5 if trial.score is None or high == low else (trial.score - low) / (high - low)
            )
            known = trial.finished and trial.score is not None
            _line(axes, places, heights[n], trial, colours(share) if known else _LOST)
        if scores:
            bar = style.place(figure, left + across + pitches[-1], start, _BAR, _BODY)
            _colour_bar(bar, colours, low, high, measure)
        return style.render(figure)


MEASURED = 2
"""The last tracks are the blind score and the test Dice."""


def _inputs(tracks: Sequence[Track]) -> int:
    return len(tracks) - MEASURED


def _colours() -> Colormap:
    """Return viridis without its end, which is too light on white."""
    return ListedColormap(mpl.colormaps["viridis"](np.linspace(0, 0.9, 256)))


def _room(track: Track) -> float:
    """Return the distance to the next track: room for tick labels and half of two names."""
    ticks = max(text_width(text, style.SMALL) for _, text in track.ticks)
    return max(_LEAST, ticks + _TICK_ROOM + 0.3, _name_width(track.name) + 0.2)


def _name_width(name: str) -> float:
    return max(text_width(line, style.LABEL, "bold") for line in _name_lines(name))


def _name_lines(name: str) -> list[str]:
    """Return a name in up to two lines, broken behind the dot or underscore next to its middle."""
    breaks = [n + 1 for n, letter in enumerate(name[:-1]) if letter in "._"]
    if len(name) <= 13 or not breaks:
        return [shortened(name, 24)]
    middle = min(breaks, key=lambda n: abs(n - len(name) / 2))
    return [shortened(name[:middle], 24), shortened(name[middle:], 24)]


def _axis(axes: Axes, track: Track, x: float) -> None:
    axes.plot([x, x], [0, 1], color=style.QUIET, linewidth=0.8, clip_on=False, zorder=1)
    axes.text(
        x, 1.05, "\n".join(_name_lines(track.name)), size=style.LABEL, weight="bold", ha="center",
        va="bottom", linespacing=1.1,
    )  # fmt: skip
    for height, text in track.ticks:
        axes.plot([x, x + 0.05], [height] * 2, color=style.QUIET, linewidth=0.8, clip_on=False)
        axes.text(
            x + 0.08, height, text, size=style.SMALL, va="center_baseline", zorder=6,
            bbox={"facecolor": style.PAPER, "alpha": 0.75, "linewidth": 0, "pad": 0.6},
        )  # fmt: skip


def _heights(tracks: Sequence[Track], trials: Sequence[TrialLine]) -> list[list[float | None]]:
    """Return where each line crosses each track; those of one category are laid side by side."""
    heights: list[list[float | None]] = [[] for _ in trials]
    for place, track in enumerate(tracks):
        values = [trial.values[place] for trial in trials]
        for n, value in enumerate(values):
            height = None if value is None else track.height(value)
            if height is None and place < _inputs(tracks):
                height = _OFF
            elif track.choices and value is not None and height is not None:
                together = [m for m, other in enumerate(values) if other == value]
                aside = (together.index(n) + 0.5) / len(together) - 0.5
                height += 2 * _SPREAD * aside / len(track.choices)
            heights[n].append(height)
    return heights


def _line(
    axes: Axes,
    places: np.ndarray,
    heights: Sequence[float | None],
    trial: TrialLine,
    colour: object,
) -> None:
    known = [(x, y) for x, y in zip(places, heights, strict=True) if y is not None]
    axes.plot(
        [x for x, _ in known],
        [y for _, y in known],
        color=colour,
        linewidth=2.8 if trial.chosen else 1.1,
        linestyle="-" if trial.finished else (0, (3, 2)),
        solid_joinstyle="round",
        marker="o" if trial.chosen else None,
        markersize=4,
        alpha=1.0 if trial.finished else 0.8,
        clip_on=False,
        zorder=4 if trial.chosen else 3 if trial.finished else 2,
    )


def _colour_bar(axes: Axes, colours: Colormap, low: float, high: float, measure: str) -> None:
    axes.imshow(np.linspace(1, 0, 256)[:, None], cmap=colours, aspect="auto", extent=(0, 1, 0, 1))
    axes.set_xticks([])
    axes.yaxis.tick_right()
    track = Track(measure, low, high)
    axes.set_yticks([h for h, _ in track.ticks], [text for _, text in track.ticks])
    axes.set_ylim(0, 1)
    axes.set_title(measure, size=style.SMALL, loc="left")
    for spine in axes.spines.values():
        spine.set_visible(False)
