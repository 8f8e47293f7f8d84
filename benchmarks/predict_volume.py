"""Time the prediction of a large volume and measure its peak memory, by the patches' overlap.

    python benchmarks/predict_volume.py [SIDE] [SPACING]

A volume of SIDE^3 voxels (512), five classes, one thread, and two fixed networks that cost next
to nothing: two convolutions of 3 x 3 x 3 (patches of 96) and of 3 x 3 (slices of 256 x 256). So
the seconds are those of windows, blending, resampling and post-processing, not of a network worth
its name. The study's grid is the native one of 1 mm, unless another SPACING makes that everything
is resampled. Each line is a process of its own, of which the largest resident set is shown: reading
and preparing the image, or segmenting it from the cache.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

CLASSES = ("background", "liver", "left kidney", "right kidney", "spleen")
PATCHES = {2: 256, 3: 96}
GIB = 1 << 30


def network(dims: int) -> nn.Module:
    convolution = nn.Conv3d if dims == 3 else nn.Conv2d
    torch.manual_seed(0)
    return nn.Sequential(
        convolution(1, 4, 3, padding=1), nn.ReLU(), convolution(4, len(CLASSES), 3, padding=1)
    )


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB


def make(folder: Path, side: int) -> None:
    """Write a head-like ball of noise as NIfTI, without ever holding it as float64."""
    import nibabel as nib  # noqa: PLC0415 - not in the processes that are measured

    rng = np.random.default_rng(0)
    away = np.linspace(-1, 1, side, dtype=np.float32) ** 2
    voxels = np.empty((side, side, side), np.int16)
    for z in range(side):
        inside = away[:, None] + away[None] + away[z] < 0.8
        voxels[:, :, z] = inside * rng.integers(1, 1000, (side, side), np.int16)
    nib.Nifti1Image(voxels, np.eye(4)).to_filename(folder / "scan.nii")


def measure(folder: Path, what: str, spacing: float) -> None:
    """Prepare the volume, or segment it as `uda-study predict` does; print seconds and memory."""
    from uda_study.data.postprocess import (  # noqa: PLC0415 - imports are part of the memory
        PostprocessSpec,
        postprocess,
        slice_axis,
    )
    from uda_study.data.prepare import prepare  # noqa: PLC0415
    from uda_study.data.windows import segment_volume  # noqa: PLC0415
    from uda_study.dataset import Preprocessing  # noqa: PLC0415
    from uda_study.types import Case, Task  # noqa: PLC0415

    torch.set_num_threads(1)
    preset = Preprocessing(
        labels={name: (k,) for k, name in enumerate(CLASSES) if k}, spacing=(spacing,) * 3
    )
    case = Case("scan", "scan", "ct", (folder / "scan.nii",))
    start = time.monotonic()
    ready = prepare([case], preset, folder / f"cache-{spacing}")["scan"]
    if what != "prepare":
        dims, overlap = (float(word) for word in what.split())
        side = min(PATCHES[int(dims)], ready.image.shape[1])
        task = Task(int(dims), 1, CLASSES, (side,) * int(dims), (1.0,) * int(dims))  # type: ignore[arg-type]
        start = time.monotonic()
        native = segment_volume(ready, network(int(dims)), task, overlap=overlap)
        segmented = time.monotonic() - start
        everything = PostprocessSpec(largest_component=True, fill_holes=True)
        postprocess(native.labels, everything, CLASSES, slice_axis(ready.grid, task))
        print(f"{segmented:8.0f} {time.monotonic() - start - segmented:15.0f} {peak():9.1f}")
    else:
        print(f"{time.monotonic() - start:8.0f} {'':15} {peak():9.1f}")


def main() -> None:
    side = int(sys.argv[1]) if len(sys.argv) > 1 else 512
    spacing = sys.argv[2] if len(sys.argv) > 2 else "1.0"
    print(f"{side}^3 voxels, {len(CLASSES)} classes, probabilities of all of them would take")
    print(f"{len(CLASSES) * side**3 * 4 / GIB:.1f} GiB\n")
    print("dims, overlap    seconds  postprocessing  peak GiB")
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), side)
        for what in ("prepare", "2 0", "2 0.5", "3 0", "3 0.5"):
            print(f"{what:15}", end=" ", flush=True)
            subprocess.run(
                [sys.executable, __file__, "--measure", folder, what, spacing], check=True
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(Path(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
    else:
        main()
