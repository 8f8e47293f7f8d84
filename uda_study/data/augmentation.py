"""What the source's training images are augmented with: transforms, their ranges, and presets.

Names and defaults are those of nnU-Net v2 (`nnUNetTrainer.get_training_transforms`, with the
transforms of batchgeneratorsv2). This module only describes; `uda_study.data.augmentation_draw`
draws and applies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from uda_study.types import Task

Preset = Literal["none", "gamma", "affine", "nnunet", "nnunet_mirror"]

B = TypeVar("B", bound=tuple[Any, ...])


def _rising(bounds: B) -> B:
    if bounds[0] > bounds[1]:
        raise ValueError("must not begin above its end")
    return bounds


_Share = Annotated[float, Field(ge=0, le=1)]
_Factor = Annotated[float, Field(gt=0, le=10)]
_Deviation = Annotated[float, Field(ge=0, le=10)]
_Shrinking = Annotated[float, Field(gt=0, le=1)]
Factors = Annotated[tuple[_Factor, _Factor], AfterValidator(_rising)]
Deviations = Annotated[tuple[_Deviation, _Deviation], AfterValidator(_rising)]
Shrinkings = Annotated[tuple[_Shrinking, _Shrinking], AfterValidator(_rising)]


class _Described(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Affine(_Described):
    """Rotation, scaling and a shift, in one resampling; images linearly, labels nearest.

    ``rotation``: degrees to either side, about each axis. ``scaling``: how many times larger
    objects become; its reciprocal is drawn uniformly. ``translation``: the largest shift, as a
    share of the patch. ``in_plane``: in the first two axes alone, as always in 2D.
    """

    type: Literal["affine"] = "affine"
    p_rotation: _Share = 0.2
    rotation: float = Field(15.0, ge=0, le=180)
    p_scaling: _Share = 0.2
    scaling: Factors = (0.7, 1.4)
    isotropic: bool = True
    p_translation: _Share = 0.0
    translation: _Share = 0.0
    in_plane: bool = False


class Noise(_Described):
    """Gaussian noise of a deviation in ``std``, in units of the normalised image."""

    type: Literal["noise"] = "noise"
    p: _Share = 0.1
    std: Deviations = (0.0, 0.1)


class Blur(_Described):
    """A Gaussian filter of a deviation in ``std`` voxels, drawn for each axis and channel."""

    type: Literal["blur"] = "blur"
    p: _Share = 0.2
    p_channel: _Share = 0.5
    std: Deviations = (0.5, 1.0)


class Brightness(_Described):
    """Multiplies intensities; as often by less than 1 as by more."""

    type: Literal["brightness"] = "brightness"
    p: _Share = 0.15
    factor: Factors = (0.75, 1.25)


class Contrast(_Described):
    """Spreads intensities about their mean and clips them to the range that they had."""

    type: Literal["contrast"] = "contrast"
    p: _Share = 0.15
    factor: Factors = (0.75, 1.25)


class LowResolution(_Described):
    """Shrinks each side to a share in ``scale`` (nearest voxel) and enlarges it again (linear)."""

    type: Literal["low_resolution"] = "low_resolution"
    p: _Share = 0.25
    p_channel: _Share = 0.5
    scale: Shrinkings = (0.5, 1.0)
    in_plane: bool = False


class Gamma(_Described):
    """Raises intensities, rescaled to [0, 1], to a power; mean and deviation stay what they were.

    ``invert``: of the negative image, so that bright intensities are spread, not dark ones.
    """

    type: Literal["gamma"] = "gamma"
    p: _Share = 0.3
    exponent: Factors = (0.7, 1.5)
    invert: bool = False


class Mirror(_Described):
    """Reverses each of the axes with probability ``p``."""

    type: Literal["mirror"] = "mirror"
    p: _Share = 0.5
    axes: tuple[Annotated[int, Field(ge=0, le=2)], ...] = Field((0, 1), min_length=1)


Kind = Affine | Noise | Blur | Brightness | Contrast | LowResolution | Gamma | Mirror
KINDS: tuple[type[Kind], ...] = (
    Affine, Noise, Blur, Brightness, Contrast, LowResolution, Gamma, Mirror,
)  # fmt: skip


def kind_name(kind: type[Kind]) -> str:
    """Return what a study file calls the transform.

    >>> kind_name(LowResolution)
    'low_resolution'
    """
    name: str = kind.model_fields["type"].default
    return name


_NAMES = tuple(kind_name(kind) for kind in KINDS)


def _named(value: Any) -> str | None:
    name = value.get("type") if isinstance(value, Mapping) else getattr(value, "type", None)
    return name if name in _NAMES else None


Transform = Annotated[
    Annotated[Affine, Tag("affine")]
    | Annotated[Noise, Tag("noise")]
    | Annotated[Blur, Tag("blur")]
    | Annotated[Brightness, Tag("brightness")]
    | Annotated[Contrast, Tag("contrast")]
    | Annotated[LowResolution, Tag("low_resolution")]
    | Annotated[Gamma, Tag("gamma")]
    | Annotated[Mirror, Tag("mirror")],
    Discriminator(
        _named,
        custom_error_type="unknown_transform",
        custom_error_message=f"must have as type one of {', '.join(_NAMES)}",
    ),
]


class Augmentation(_Described):
    """A preset, or transforms of one's own in the order in which they are applied."""

    preset: Preset = "none"
    transforms: tuple[Transform, ...] = ()

    @model_validator(mode="after")
    def _one_of_both(self) -> Augmentation:
        if self.preset != "none" and self.transforms:
            raise ValueError("must have a preset or transforms, not both")
        if any(isinstance(transform, Affine) for transform in self.transforms[1:]):
            raise ValueError("must resample before all else: affine comes first, and once")
        return self

    def resolved(self, task: Task) -> tuple[Kind, ...]:
        """Return the transforms for the task, on whose patch those of nnU-Net depend."""
        return self.transforms or _PRESETS[self.preset](task)


