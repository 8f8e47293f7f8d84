"""Pictures of what a method with styles makes of one anatomy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from uda_study.data.probe import sample_probe
from uda_study.method import RendersStyles
from uda_study.report.styles import Reference, StyleColumn, StyleRow, styles_figure
from uda_study.report.translations import Plane
from uda_study.training.task_data import TaskData
from uda_study.types import Role

_ANATOMIES, _REFERENCES, _SAMPLES = 3, 3, 3


def write_styles(
    path: Path, method: RendersStyles, data: TaskData, device: torch.device, seed: int
) -> None:
    """Draw patches of the source's validation in styles of target images and in sampled ones.

    Of volumes the middle slice is shown. No label is read.
    """
    anatomies = _patches(data, "source_val", _ANATOMIES, seed)
    references = _patches(data, "target_adapt", _REFERENCES, seed)
    with torch.inference_mode():
        known = method.encode_style(references.to(device))
        sampled = method.sample_styles(_SAMPLES, torch.Generator().manual_seed(seed))
        styles = torch.cat([known, sampled.to(known)])
        rendered = [method.render(anatomies.to(device), _repeat(s, anatomies)) for s in styles]
    plane = Plane((data.task.spacing[0], data.task.spacing[1]), ("R", "A"))
    columns = [
        StyleColumn(f"target {number}", Reference(image, plane))
        for number, image in enumerate(_slices(references, data), start=1)
    ]
    columns += [StyleColumn(f"sample {number}") for number in range(1, _SAMPLES + 1)]
    painted = [_slices(images, data) for images in rendered]
    rows = [
        StyleRow(f"source {number + 1}", image, tuple(style[number] for style in painted), plane)
        for number, image in enumerate(_slices(anatomies, data))
    ]
    styles_figure(rows, columns).save(path)


def _patches(data: TaskData, role: Role, count: int, seed: int) -> Tensor:
    cases = data.cases(role)[:count]
    return sample_probe(cases, data.task, data.adjacent_slices, len(cases), seed)


def _repeat(style: Tensor, images: Tensor) -> Tensor:
    return style.expand(len(images), -1)


def _slices(images: Tensor, data: TaskData) -> list[NDArray[np.float32]]:
    """Return the first channel ``(X, Y)`` of the middle slice of each patch."""
    stacked = data.adjacent_slices
    shown = images[:, images.shape[1] // stacked * (stacked // 2)]
    if shown.dim() == 4:
        shown = shown[..., shown.shape[-1] // 2]
    return list(shown.float().cpu().numpy())
