"""``uda-study init``: a study of one's own images to start from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from uda_study.cli.console import Screen
from uda_study.errors import InputError

_MANIFEST = """\
subject,domain,image,label
p1,mr,images/p1.nii.gz,labels/p1.nii.gz
p2,ct,images/p2.nii.gz,labels/p2.nii.gz
"""

_STUDY = """\
# How many early layers should adversarial adaptation replace on my images?
# Name the domains and structures of your manifest.csv, then: uda-study validate study.yaml
version: 1
name: my_study
method: dam
matrix:
  dam.depth: [g2, g4, g6]
  direction: [mr->ct]                 # from the labelled domain to the one without labels
data:
  dataset: manifest
  root: .                             # the folder of manifest.csv, relative to this file
  spatial_dims: 2                     # slices; 3 for volumes
  labels: {organ: [1]}                # structure: its values in the label files
  spacing: [1, 1, 3]                  # mm
  patch_size: [128, 128]              # voxels of that grid
search: {alg: tpe, num_samples: 8, seed: 0}
scheduler: {type: asha, grace_period: 100, reduction_factor: 3}
confirm: {top_k: 1, seeds: [1, 2, 3]}
baselines: [no_adaptation, target_supervised]
parameters:
  optim.lr:           {type: float, low: 1e-4, high: 1e-3, log: true}
  adversarial_weight: {type: float, low: 1e-4, high: 1e-1, log: true}
  critic.steps:       {type: int, low: 1, high: 20}
  segmenter.name: dilated_fcn
  segmenter.width: 16
  segmenter.steps: 2000
  segmenter.batch_size: 8
  critic.input: pool
  critic.warm_up: 50
  critic.growth: 0
  batch_size: 8
  steps: 400
"""


def init(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to write them.")] = Path(
        "."
    ),
) -> None:
    """Write a study file and a manifest of images to start from; nothing is overwritten."""
    files = {folder / "study.yaml": _STUDY, folder / "manifest.csv": _MANIFEST}
    there = [str(path) for path in files if path.exists()]
    if there:
        raise InputError.of(
            "init", "must not overwrite files", ", ".join(there), "name another DIR"
        )
    folder.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    Screen().note(
        f"written: {', '.join(map(str, files))}\n"
        "list your images in the manifest, name structures and domains in the study file, then\n"
        f"  uda-study plan {folder / 'study.yaml'}"
    )
