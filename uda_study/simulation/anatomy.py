"""Subjects: the template head, deformed, with layers and lesions of their own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from uda_study.simulation.fields import Axes, smooth_field
from uda_study.simulation.template import STEP, Template, head

Tissue = Literal["air", "scalp", "skull", "csf", "grey", "white", "lesion"]
TISSUES: tuple[Tissue, ...] = ("air", "scalp", "skull", "csf", "grey", "white", "lesion")

LABELS = {"white": 1, "grey": 2, "csf": 3, "ventricles": 4, "lesion": 5, "skull": 6, "scalp": 7}
"""Values in a label map; white, grey, ventricles and lesion of the right side are 10 higher."""

RIGHT = 10

_CENTRE_OF_VENTRICLES = np.array([0.0, -12.0, 18.0])


@dataclass(frozen=True)
class Grid:
    """Where images are sampled: shape, voxel (mm) and the centre of the volume in MNI space."""

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    centre: tuple[float, float, float]

    @property
    def affine(self) -> NDArray[np.float64]:
        """Voxel index to RAS mm, ``(4, 4)``."""
        affine = np.diag([*self.spacing, 1.0])
        affine[:3, 3] = [axis[0] for axis in self.axes]
        return affine

    @cached_property
    def axes(self) -> Axes:
        """The RAS coordinates of the voxels along each axis, in mm."""
        x, y, z = (
            centre + spacing * (np.arange(n) - (n - 1) / 2)
            for n, spacing, centre in zip(self.shape, self.spacing, self.centre, strict=True)
        )
        return x, y, z

    @property
    def factors(self) -> tuple[int, int, int]:
        """Into how many parts a voxel is cut along each axis to see partial volume."""
        x, y, z = (int(np.ceil(spacing / 2.5)) for spacing in self.spacing)
        return x, y, z

    def refined(self) -> Grid:
        """Return the same volume in voxels of at most 2.5 mm."""
        shape = tuple(n * f for n, f in zip(self.shape, self.factors, strict=True))
        spacing = tuple(s / f for s, f in zip(self.spacing, self.factors, strict=True))
        return Grid(shape, spacing, self.centre)  # type: ignore[arg-type]

    def average(self, fine: NDArray[np.float32]) -> NDArray[np.float32]:
        """Average values on the refined grid over each voxel: partial volume."""
        (x, y, z), (i, j, k) = self.shape, self.factors
        return fine.reshape(x, i, y, j, z, k).mean(axis=(1, 3, 5), dtype=np.float32)


@dataclass(frozen=True)
class Variation:
    """How much subjects differ; lengths in mm, all of them standard deviations but the last two.

    ``ventricles`` is the largest widening of the lateral ventricles as a share of their size,
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

    ``labels`` ``(X, Y, Z)`` holds the tissue with the largest fraction, see `LABELS`.
    """

    grid: Grid
    fractions: NDArray[np.float32]
    labels: NDArray[np.uint8]

    @property
    def inside(self) -> NDArray[np.bool_]:
        """The voxels of the head, ``(X, Y, Z)``."""
        return self.fractions[0] < 0.5

    def mix(self, values: dict[Tissue, float]) -> NDArray[np.float32]:
        """Weigh a value per tissue by the volume fractions, ``(X, Y, Z)``."""
        column = np.array([values[tissue] for tissue in TISSUES], dtype=np.float32)
        return np.tensordot(column, self.fractions, axes=1).astype(np.float32)


def draw_subject(
    grid: Grid, rng: np.random.Generator, variation: Variation | None = None
) -> Anatomy:
    """Draw one subject on the grid; the generator decides everything."""
    variation = variation or Variation()
    template, fine = head(), grid.refined()
    places = _deform(fine.axes, variation, rng)
    index = [(place - start) / STEP for place, start in zip(places, template.origin, strict=True)]

    def sample(map_: NDArray[np.float32]) -> NDArray[np.float32]:
        return ndimage.map_coordinates(map_, index, order=1, mode="nearest")  # type: ignore[no-any-return]

    grey, white = sample(template.grey), sample(template.white)
    ventricles = sample(template.ventricles)
    layers = _layers(fine.axes, sample(template.outside), rng)
    lesion = white * _lesions(places, sample(template.from_ventricles), template, variation, rng)
    scalp, skull, inner = layers
    white = white - lesion
    csf = np.clip(inner - grey - white - lesion, 0, 1)
    tissues = [scalp, skull, csf, grey, white, lesion]
    coarse = np.stack([grid.average(tissue) for tissue in tissues])
    total = coarse.sum(axis=0)
    coarse /= np.maximum(total, 1)
    fractions = np.concatenate([np.clip(1 - total, 0, 1)[None], coarse])
    labels = _label(fractions, grid.average(ventricles), grid.average(places[0]))
    return Anatomy(grid, fractions, labels)


def _deform(
    axes: Axes, variation: Variation, rng: np.random.Generator
) -> list[NDArray[np.float32]]:
    """Return the template's place (mm) that is seen at every point of the grid."""
    scale = np.diag(1 + rng.normal(0, variation.scale, 3))
    x, y, z = rng.normal(0, variation.rotation, 3)
    spin = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    matrix = (np.eye(3) + spin + spin @ spin / 2) @ scale
    shift = rng.normal(0, variation.shift, 3)
    x, y, z = (axis.astype(np.float32).reshape(_along(i)) for i, axis in enumerate(axes))
    places = []
    for row, offset in zip(matrix, shift, strict=True):
        affine = np.float32(row[0]) * x + np.float32(row[1]) * y + np.float32(row[2]) * z
        places.append(
            affine + np.float32(offset) + smooth_field(axes, 60, variation.displacement, rng)
        )
    widening = rng.uniform(-0.1, variation.ventricles)
    away = [p - np.float32(c) for p, c in zip(places, _CENTRE_OF_VENTRICLES, strict=True)]
    near = np.exp(-sum((a / w) ** 2 for a, w in zip(away, (26.0, 45.0, 26.0), strict=True)) / 2)
    squeeze = (widening / (1 + widening) * near).astype(np.float32)
    return [p - squeeze * a for p, a in zip(places, away, strict=True)]


