"""Simulated heads in MR and CT: nothing to download, and the truth is known."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, PositiveFloat, model_validator

from uda_study.dataset import Dataset, DatasetInfo, DatasetOptions, Preprocessing
from uda_study.errors import InputError, StoreError
from uda_study.simulation.anatomy import LABELS, RIGHT, Grid, Variation, draw_subject
from uda_study.simulation.ct import Window
from uda_study.simulation.domains import Domain, is_mixed, series
from uda_study.simulation.write import write_nifti
from uda_study.types import Case

Structure = Literal[
    "skull", "scalp", "brain", "white_matter", "grey_matter", "csf", "ventricles", "lesions",
    "left_hemisphere", "right_hemisphere",
]  # fmt: skip
Side = Annotated[int, Field(ge=4, le=256)]

_CONTRASTS: dict[str, tuple[str, ...]] = {
    "t1": ("t1",),
    "flair": ("flair",),
    "both": ("t1", "flair"),
}
_PRESETS = {
    "slices": ((64, 64, 8), (3.5, 3.5, 7.0)),
    "small3d": ((48, 48, 48), (4.5, 4.5, 4.5)),
}
_CENTRE = (0.0, -17.0, 14.0)
_FORMAT = 1


def _both(*names: str) -> tuple[int, ...]:
    return tuple(LABELS[name] + side for side in (0, RIGHT) for name in names)


_STRUCTURES: dict[Structure, tuple[int, ...]] = {
    "skull": (LABELS["skull"],),
    "scalp": (LABELS["scalp"],),
    "brain": _both("white", "grey", "lesion"),
    "white_matter": _both("white"),
    "grey_matter": _both("grey"),
    "csf": (LABELS["csf"], *_both("ventricles")),
    "ventricles": _both("ventricles"),
    "lesions": _both("lesion"),
    "left_hemisphere": tuple(LABELS[name] for name in ("white", "grey", "lesion")),
    "right_hemisphere": tuple(LABELS[name] + RIGHT for name in ("white", "grey", "lesion")),
}


class PhantomOptions(DatasetOptions):
    """Which heads are simulated.

    ``domains``: ``mr`` is the scanner of Utrecht under a short name, ``inverted`` the same with
    dark and bright exchanged inside the head and a texture, ``mixed`` T1, FLAIR, inverted T1 and
    CT in turns, one channel per subject; every domain shows other subjects. ``size`` is a preset,
    unless ``shape`` (voxels) and ``spacing`` (mm) are given. ``contrast`` selects the channels of
    the MR domains and of ``inverted``. ``window`` is the level and the width of CT in HU.
    ``structures`` are labelled in this order.
    """

    domains: tuple[Domain, ...] = Field(("mr", "ct"), min_length=1)
    subjects: int = Field(20, ge=1, le=999, description="subjects per domain")
    size: Literal["slices", "small3d"] = "slices"
    shape: tuple[Side, Side, Side] | None = None
    spacing: tuple[PositiveFloat, PositiveFloat, PositiveFloat] | None = None
    contrast: Literal["t1", "flair", "both"] = "t1"
    window: tuple[float, PositiveFloat] = (Window().level, Window().width)
    structures: tuple[Structure, ...] = Field(("skull",), min_length=1)
    seed: int = Field(0, ge=0)

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if len(set(self.domains)) < len(self.domains):
            raise ValueError("domains must be named once each")
        if (self.shape is None) != (self.spacing is None):
            raise ValueError("shape and spacing must be given together")
        single = [domain for domain in self.domains if len(series(domain, 1)) == 1]
        if self.contrast == "both" and single:
            raise ValueError(
                f"contrast 'both' has two channels and {single[0]} has one; leave out either"
            )
        values = [value for name in self.structures for value in _STRUCTURES[name]]
        if len(set(values)) < len(values):
            raise ValueError("structures must not overlap; leave out one of those that do")
        return self

    @property
    def grid(self) -> Grid:
        """Where the images are sampled."""
        if self.shape is not None and self.spacing is not None:
            return Grid(self.shape, self.spacing, _CENTRE)
        return Grid(*_PRESETS[self.size], _CENTRE)

    @property
    def recipe(self) -> str:
        """A short hash of all that the files of one domain depend on."""
        parts = (_FORMAT, self.grid, self.subjects, self.window, self.seed)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]


class Phantom(Dataset[PhantomOptions]):
    """Simulated heads, deformed from the MNI152 template, written as NIfTI on first use."""

    Options = PhantomOptions
    info: ClassVar[DatasetInfo] = DatasetInfo(
        summary="simulated heads in MR, CT, an inverted contrast and a mixture; made on first use",
        licence="the template's: free for any use with its copyright notice",
        citation="Fonov et al., NeuroImage 54 (2011) 313-327, as shipped with nilearn",
        request="nowhere, it is made",
        tree="no root: images are made in the cache folder",
    )

    def __init__(self, options: PhantomOptions, root: Path | None, cache: Path) -> None:
        super().__init__(options, root, cache)
        if root is not None:
            raise InputError.of(
                "data.root", "must be left out: the phantom makes its own images", root
            )

    def cases(self) -> Sequence[Case]:
        """Return all cases by domain and number, after making the domains that are missing.

        Raises `StoreError` if files of a domain that was made are gone.
        """
        folder = self.cache / f"phantom-{self.options.recipe}"
        for domain in self.options.domains:
            if not (folder / domain).is_dir():
                self._make(folder, domain)
        cases = [
            self._case(folder / domain, domain, number)
            for domain in self.options.domains
            for number in range(1, self.options.subjects + 1)
        ]
        for case in cases:
            for file in (*case.images, *case.labels, *([case.mask] if case.mask else [])):
                if not file.is_file():
                    raise StoreError(f"{file} is gone; delete the folder {folder} to make it anew")
        return cases

    def preprocessing(self) -> Preprocessing:
        """Return the structures that were asked for, on the native grid, z-scored in the head."""
        return Preprocessing(labels={name: _STRUCTURES[name] for name in self.options.structures})

    def _case(self, folder: Path, domain: Domain, number: int) -> Case:
        subject = f"{domain}-{number:03d}"
        made = tuple(series(domain, number))
        channels = made if len(made) == 1 else _CONTRASTS[self.options.contrast]
        return Case(
            # Where subjects differ in it, tables and pictures name how one was imaged.
            id=f"{subject}-{made[0]}" if is_mixed(domain) else subject,
            subject=subject,
            domain=domain,
            images=tuple(folder / subject / f"{channel}.nii.gz" for channel in channels),
            label=folder / subject / "label.nii.gz",
            mask=folder / subject / "mask.nii.gz",
        )

    def _make(self, folder: Path, domain: Domain) -> None:
        """Write a domain beside its place and move it there whole; the first of two wins."""
        folder.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(prefix=f".{domain}-", dir=folder))
        try:
            for number in range(1, self.options.subjects + 1):
                self._write(unfinished / f"{domain}-{number:03d}", domain, number)
            unfinished.chmod(0o755)
            try:
                unfinished.rename(folder / domain)
            except OSError:
                if not (folder / domain).is_dir():
                    raise
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _write(self, folder: Path, domain: Domain, number: int) -> None:
        rng = np.random.default_rng([self.options.seed, number, *domain.encode()])
        grid = self.options.grid
        anatomy = draw_subject(grid, Variation(), rng)
        folder.mkdir()
        window = Window(*self.options.window)
        for name, acquire in series(domain, number).items():
            write_nifti(folder / f"{name}.nii.gz", acquire(anatomy, window, rng), grid)
        write_nifti(folder / "label.nii.gz", anatomy.labels, grid)
        write_nifti(folder / "mask.nii.gz", anatomy.inside.astype(np.uint8), grid)
