"""One panel: an image slice the right way up and in proportion, with contours and a caption."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from uda_study.report import planes, style

Image = NDArray[np.floating[Any]]
Labels = NDArray[np.uint8]

_SHADE = {"facecolor": "black", "alpha": 0.6, "edgecolor": "none", "boxstyle": "round,pad=0.2"}


@dataclass(frozen=True)
class View:
    """How slices ``(A, B)`` of one image are shown; ``spacing`` in mm along A and B.

    ``axes`` says towards which side of the patient each index grows.
    """

    spacing: tuple[float, float]
    axes: tuple[str, str]
    convention: planes.Convention

    @property
    def pixel(self) -> tuple[float, float]:
        """The mm that one pixel takes across and down the picture."""
        transpose, _, _ = planes.turns(self.axes, self.convention)
        first, second = self.spacing
        return (first, second) if transpose else (second, first)

    def proportion(self, shape: tuple[int, ...]) -> float:
        """Return height over width of a slice of that shape, as it is shown."""
        transpose, _, _ = planes.turns(self.axes, self.convention)
        across, down = self.pixel
        rows, columns = reversed(shape) if transpose else shape
        return rows * down / (columns * across)

    def draw(
        self,
        panel: Axes,
        image: Image,
        labels: Labels | None = None,
        *,
        window: tuple[float, float] | None = None,
        colours: str = "gray",
    ) -> None:
        """Show the image, and the outlines of the structures if there are any.

        ``window`` gives the darkest and the brightest value, by default `window_of` the image.
        """
        across, down = self.pixel
        shown = planes.upright(image, self.axes, self.convention)
        height, width = shown.shape[0] * down, shown.shape[1] * across
        low, high = window or window_of(shown)
        bare(panel, "black")
        panel.imshow(
            shown, cmap=colours, vmin=low, vmax=high, extent=(0, width, height, 0), aspect="auto"
        )
        _fit(panel, width, height)
        if labels is not None:
            turned = planes.upright(labels, self.axes, self.convention)
            _contours(panel, turned, across, down)

    def name_sides(self, panel: Axes) -> None:
        """Write which side of the patient is on the left and on top."""
        left, top = planes.sides(self.axes, self.convention)
        outline = [withStroke(linewidth=1.5, foreground="black")]
        for x, y, text, va in ((0.045, 0.5, left, "center"), (0.5, 0.97, top, "top")):
            panel.text(
                x, y, text, color="white", size=style.SMALL, ha="center", va=va,
                transform=panel.transAxes, path_effects=outline,
            )  # fmt: skip


def bare(panel: Axes, colour: str) -> None:
    """Take ticks and frame away."""
    for spine in panel.spines.values():
        spine.set_visible(False)
    panel.set(xticks=[], yticks=[], facecolor=colour)


def missing(panel: Axes) -> None:
    """Say that there is nothing to show here."""
    bare(panel, style.FAINT)
    panel.text(
        0.5, 0.5, "not available", color=style.QUIET, size=style.SMALL, ha="center", va="center",
        transform=panel.transAxes,
    )  # fmt: skip


def caption(panel: Axes, text: str) -> None:
    """Write into the lower left corner."""
    panel.text(
        0.035, 0.04, text, color="white", size=style.SMALL, ha="left", va="bottom",
        transform=panel.transAxes, bbox=_SHADE,
    )  # fmt: skip


def describe(convention: planes.Convention) -> str:
    """Return the sentence that says which side of the patient is where."""
    side = {"radiological": "right", "neurological": "left"}[convention]
    return f"{convention.capitalize()} view: the patient's {side} is on the left."


def window_of(image: Image) -> tuple[float, float]:
    """Return the darkest and the brightest value to be shown, without the rarest."""
    finite = image[np.isfinite(image)]
    if finite.size == 0:
        return 0.0, 1.0
    low, high = np.percentile(finite, (1, 99.5))
    if low == high:
        low, high = finite.min(), finite.max()
    # A constant image is shown as mid-grey.
    return (float(low) - 1, float(high) + 1) if low == high else (float(low), float(high))


def _fit(panel: Axes, width: float, height: float) -> None:
    """Centre ``width`` x ``height`` mm in the panel, the same scale across and down."""
    box = panel.get_window_extent()
    mm = max(width / box.width, height / box.height)
    across, down = mm * box.width, mm * box.height
    panel.set_xlim((width - across) / 2, (width + across) / 2)
    panel.set_ylim((height + down) / 2, (height - down) / 2)


def _contours(panel: Axes, labels: Labels, across: float, down: float) -> None:
    # The empty margin closes the contours of structures that touch the image's edge.
    padded = np.pad(labels, 1)
    x = (np.arange(padded.shape[1]) - 0.5) * across
    y = (np.arange(padded.shape[0]) - 0.5) * down
    for k in np.unique(labels[labels > 0]):
        colour, line = style.contour(int(k))
        drawn = panel.contour(
            x, y, padded == k, levels=[0.5], colors=[colour], linewidths=1.1, linestyles=[line]
        )
        drawn.set_path_effects([withStroke(linewidth=2.0, foreground="black", alpha=0.55)])