def _along(axis: int) -> tuple[int, int, int]:
    x, y, z = (-1 if axis == other else 1 for other in range(3))
    return x, y, z


def _layers(
    axes: Axes, outside: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Cut the distance from the brain (mm) into scalp, skull and all that lies inside."""
    fluid = rng.uniform(1.5, 3.0)
    bone = rng.uniform(5.5, 8.5) + smooth_field(axes, 90, 0.8, rng)
    skin = rng.uniform(4.0, 8.0) + smooth_field(axes, 90, 0.8, rng)

    def within(border: NDArray[np.float32] | float) -> NDArray[np.float32]:
        return np.clip((border - outside) / 2 + 0.5, 0, 1).astype(np.float32)

    inner, to_bone, to_skin = within(fluid), within(fluid + bone), within(fluid + bone + skin)
    return to_skin - to_bone, to_bone - inner, inner


def _lesions(
    places: list[NDArray[np.float32]],
    from_ventricles: NDArray[np.float32],
    template: Template,
    variation: Variation,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Return how much of the white matter at each point is lesion, 0 to 1.

    Age-related lesions form caps along the lateral ventricles and foci in the white matter beside
    them (Fazekas et al., AJR 149, 1987, 351-356).
    """
    burden = rng.gamma(2.0, 0.5)
    cap = burden * 2.5
    amount = (
        np.clip((cap - from_ventricles) / 2 + 0.5, 0, 1) if cap > 1 else np.zeros_like(places[0])
    )
    beside = (template.white > 0.8) & (np.abs(template.from_ventricles - 8) < 7)
    candidates = np.argwhere(beside) * STEP + np.asarray(template.origin)
    for centre in rng.choice(candidates, rng.poisson(variation.lesions * burden)):
        radii = rng.uniform(2.0, 6.0, 3)
        parts = [
            ((p - np.float32(c)) / np.float32(r)) ** 2
            for p, c, r in zip(places, centre, radii, strict=True)
        ]
        amount = np.maximum(amount, np.clip(1.5 - sum(parts), 0, 1))
    return amount.astype(np.float32)


def _label(
    fractions: NDArray[np.float32], ventricles: NDArray[np.float32], side: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Give each voxel its largest tissue, the ventricles and the right side told apart."""
    values = np.array([0 if t == "air" else LABELS[t] for t in TISSUES], dtype=np.uint8)
    labels: NDArray[np.uint8] = values[fractions.argmax(axis=0)]
    labels[(labels == LABELS["csf"]) & (ventricles > 0.3)] = LABELS["ventricles"]
    sided = np.isin(labels, [LABELS[n] for n in ("white", "grey", "ventricles", "lesion")])
    labels[sided & (side > 0)] += RIGHT
    return labels
