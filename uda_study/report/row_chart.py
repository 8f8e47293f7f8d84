"""Named rows with one or more panels beside them: ranks, differences, boxes, prices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from uda_study.report import style
from uda_study.report.frame import MARGIN, Heading, shortened, text_width, wrapped

# Inches.
_PITCH, _BELOW, _HEAD, _NOTE, _LINE = 0.29, 0.48, 0.22, 0.06, 0.17
_GAP, _WORDS, _NARROWEST = 0.28, 0.1, 5.4


@dataclass(frozen=True)
class RowPanel:
    """One panel: ``draw`` gets axes in which the row k, from 0 at the top, lies at y = k.

    ``margin`` holds a text per row that is written to the right of it, under ``head``.
    """

    axis: str
    limits: tuple[float, float]
    draw: Callable[[Axes], None]
    margin: Sequence[str] = ()
    head: str = ""
    title: str = ""
    width: float = 3.6


def row_chart(
    heading: Heading, names: Sequence[str], panels: Sequence[RowPanel], note: str = ""
) -> style.Picture:
    """Draw the panels side by side, the names of their rows on the left, ``note`` below."""
    labels = [shortened(name) for name in names]
    across = max((text_width(label, style.LABEL) for label in labels), default=0.0)
    left = MARGIN + across + 0.12
    margins = [_margin(panel) for panel in panels]
    width = left + sum(panel.width for panel in panels) + sum(margins) + MARGIN
    width += _GAP * (len(panels) - 1)
    width = max(
        width, _NARROWEST, 2 * MARGIN + text_width(heading.title, style.TITLE + 0.5, "bold")
    )
    top = heading.height(width) + _head(panels)
    body = _PITCH * len(labels) + 0.06
    lines = wrapped(note, width - 2 * MARGIN, style.SMALL)
    with style.styled():
        figure = style.new_figure(width, top + body + _BELOW + len(lines) * _LINE + _NOTE)
        heading.draw(figure, width)
        for place, panel in enumerate(panels):
            axes = style.place(figure, left, top, panel.width, body)
            _dress(axes, panel, labels if place == 0 else [""] * len(labels))
            panel.draw(axes)
            axes.set_xlim(*panel.limits)
            _words(figure, axes, panel, left, top)
            left += panel.width + margins[place] + _GAP
        for number, line in enumerate(lines):
            below = top + body + _BELOW + number * _LINE
            style.write(figure, MARGIN, below, line, size=style.SMALL, colour=style.QUIET)
        return style.render(figure)


def _dress(axes: Axes, panel: RowPanel, labels: Sequence[str]) -> None:
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.set_yticks(range(len(labels)), labels, size=style.LABEL)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="both")
    axes.set_xlabel(panel.axis, size=style.SMALL, labelpad=2)


def _words(figure: Figure, axes: Axes, panel: RowPanel, left: float, top: float) -> None:
    right = left + panel.width + _WORDS
    style.write(figure, left, top - _HEAD, panel.title, weight="bold")
    style.write(figure, right, top - _HEAD + 0.02, panel.head, size=style.SMALL, colour=style.QUIET)
    for row, text in enumerate(panel.margin):
        axes.text(
            1 + _WORDS / panel.width, row, text, size=style.LABEL, va="center_baseline",
            transform=axes.get_yaxis_transform(),
        )  # fmt: skip


def _head(panels: Sequence[RowPanel]) -> float:
    return _HEAD if any(panel.title or panel.head for panel in panels) else 0.0


def _margin(panel: RowPanel) -> float:
    texts = [text_width(text, style.LABEL) for text in panel.margin]
    texts.append(text_width(panel.head, style.SMALL))
    return max(texts) + _WORDS if max(texts) else 0.0
