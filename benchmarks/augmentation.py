"""Time what augmentation costs: labelled source samples per second, preset by preset.

    python benchmarks/augmentation.py [SAMPLES]

Simulated heads in 64 x 64 slices and in volumes of 48 x 48 x 48 voxels, cut from the whole and, in
3D, as patches of half the side; one thread, best of five.
"""

import sys
import tempfile
import time
import timeit
from pathlib import Path
from typing import get_args

import torch

from uda_study.data.augmentation import Augmentation, Preset
from uda_study.data.labels import LabelReader
from uda_study.data.prepare import PreparedCase, prepare
from uda_study.data.sampler import Sampler
from uda_study.datasets.phantom import Phantom, PhantomOptions
from uda_study.types import Task

BATCH = 8
REPEATS = 5


def sampler(cases: list[PreparedCase], patch: tuple[int, ...], preset: Preset) -> Sampler:
    task = Task(len(patch), 1, ("background", "skull"), patch, (1.0,) * len(patch))
    return Sampler(
        task,
        cases,
        [],
        LabelReader([case.case.id for case in cases], "a benchmark"),
        False,
        "uniform",
        1,
        0,
        Augmentation(preset=preset).resolved(task),
    )


def per_second(drawn: Sampler, samples: int) -> float:
    """Return the best of some repeats, in seconds of this process: others may want the cores."""

    def draw() -> None:
        for index in range(samples // BATCH):
            drawn.draw("timed", index, BATCH)

    draw()
    seconds = timeit.repeat(draw, timer=time.process_time, number=1, repeat=REPEATS)
    return samples // BATCH * BATCH / min(seconds)


def main() -> None:
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else 800
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for size, patches in (("slices", [(64, 64)]), ("small3d", [(48, 48, 48), (24, 24, 24)])):
            options = PhantomOptions(domains=("mr",), subjects=5, size=size)
            dataset = Phantom(options, None, Path(folder) / "phantom")
            found = prepare(dataset.cases(), dataset.preprocessing(), Path(folder) / "prepared")
            for patch in patches:
                few = samples if len(patch) == 2 else samples // 5
                plain = per_second(sampler([*found.values()], patch, "none"), few)
                for preset in get_args(Preset):
                    speed = per_second(sampler([*found.values()], patch, preset), few)
                    print(
                        f"{'x'.join(map(str, patch)):9} {preset:14} {speed:8.0f} samples/s"
                        f" {1e3 / speed:7.2f} ms each {speed / plain:6.3f} of none"
                    )


if __name__ == "__main__":
    main()
