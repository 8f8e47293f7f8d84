"""Whether a stored model still computes what the trained one did."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from uda_study.method import Method
from uda_study.training.package import load_package

FILE = "round_trip.json"
_VALUES, _TOLERANCE = 512, 1e-4


def write_fingerprint(method: Method[Any], folder: Path) -> None:
    """Note what the model answers to fixed noise, which tells nothing about any patient."""
    (folder / FILE).write_text(json.dumps(_fingerprint(method)))


def predicts_the_same(package: Path, folder: Path) -> bool:
    """Open the package and compare its answers with those noted in the training's folder."""
    method, _ = load_package(package)
    try:
        noted = torch.tensor(json.loads((folder / FILE).read_text()))
    except (OSError, ValueError, TypeError, RuntimeError):
        return False
    found = torch.tensor(_fingerprint(method))
    return found.shape == noted.shape and torch.allclose(found, noted, _TOLERANCE, _TOLERANCE)


def _fingerprint(method: Method[Any]) -> list[float]:
    """Return logits at evenly spread places, computed on the CPU."""
    task = method.task
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, task.in_channels, *task.patch_size, generator=generator)
    device = next(method.parameters()).device
    with torch.inference_mode():
        logits = method.cpu().eval().segment(noise).float().flatten()
    method.to(device)
    places = torch.linspace(0, len(logits) - 1, min(_VALUES, len(logits))).long()
    return [float(value) for value in logits[places]]
