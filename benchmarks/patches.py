"""Patches per second: the study's sampler beside TorchIO's Queue and MONAI's cropping.

    python benchmarks/patches.py [--dims 2 3] [--rounds 5]

All draw labelled patches, half of them centred on a structure, of the same volumes of noise, one
batch after the other in the process itself. MONAI keeps the volumes in memory (CacheDataset, then
RandCropByPosNegLabeld), TorchIO's Queue holds the patches of all volumes (LabelSampler), and the
sampler maps its prepared files, as in a study. They take turns, so that other load meets all;
what each does once, before its first batch, is printed by itself. MONAI is left out where it is
not installed.
"""

import argparse
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
import torchio as tio
from numpy.typing import NDArray

from uda_study.data.labels import LabelReader
from uda_study.data.prepare import prepare
from uda_study.data.sampler import Sampler
from uda_study.dataset import Preprocessing
from uda_study.types import Case, Task

VOLUMES, SHAPE = 8, (128, 128, 96)
PATCH = {2: (64, 64), 3: (48, 48, 48)}
BATCH = 8
PATCHES_OF_A_VOLUME = 16  # per epoch, in the two others
Draw = Callable[[], int]


@dataclass(frozen=True)
class Volume:
    """One image and its label, both ``(X, Y, Z)``, in memory and as files."""

    image: NDArray[np.float32]
    label: NDArray[np.uint8]
    files: tuple[Path, Path]


def volumes(folder: Path) -> list[Volume]:
    """Make volumes of noise with a box as structure, at another place in each."""
    made = []
    for number in range(VOLUMES):
        rng = np.random.default_rng(number)
        image = rng.normal(size=SHAPE).astype(np.float32)
        label = np.zeros(SHAPE, np.uint8)
        label[tuple(slice(at, at + 20) for at in rng.integers(10, 70, 3))] = 1
        files = folder / f"i{number}.nii", folder / f"l{number}.nii"
        for file, array in zip(files, (image, label), strict=True):
            nib.save(nib.Nifti1Image(array, np.eye(4)), file)
        made.append(Volume(image, label, files))
    return made


def ours(made: list[Volume], dims: int, folder: Path) -> Draw:
    """Draw with the sampler of a study, from prepared files."""
    cases = [
        Case(f"c{number}", f"s{number}", "a", (volume.files[0],), volume.files[1])
        for number, volume in enumerate(made)
    ]
    prepared = prepare(cases, Preprocessing(labels={"box": (1,)}), folder / "cache")
    task = Task(dims, 1, ("background", "box"), PATCH[dims], (1.0,) * dims)
    allowed = LabelReader(prepared, "a benchmark")
    sampler = Sampler(task, list(prepared.values()), [], allowed, False, "balanced", 1, seed=0)
    index = itertools.count()

    def draw() -> int:
        batch = sampler.draw("benchmark", next(index), BATCH)
        return len(batch.source_image)

    return draw


def of_torchio(made: list[Volume], dims: int, folder: Path) -> Draw:  # noqa: ARG001
    """Draw with a queue that is filled from a label sampler."""
    subjects = [
        tio.Subject(
            image=tio.ScalarImage(tensor=torch.from_numpy(volume.image)[None]),
            label=tio.LabelMap(tensor=torch.from_numpy(volume.label)[None]),
        )
        for volume in made
    ]
    patch = (*PATCH[dims], 1) if dims == 2 else PATCH[dims]
    sampler = tio.data.LabelSampler(patch, "label", {0: 0.5, 1: 0.5})
    queue = tio.Queue(
        tio.SubjectsDataset(subjects), VOLUMES * PATCHES_OF_A_VOLUME, PATCHES_OF_A_VOLUME, sampler,
        num_workers=0,
    )  # fmt: skip
    return counted(lambda: iter(tio.SubjectsLoader(queue, batch_size=BATCH, num_workers=0)))


def of_monai(made: list[Volume], dims: int, folder: Path) -> Draw:  # noqa: ARG001
    """Draw from volumes held in memory, several patches of one volume at a time."""
    from monai.data import CacheDataset, DataLoader  # noqa: PLC0415 - may be absent
    from monai.transforms import Compose, EnsureTyped, RandCropByPosNegLabeld  # noqa: PLC0415

    patch = (*PATCH[dims], 1) if dims == 2 else PATCH[dims]
    crop = RandCropByPosNegLabeld(
        keys=["image", "label"], label_key="label", spatial_size=patch, pos=1, neg=1,
        num_samples=PATCHES_OF_A_VOLUME,
    )  # fmt: skip
    data = [{"image": v.image[None], "label": v.label[None]} for v in made]
    kept = CacheDataset(data, Compose([EnsureTyped(keys=["image", "label"]), crop]), progress=False)
    # A volume gives PATCHES_OF_A_VOLUME patches, so a batch of one volume is two batches of ours.
    return counted(lambda: iter(DataLoader(kept, batch_size=1, shuffle=True, num_workers=0)))


def counted(loader: Callable[[], Iterator[Any]]) -> Draw:
    """Draw batches from one epoch after the other."""
    batches = itertools.chain.from_iterable(loader() for _ in itertools.count())

    def draw() -> int:
        image = next(batches)["image"]
        tensor = image["data"] if isinstance(image, dict) else getattr(image, "data", image)
        return len(tensor)

    return draw


def rate(draw: Draw, seconds: float) -> float:
    """Return how many patches are drawn in a second."""
    start, drawn = time.perf_counter(), 0
    while (spent := time.perf_counter() - start) < seconds:
        drawn += draw()
    return drawn / spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dims", type=int, nargs="+", choices=(2, 3), default=[2, 3])
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    makers = {"uda-study": ours, "TorchIO": of_torchio, "MONAI": of_monai}
    for dims in options.dims:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            made = volumes(folder)
            draws: dict[str, Draw] = {}
            begun: dict[str, float] = {}
            for name, make in makers.items():
                start = time.perf_counter()
                try:
                    draws[name] = make(made, dims, folder)
                except ModuleNotFoundError as error:
                    print(f"{name} is left out: {error}")
                    continue
                draws[name]()
                begun[name] = time.perf_counter() - start
            rates: dict[str, list[float]] = {name: [] for name in draws}
            for _ in range(options.rounds):
                for name, draw in draws.items():
                    rates[name].append(rate(draw, seconds=1.0))
        size = "x".join(map(str, PATCH[dims]))
        print(f"patches of {size} from {VOLUMES} volumes of {'x'.join(map(str, SHAPE))}")
        own = statistics.median(rates["uda-study"])
        for name, found in rates.items():
            middle = statistics.median(found)
            print(
                f"  {name:10} {middle:9.0f} patches/s   ours / it {own / middle:6.2f}"
                f"   first batch after {begun[name]:.2f} s"
            )


if __name__ == "__main__":
    main()
