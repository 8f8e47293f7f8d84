"""A small picture of one segmentation: the outlines on the slices where they cover most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uda_study.report import planes, slice_view, style
from uda_study.report.slice_view import Image, Labels, View

# Inches; at the resolution of figures no panel has more than 400 pixels across.
_PANEL, _GAP = 2.0, 0.06
_FLATTEST, _TALLEST = 0.35, 1.4


def overlay_picture(
    image: Image,
    labels: Labels,
    spacing: Sequence[float],
    axes: Sequence[str],
    across: Sequence[int],
) -> style.Picture:
    """Draw one panel for each axis of ``across``: the slice across it in which labels cover most.

    ``image`` and ``labels`` are (X, Y, Z), ``spacing`` in mm; ``axes`` says towards which side of
    the patient (R, L, A, P, S or I) each index grows.
    """
    panels = []
    for axis in across:
        index = planes.widest_slice(None, labels, axis)
        first, second = (other for other in range(3) if other != axis)
        view = View((spacing[first], spacing[second]), (axes[first], axes[second]), "radiological")
        panels.append((view, _cut(image, axis, index), _cut(labels, axis, index), index))
    shares = [view.proportion(cut.shape) for view, cut, _, _ in panels]
    height = _PANEL * min(max(*shares, _FLATTEST), _TALLEST)
    with style.styled():
        figure = style.new_figure(len(panels) * (_PANEL + _GAP) - _GAP, height)
        window = slice_view.window_of(panels[0][1])
        for number, (view, cut, outlines, index) in enumerate(panels):
            panel = style.place(figure, number * (_PANEL + _GAP), 0, _PANEL, height)
            view.draw(panel, cut, outlines, window=window)
            view.name_sides(panel)
            slice_view.caption(panel, f"slice {index}")
        return style.render(figure)


def _cut(volume: NDArray[Any], axis: int, index: int) -> NDArray[Any]:
    return np.asarray(volume.take(index, axis))
