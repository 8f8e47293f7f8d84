"""How the intensities of domains differ: their divergences, and two figures of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from uda_study.data.divergence import BINS, common_edges, histograms, pairwise, to_others
from uda_study.report import style
from uda_study.report.legend import Entry, Legend

Voxels = Sequence[NDArray[np.float32]]
"""The voxels inside the mask of one image, per channel ``(V,)``."""

# Inches.
_MARGIN, _HEAD, _PANEL, _DEEP, _BETWEEN, _AXIS = 0.25, 0.42, 3.35, 1.9, 0.6, 0.45
_CELL, _NAMES = 0.62, 0.95
_BAND = (10, 90)


@dataclass(frozen=True, eq=False)
class Shift:
    """Jensen-Shannon divergences between domains ``(D, D)``, in bits, averaged over the channels.

    On the diagonal of ``divergence`` is the mean over pairs of different images of the domain,
    beside it the mean over pairs of the two domains. ``excess`` is what the second has beyond the
    mean of the two first, all on the edges that the two domains have in common, as in the
    leaderboard. NaN where a domain has too few images.
    """

    domains: tuple[str, ...]
    divergence: NDArray[np.float64]
    excess: NDArray[np.float64]


def domain_shift(domains: Mapping[str, Sequence[Voxels]]) -> Shift:
    """Return the divergences of domains, each a sequence of images with one array per channel."""
    names = tuple(domains)
    divergence = np.full((len(names), len(names)), np.nan)
    excess = np.full_like(divergence, np.nan)
    for i, first in enumerate(names):
        if len(domains[first]) > 1:
            divergence[i, i] = np.mean([_within(one) for one in _by_channel(domains[first])])
        for j, second in enumerate(names[:i]):
            if domains[first] and domains[second]:
                channels = zip(
                    _by_channel(domains[first]), _by_channel(domains[second]), strict=True
                )
                both = np.mean([_between(a, b) for a, b in channels], axis=0)
                divergence[i, j] = divergence[j, i] = both[0]
                excess[i, j] = excess[j, i] = both[1]
    return Shift(names, divergence, excess)


def shift_figure(shifts: Mapping[str, Shift]) -> style.Picture:
    """Draw divergence and excess as tables of squares, one line per entry of ``shifts``."""
    count = len(next(iter(shifts.values())).domains)
    side = count * _CELL
    column = _NAMES + side + 0.35
    row = _HEAD + side + 0.3
    with style.styled():
        figure = style.new_figure(2 * _MARGIN + 2 * column, _MARGIN + len(shifts) * row)
        for line, (title, shift) in enumerate(shifts.items()):
            for place, (name, values) in enumerate(
                (("divergence", shift.divergence), ("excess", shift.excess))
            ):
                left, top = _MARGIN + place * column, _MARGIN + line * row
                style.write(figure, left + _NAMES, top, f"{title}: {name}", weight="bold")
                panel = style.place(figure, left + _NAMES, top + 0.25, side, side)
                _squares(panel, values, shift.domains, named=place == 0)
        return style.render(figure)


def intensity_figure(stages: Mapping[str, Mapping[str, Sequence[Voxels]]]) -> style.Picture:
    """Draw the intensities inside the masks: one panel per stage and channel.

    A line is the mean of the histograms of a domain's images, its band what the middle 80 % of
    them have in each bin. Edges are those of the divergence over all domains.
    """
    names = list(next(iter(stages.values())))
    channels = max(
        len(image) for images in next(iter(stages.values())).values() for image in images
    )
    width = len(stages) * (_PANEL + _BETWEEN) + _MARGIN
    legend = Legend([Entry(n, *style.line(k)) for k, n in enumerate(names)], width - 2 * _MARGIN)
    row = _HEAD + _DEEP + _AXIS
    with style.styled():
        figure = style.new_figure(width, channels * row + legend.height + _MARGIN)
        for place, (title, domains) in enumerate(stages.items()):
            for channel in range(channels):
                left = _MARGIN + 0.25 + place * (_PANEL + _BETWEEN)
                top = channel * row + _HEAD
                label = f"{title}, channel {channel + 1}" if channels > 1 else title
                style.write(figure, left, top - 0.28, label, weight="bold")
                panel = style.place(figure, left, top, _PANEL, _DEEP)
                _lines(panel, {n: [i[channel] for i in one] for n, one in domains.items()})
        legend.draw(figure, _MARGIN + 0.25, channels * row + 0.05)
        return style.render(figure)


def _by_channel(images: Sequence[Voxels]) -> list[list[NDArray[np.float32]]]:
    return [list(channel) for channel in zip(*images, strict=True)]


def _within(images: Sequence[NDArray[np.float32]]) -> float:
    return float(to_others(histograms(images, common_edges(images, []))).mean())


def _between(
    first: Sequence[NDArray[np.float32]], second: Sequence[NDArray[np.float32]]
) -> tuple[float, float]:
    edges = common_edges(first, second)
    a, b = histograms(first, edges), histograms(second, edges)
    between = float(pairwise(a, b).mean())
    return between, between - float(to_others(a).mean() + to_others(b).mean()) / 2


def _lines(panel: Axes, domains: Mapping[str, Sequence[NDArray[np.float32]]]) -> None:
    everything = [image for images in domains.values() for image in images]
    edges = common_edges(everything, [])
    middles = (edges[1:] + edges[:-1]) / 2
    for k, images in enumerate(domains.values()):
        if not images:
            continue
        colour, pattern = style.line(k)
        rows = histograms(images, edges) * 100
        if len(images) > 1:
            low, high = np.percentile(rows, _BAND, axis=0)
            panel.fill_between(middles, low, high, color=colour, alpha=0.18, linewidth=0)
        panel.plot(middles, rows.mean(axis=0), color=colour, linestyle=pattern, linewidth=1.4)
    panel.set_ylim(bottom=0)
    panel.set_xlim(edges[0], edges[-1])
    panel.set_ylabel(f"% of voxels, {BINS} bins")
    panel.set_xlabel("intensity inside the mask")
    panel.grid(axis="y")


def _squares(
    panel: Axes, values: NDArray[np.float64], names: Sequence[str], *, named: bool
) -> None:
    """Draw a square per pair with its number; dark is far apart."""
    panel.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            text = "–" if np.isnan(value) else f"{value:.3f}"
            colour = style.PAPER if value > 0.5 else style.INK
            panel.text(j, i, text, ha="center", va="center", color=colour, size=style.LABEL)
    ticks = range(len(names))
    panel.set_xticks(ticks, [_short(name) for name in names])
    panel.set_yticks(ticks, [_short(name) for name in names] if named else [""] * len(names))
    panel.tick_params(length=0)
    for spine in panel.spines.values():
        spine.set_visible(False)


def _short(name: str) -> str:
    return name if len(name) <= 12 else f"{name[:11]}…"
