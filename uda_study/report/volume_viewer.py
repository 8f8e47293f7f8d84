"""Volumes inside a page: slices through images, truth and prediction, without a network.

Drawn by NiiVue (Hanayik, Rorden, Drake et al., github.com/niivue/niivue, BSD-2-Clause), which
nilearn brings along; it needs WebGL 2.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from importlib.resources import files

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from uda_study.report import style

MOST_OF_A_CASE = 1_500_000
"""Characters that the three volumes of one case may take; larger ones are cut and thinned out."""
MOST_OF_A_PAGE = 12_000_000
"""Characters of all cases together: with pictures and viewer the page can still be mailed."""

_MARGIN_MM = 20.0
_WINDOW = (0.5, 99.5)
_OPACITY = {"truth": 0.6, "prediction": 0.5}

_Volumes = tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]


@dataclass(frozen=True)
class ViewedCase:
    """A case ready to be shown: three gzipped NIfTI volumes on one grid, as base64.

    ``about`` says in words what is shown; ``focus`` is the point in mm that the slices go through
    at first; ``flat`` is the axis (0 left-right, 1 front-back, 2 up-down) of an image of one slice.
    """

    name: str
    about: str
    image: str
    truth: str
    prediction: str
    focus: tuple[float, float, float]
    flat: int | None

    @property
    def size(self) -> int:
        """Characters that the volumes take."""
        return len(self.image) + len(self.truth) + len(self.prediction)


def viewed_case(
    name: str,
    image: NDArray[np.floating],
    truth: NDArray[np.uint8],
    prediction: NDArray[np.uint8],
    affine: NDArray[np.float64],
    most: int = MOST_OF_A_CASE,
) -> ViewedCase:
    """Return a case to show; all volumes ``(X, Y, Z)`` on the grid of ``affine`` (voxel to mm).

    The image is stored as 8 bits between its 0.5th and 99.5th percentile. If it takes more than
    ``most`` characters, it is cut to 20 mm around truth and prediction, and then every second
    voxel is left out along the finest axis until it fits.
    """
    low, high = (float(edge) for edge in np.percentile(image, _WINDOW))
    scaled = np.clip((image - low) / max(high - low, 1e-6), 0, 1)
    volumes: _Volumes = ((scaled * 255).round().astype(np.uint8), truth, prediction)
    notes: list[str] = []
    while True:
        encoded = [_encoded(volume, affine) for volume in volumes]
        if sum(map(len, encoded)) <= most or max(volumes[0].shape) == 1:
            break
        box = _box(volumes[1] | volumes[2], affine)
        if not notes and any(s.stop - s.start < n for s, n in zip(box, truth.shape, strict=True)):
            notes.append(f"cut to {_MARGIN_MM:g} mm around what is marked")
            volumes, affine = _cut(volumes, affine, box)
        else:
            volumes, affine = _thinned(volumes, affine)
    if volumes[0].shape != image.shape:
        notes.append(f"{' x '.join(map(str, volumes[0].shape))} of "
                     f"{' x '.join(map(str, image.shape))} voxels")  # fmt: skip
    seen, real, found = encoded
    focus = _focus(volumes[1], volumes[2], affine)
    about = "; ".join([name, *notes])
    return ViewedCase(name, about, seen, real, found, focus, _flat(image.shape, affine))


def fitting(cases: Sequence[ViewedCase], most: int = MOST_OF_A_PAGE) -> tuple[ViewedCase, ...]:
    """Return the cases, from the first on, that a page has room for."""
    sizes = np.cumsum([case.size for case in cases])
    return tuple(case for case, size in zip(cases, sizes, strict=True) if size <= most)


def viewer(cases: Sequence[ViewedCase], structures: Sequence[str]) -> str:
    """Return the viewer of at least one case as HTML; it needs the page to run `scripts`.

    Without WebGL, without scripts and on paper a sentence stands in its place.
    """
    colours = _colours(len(structures))
    document = {
        "structures": list(structures),
        "colours": colours,
        "cases": [vars(case) for case in cases],
    }
    text = json.dumps(document).replace("<", "\\u003c")
    options = "".join(f'<option value="{n}">{escape(c.name)}</option>' for n, c in enumerate(cases))
    # Of one structure both layers have a colour of their own and are seen at once; of several the
    # colours tell structures apart, so the layers are looked at in turn.
    one = len(structures) == 1
    layers = "".join(
        f'<label><input type="checkbox" data-part="{layer}-shown"'
        f"{' checked' if one or layer == 'prediction' else ''}>"
        f"{_swatch(colours[layer][0]) if one else ''} {layer}</label>"
        f'<label>opacity <input type="range" min="0" max="1" step="0.05" value="{_OPACITY[layer]}"'
        f' data-part="{layer}-opacity" aria-label="opacity of the {layer}"></label>'
        for layer in ("truth", "prediction")
    )
    names = zip(structures, colours["truth"], strict=True)
    legend = "" if one else " ".join(f"{_swatch(c)} {escape(n)}" for n, c in names)
    return (
        '<div class="viewer" id="viewer">'
        '<p data-part="without">The volumes are shown where scripts run and WebGL 2 is there; '
        "the pictures above need neither.</p>"
        '<p class="on-paper">The volumes can be looked through on a screen.</p>'
        '<div data-part="with" hidden><div class="controls">'
        f'<label>case <select data-part="case">{options}</select></label>{layers}</div>'
        f'<p class="note">{legend}</p>'
        '<div class="screen"><canvas data-part="canvas" tabindex="0" '
        'aria-label="slices through the volume"></canvas></div>'
        '<p class="note" data-part="about"></p></div></div>'
        f'<script type="application/json" id="viewer-cases">{text}</script>'
    )


def scripts() -> tuple[str, str]:
    """Return NiiVue and the script that shows the cases with it."""
    niivue = files("nilearn") / "_assets" / "js" / "niivue.umd.js"
    own = files("uda_study.report") / "assets" / "volume_viewer.js"
    return niivue.read_text(encoding="utf-8"), own.read_text(encoding="utf-8")


def _colours(structures: int) -> dict[str, list[str]]:
    if structures == 1:
        return {"truth": [style.CONTOURS[0]], "prediction": [style.LINES[0]]}
    own = [style.contour(k)[0] for k in range(1, structures + 1)]
    return {"truth": own, "prediction": own}


def _swatch(colour: str) -> str:
    return f'<i style="background:{colour}"></i>'


def _encoded(volume: NDArray[np.uint8], affine: NDArray[np.float64]) -> str:
    """Return a gzipped NIfTI; equal volumes give equal text."""
    data = nib.Nifti1Image(volume, affine).to_bytes()
    return base64.b64encode(gzip.compress(data, mtime=0)).decode("ascii")


def _box(marked: NDArray[np.uint8], affine: NDArray[np.float64]) -> tuple[slice, ...]:
    """Return where something is marked, with a margin; everything where nothing is."""
    margins = _MARGIN_MM / nib.affines.voxel_sizes(affine)
    box = []
    for axis, margin in enumerate(margins):
        others = tuple(other for other in range(3) if other != axis)
        found = np.flatnonzero(marked.any(axis=others))
        if not len(found):
            return tuple(slice(0, length) for length in marked.shape)
        start = max(int(found[0] - np.ceil(margin)), 0)
        box.append(slice(start, min(int(found[-1] + np.ceil(margin)) + 1, marked.shape[axis])))
    return tuple(box)


def _cut(
    volumes: _Volumes, affine: NDArray[np.float64], box: tuple[slice, ...]
) -> tuple[_Volumes, NDArray[np.float64]]:
    moved = affine.copy()
    moved[:3, 3] = nib.affines.apply_affine(affine, [part.start for part in box])
    image, truth, prediction = (volume[box] for volume in volumes)
    return (image, truth, prediction), moved


def _thinned(
    volumes: _Volumes, affine: NDArray[np.float64]
) -> tuple[_Volumes, NDArray[np.float64]]:
    """Leave out every second voxel along the axis whose voxels are shortest."""
    edges = nib.affines.voxel_sizes(affine)
    long = [axis for axis in range(3) if volumes[0].shape[axis] > 1]
    axis = min(long, key=lambda each: edges[each])
    steps = tuple(slice(None, None, 2 if each == axis else 1) for each in range(3))
    coarser = affine.copy()
    coarser[:3, axis] *= 2
    image, truth, prediction = (volume[steps] for volume in volumes)
    return (image, truth, prediction), coarser


def _focus(
    truth: NDArray[np.uint8], prediction: NDArray[np.uint8], affine: NDArray[np.float64]
) -> tuple[float, float, float]:
    """Return the median voxel of the truth in mm; where it is empty, of the prediction."""
    marked = next((v for v in (truth, prediction) if v.any()), np.ones_like(truth))
    voxel = [int(np.median(place)) for place in np.nonzero(marked)]
    x, y, z = nib.affines.apply_affine(affine, voxel)
    return float(x), float(y), float(z)


def _flat(shape: Sequence[int], affine: NDArray[np.float64]) -> int | None:
    """Return the axis of the patient along which there is a single voxel, if there is one."""
    directions = nib.io_orientation(affine)[:, 0]
    return next((int(directions[axis]) for axis in range(3) if shape[axis] == 1), None)
