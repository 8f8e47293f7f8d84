"""Subjects: the template head, deformed, with layers and lesions of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from uda_study.simulation.fields import Axes, along, smooth_field
from uda_study.simulation.template import ORIGIN, STEP, head

Tissue = Literal["air", "scalp", "skull", "csf", "grey", "white", "lesion"]
TISSUES: tuple[Tissue, ...] = ("air", "scalp", "skull", "csf", "grey", "white", "lesion")

LABELS = {"white": 1, "grey": 2, "csf": 3, "ventricles": 4, "lesion": 5, "skull": 6, "scalp": 7}
"""Values in a label map; ``RIGHT`` is added to the first two and to ventricles and lesions of the
right side."""

RIGHT = 10

_FWHM = 2 * np.sqrt(2 * np.log(2))
_VENTRICLES = (0.0, -12.0, 18.0)
_VENTRICLES_REACH = (26.0, 45.0, 26.0)

Field = NDArray[np.float32]


@dataclass(frozen=True)
class Grid:
    """Where an image is sampled: its shape, its voxel (mm), its centre in MNI space (RAS, mm)."""

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    centre: tuple[float, float, float]

    @cached_property
    def axes(self) -> Axes:
        """The RAS coordinates of the voxels along each axis, in mm."""
        x, y, z = (
            centre + spacing * (np.arange(n, dtype=np.float64) - (n - 1) / 2)
            for n, spacing, centre in zip(self.shape, self.spacing, self.centre, strict=True)
        )
        return x, y, z

    @property
    def affine(self) -> NDArray[np.float64]:
        """Voxel indices to RAS mm, ``(4, 4)``."""
        affine = np.diag([*self.spacing, 1.0])
        affine[:3, 3] = [axis[0] for axis in self.axes]
        return affine

    @property
    def cuts(self) -> tuple[int, int, int]:
        """Into how many parts of at most 2.5 mm a voxel is cut along each axis."""
        x, y, z = (int(np.ceil(spacing / 2.5)) for spacing in self.spacing)
        return x, y, z

    def refined(self) -> Grid:
        """Return the same volume in parts of voxels."""
        shape = np.multiply(self.shape, self.cuts).tolist()
        spacing = np.divide(self.spacing, self.cuts).tolist()
        return Grid(
            (shape[0], shape[1], shape[2]), (spacing[0], spacing[1], spacing[2]), self.centre
        )

    def average(self, parts: Field) -> Field:
        """Average values on the refined grid over each voxel, which is partial volume."""
        (x, y, z), (i, j, k) = self.shape, self.cuts
        averaged: Field = parts.reshape(x, i, y, j, z, k).mean(axis=(1, 3, 5), dtype=np.float32)
        return averaged


@dataclass(frozen=True)
class Variation:
    """How much subjects differ.

    ``scale``, ``rotation`` (radians), ``shift`` and ``displacement`` (mm) are standard deviations;
    ``ventricles`` is the largest widening of the lateral ventricles as a share of their size and
    ``lesions`` the mean number of white-matter lesions.
    """

    scale: float = 0.04
    rotation: float = 0.05
    shift: float = 2.5
    displacement: float = 2.5
    ventricles: float = 0.6
    lesions: float = 8.0


@dataclass(frozen=True)
class Anatomy:
    """One subject: volume fractions ``(T, X, Y, Z)`` in the order of `TISSUES`, and its labels.

    ``labels`` ``(X, Y, Z)`` names the tissue with the largest fraction by its value in `LABELS`.
    """

    grid: Grid
    fractions: Field
    labels: NDArray[np.uint8]

    @property
    def inside(self) -> NDArray[np.bool_]:
        """The voxels of the head, ``(X, Y, Z)``."""
        inside: NDArray[np.bool_] = self.fractions[TISSUES.index("air")] < 0.5
        return inside

    def mix(self, values: Mapping[Tissue, float], voxel: tuple[float, float, float]) -> Field:
        """Weigh a value per tissue by the fractions, as acquired in voxels of the size in mm.

        The grid's own voxel averages already; a larger acquired voxel blurs on top of that.
        """
        column = np.array([values[tissue] for tissue in TISSUES], dtype=np.float32)
        mixed = np.tensordot(column, self.fractions, axes=1)
        spacing = np.asarray(self.grid.spacing)
        width = np.sqrt(np.clip(np.asarray(voxel) ** 2 - spacing**2, 0, None))
        blurred: Field = ndimage.gaussian_filter(mixed, width / spacing / _FWHM)
        return blurred


def draw_subject(grid: Grid, variation: Variation, rng: np.random.Generator) -> Anatomy:
    """Draw one subject on the grid; the generator decides everything."""
    template, axes = head(), grid.refined().axes
    places = _deform(axes, variation, rng)
    index = (places - _stand(ORIGIN)) / np.float32(STEP)

    def sample(values: Field) -> Field:
        sampled: Field = ndimage.map_coordinates(values, index, order=1, mode="nearest")
        return sampled

    scalp, skull, inner = _layers(axes, sample(template.outside), rng)
    grey, white = sample(template.grey), sample(template.white)
    lesion = white * _lesions(places, sample(template.from_ventricles), variation, rng)
    csf = np.clip(inner - grey - white, 0, 1)
    tissues = np.stack([grid.average(t) for t in (scalp, skull, csf, grey, white - lesion, lesion)])
    tissues /= np.maximum(tissues.sum(axis=0), 1)
    air = np.clip(1 - tissues.sum(axis=0, keepdims=True), 0, 1)
    fractions = np.concatenate([air, tissues])
    ventricles = grid.average(sample(template.ventricles))
    return Anatomy(grid, fractions, _label(fractions, ventricles, grid.average(places[0])))


def _deform(axes: Axes, variation: Variation, rng: np.random.Generator) -> Field:
    """Return the place in the template (mm) that each point of the grid shows, ``(3, X, Y, Z)``."""
    scale = np.diag(1 + rng.normal(0, variation.scale, 3))
    x, y, z = rng.normal(0, variation.rotation, 3)
    spin = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    matrix = ((np.eye(3) + spin + spin @ spin / 2) @ scale).astype(np.float32)
    shift = rng.normal(0, variation.shift, 3).astype(np.float32)
    grid = [axis.astype(np.float32).reshape(along(i)) for i, axis in enumerate(axes)]
    places = np.stack(
        [
            row[0] * grid[0] + row[1] * grid[1] + row[2] * grid[2] + offset
            + smooth_field(axes, 60, variation.displacement, rng)
            for row, offset in zip(matrix, shift, strict=True)
        ]
    )  # fmt: skip
    # To widen the ventricles, points around them show places nearer to the ventricles' centre.
    widening = rng.uniform(-0.1, variation.ventricles)
    away = places - _stand(_VENTRICLES)
    near = np.exp(-((away / _stand(_VENTRICLES_REACH)) ** 2).sum(axis=0) / 2)
    deformed: Field = places - np.float32(widening / (1 + widening)) * near * away
    return deformed


def _stand(point: tuple[float, float, float]) -> Field:
    """Shape a place so that it meets fields ``(3, X, Y, Z)``."""
    return np.array(point, dtype=np.float32).reshape(3, 1, 1, 1)


def _layers(axes: Axes, outside: Field, rng: np.random.Generator) -> tuple[Field, Field, Field]:
    """Cut the distance from the brain (mm) into scalp, skull and all that the skull holds."""
    fluid = rng.uniform(1.5, 3.0)
    bone = rng.uniform(5.5, 8.5) + smooth_field(axes, 90, 0.8, rng)
    skin = rng.uniform(4.0, 8.0) + smooth_field(axes, 90, 0.8, rng)

    def within(border: Field | float) -> Field:
        share: Field = np.clip((border - outside) / np.float32(STEP) + 0.5, 0, 1)
        return share.astype(np.float32)

    inner, to_bone, to_skin = within(fluid), within(fluid + bone), within(fluid + bone + skin)
    return to_skin - to_bone, to_bone - inner, inner


def _lesions(
    places: Field, from_ventricles: Field, variation: Variation, rng: np.random.Generator
) -> Field:
    """Return which share of the white matter at each point is lesion.

    Lesions of age form caps on the lateral ventricles and foci in the white matter beside them
    (Fazekas et al., AJR 149, 1987, 351-356).
    """
    template = head()
    burden = rng.gamma(2.0, 0.5)
    amount = np.clip((2.5 * burden - from_ventricles) / 2, 0, 1).astype(np.float32)
    beside = (template.white > 0.8) & (np.abs(template.from_ventricles - 8) < 7)
    centres = np.argwhere(beside) * STEP + np.asarray(ORIGIN)
    for centre in rng.choice(centres, rng.poisson(variation.lesions * burden)):
        radii = rng.uniform(2.0, 6.0, 3)
        ratio = [
            (p - np.float32(c)) / np.float32(r)
            for p, c, r in zip(places, centre, radii, strict=True)
        ]
        focus = np.float32(1.5) - ratio[0] ** 2 - ratio[1] ** 2 - ratio[2] ** 2
        np.maximum(amount, np.clip(focus, 0, 1), out=amount)
    return amount


def _label(fractions: Field, ventricles: Field, right: Field) -> NDArray[np.uint8]:
    """Give each voxel its largest tissue, with the ventricles and the right side told apart."""
    values = np.array([LABELS.get(tissue, 0) for tissue in TISSUES], dtype=np.uint8)
    labels: NDArray[np.uint8] = values[fractions.argmax(axis=0)]
    labels[(labels == LABELS["csf"]) & (ventricles > 0.3)] = LABELS["ventricles"]
    sided = np.isin(labels, [LABELS[name] for name in ("white", "grey", "ventricles", "lesion")])
    labels[sided & (right > 0)] += RIGHT
    return labels
