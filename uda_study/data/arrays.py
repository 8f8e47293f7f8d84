"""What one case becomes: its arrays on the study's grid, computed from its files."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from uda_study.data.grid import Grid, labels_to_study, resample_to_study
from uda_study.data.intensity import clip_cut, darken_background, foreground, normalise
from uda_study.data.read import Image, check_same_space, read_image, read_label
from uda_study.dataset import Preprocessing
from uda_study.errors import InputError
from uda_study.types import Case

IGNORED = 255
"""The value in native label arrays of voxels that count in no metric."""


class CaseArrays:
    """The arrays of one case; its image files are read when first needed, and once."""

    def __init__(self, case: Case, preprocessing: Preprocessing) -> None:
        self.case = case
        self.preprocessing = preprocessing

    @cached_property
    def channels(self) -> list[Image]:
        """The native volumes; all lie on the grid of the first."""
        images: list[Image] = []
        for number, path in enumerate(self.case.images, 1):
            alias = (
                self.case.id if len(self.case.images) == 1 else f"{self.case.id} channel {number}"
            )
            image = read_image(path, alias, self.preprocessing.nonfinite)
            if images:
                check_same_space(f"{alias} image", image.array.shape, image.affine, images[0])
            images.append(image)
        return images

    @cached_property
    def grid(self) -> Grid:
        """The study's grid of the case."""
        first = self.channels[0]
        return Grid.of(
            first.array.shape,
            first.affine,
            self.preprocessing.spacing,
            self.preprocessing.size,
            self.preprocessing.slices,
        )

    def image_parts(self) -> Mapping[str, NDArray[Any]]:
        """Return ``image`` (C, X, Y, Z) float32 and ``mask`` (X, Y, Z) bool."""
        volumes, native_mask = self._native()
        mask = resample_to_study(native_mask.astype(np.float32), self.grid, order=1) >= 0.5
        if not mask.any():
            raise InputError.of(
                f"{self.case.id} mask",
                "nothing of the mask lies on the study's grid",
                self.grid.shape,
                "enlarge data.size or correct the mask",
            )
        channels = [
            normalise(
                clip_cut(
                    resample_to_study(volume, self.grid, order=1, fill=float(volume.min())),
                    mask,
                    self.preprocessing.cut,
                ),
                mask,
                self.preprocessing,
                f"{self.case.id} image",
            )
            for volume in volumes
        ]
        return {"image": np.stack(channels), "mask": mask}

    def label_parts(self) -> Mapping[str, NDArray[np.uint8]]:
        """Return ``label`` on the study's grid and ``native`` on the image's own, as classes.

        In ``native`` ignored voxels are `IGNORED`; on the study's grid they are background.
        """
        values = self._label_values()
        native = np.zeros(values.shape, np.uint8)
        for number, named in enumerate(self.preprocessing.labels.values(), 1):
            native[np.isin(values, named)] = number
        where = f"{self.case.id} label"
        if not native.any():
            found = ", ".join(str(value) for value in np.unique(values)[:8])
            raise InputError.of(
                where,
                f"holds none of the structures {', '.join(self.preprocessing.labels)}",
                f"the values {found}",
                "correct data.labels or leave the case out",
            )
        native[np.isin(values, self.preprocessing.ignore) & (native == 0)] = IGNORED
        label = labels_to_study(native, self.grid, len(self.preprocessing.class_names))
        if not label.any():
            raise InputError.of(
                where,
                "no labelled voxel is left on the study's grid",
                f"{self.grid.shape} voxels of {np.round(self.grid.spacing, 3).tolist()} mm",
                "choose a finer data.spacing or a larger data.size",
            )
        return {"label": label, "native": native}

    def _label_values(self) -> NDArray[np.int32]:
        """Return the values of the label file, or the number of the mask that holds a voxel."""
        files = self.case.labels
        if not files:
            raise ValueError(f"{self.case.id} has no label")
        if len(files) == 1:
            return read_label(files[0], self.case.id, self.channels[0])
        values = np.zeros(self.channels[0].array.shape, np.int32)
        for number, file in enumerate(files, 1):
            values[read_label(file, self.case.id, self.channels[0]) > 0] = number
        return values

    def _native(self) -> tuple[list[NDArray[np.float32]], NDArray[np.bool_]]:
        """Return the native volumes, darkened outside a mask that was not given, and the mask."""
        volumes = [image.array for image in self.channels]
        if self.preprocessing.window is not None:
            volumes = [volume.clip(*self.preprocessing.window) for volume in volumes]
        if self.case.mask is not None:
            given = read_label(self.case.mask, self.case.id, self.channels[0], "mask") > 0
            if not given.any():
                raise InputError.of(
                    f"{self.case.id} mask", "the mask is empty", None, "correct the mask"
                )
            return volumes, given
        inside = [foreground(volume) for volume in volumes]
        darkened = [
            darken_background(volume, part) for volume, part in zip(volumes, inside, strict=True)
        ]
        return darkened, np.logical_or.reduce(inside)