# A patch whose longest side is more than this many times another is rotated less, or in plane.
_ELONGATED_2D, _ANISOTROPIC_3D = 1.5, 3
# nnU-Net scales coordinates by .7 to 1.4, which makes objects smaller where it is above 1.
_NNUNET_SCALING = (1 / 1.4, 1 / 0.7)


def _gamma(_: Task) -> tuple[Kind, ...]:
    return (Gamma(p=0.1, invert=True), Gamma(p=0.3))


def _affine(_: Task) -> tuple[Kind, ...]:
    """Return rotation, zooming and general affine maps, as Dou et al. (2018); ranges are own."""
    return (
        Affine(
            p_rotation=1.0, rotation=15.0, p_scaling=1.0, scaling=(0.85, 1.15), isotropic=False,
            p_translation=1.0, translation=0.05,
        ),
    )  # fmt: skip


def _nnunet(task: Task) -> tuple[Kind, ...]:
    """Return the published set, in its order, without mirroring and elastic deformation."""
    longest = max(task.patch_size)
    in_plane = task.spatial_dims == 3 and longest > _ANISOTROPIC_3D * task.patch_size[2]
    rotation = 180.0 if task.spatial_dims == 2 or in_plane else 30.0
    if task.spatial_dims == 2 and longest > _ELONGATED_2D * min(task.patch_size):
        rotation = 15.0
    return (
        Affine(rotation=rotation, scaling=_NNUNET_SCALING, in_plane=in_plane),
        Noise(),
        Blur(),
        Brightness(),
        Contrast(),
        LowResolution(in_plane=in_plane),
        *_gamma(task),
    )


def _nnunet_mirror(task: Task) -> tuple[Kind, ...]:
    return (*_nnunet(task), Mirror(axes=tuple(range(task.spatial_dims))))


_PRESETS: Mapping[Preset, Callable[[Task], tuple[Kind, ...]]] = {
    "none": lambda _: (),
    "gamma": _gamma,
    "affine": _affine,
    "nnunet": _nnunet,
    "nnunet_mirror": _nnunet_mirror,
}
