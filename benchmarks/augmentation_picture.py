"""Draw what augmentation does to a simulated head: docs/images/augmentation.png.

    python benchmarks/augmentation_picture.py [FILE]

First every transform alone, at the end of its range; then ten draws of each preset. The line is
the edge of the label, which moves along.
"""

import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt

from uda_study.data.augmentation import (
    Affine,
    Augmentation,
    Blur,
    Brightness,
    Contrast,
    Gamma,
    Kind,
    LowResolution,
    Mirror,
    Noise,
)
from uda_study.data.augmentation_draw import Augmenter
from uda_study.data.labels import LabelReader
from uda_study.data.prepare import PreparedCase, prepare
from uda_study.datasets.phantom import Phantom, PhantomOptions
from uda_study.types import Task

SIDE, SLICE, DRAWS = 128, 3, 10
PRESETS = ("gamma", "affine", "nnunet")


STRONGEST: dict[str, Kind] = {
    "affine": Affine(p_rotation=1, p_scaling=1, scaling=(0.8, 0.8)),
    "noise": Noise(p=1, std=(0.1, 0.1)),
    "blur": Blur(p=1, p_channel=1, std=(1, 1)),
    "brightness": Brightness(p=1, factor=(1.25, 1.25)),
    "contrast": Contrast(p=1, factor=(0.75, 0.75)),
    "low_resolution": LowResolution(p=1, p_channel=1, scale=(0.5, 0.5)),
    "gamma": Gamma(p=1, exponent=(1.5, 1.5)),
    "gamma, invert": Gamma(p=1, exponent=(1.5, 1.5), invert=True),
    "mirror": Mirror(p=1, axes=(0,)),
}
"""Each transform as far as nnU-Net's ranges go."""


def main() -> None:
    file = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/images/augmentation.png")
    with tempfile.TemporaryDirectory() as folder:
        options = PhantomOptions(
            domains=("mr",),
            subjects=1,
            shape=(SIDE, SIDE, 6),
            spacing=(1.75, 1.75, 14),
            structures=("brain",),
        )
        dataset = Phantom(options, None, Path(folder) / "phantom")
        (case,) = prepare(dataset.cases(), dataset.preprocessing(), Path(folder) / "p").values()
        picture(case, file)


def picture(case: PreparedCase, file: Path) -> None:
    image = case.image[:, :, :, SLICE]
    label = LabelReader([case.case.id], "a picture").read(case)[:, :, SLICE]
    task = Task(2, 1, ("background", "brain"), (SIDE, SIDE), (1.75, 1.75))

    def draw(transforms: tuple[Kind, ...], seed: int) -> tuple[np.ndarray, np.ndarray]:
        return Augmenter(transforms, 2, 1).sample(
            np.random.default_rng(seed),
            task.patch_size,
            (0, 0),
            lambda _: (np.array(image), np.array(label)),
        )

    alone = [("as it is", (image, label))]
    alone += [(name, draw((kind,), 4)) for name, kind in STRONGEST.items()]
    rows = [("one by one", alone)]
    for preset in PRESETS:
        transforms = Augmentation(preset=preset).resolved(task)
        rows.append((preset, [("", draw(transforms, seed)) for seed in range(DRAWS)]))
    figure, axes = plt.subplots(len(rows), DRAWS, figsize=(1.35 * DRAWS, 1.5 * len(rows)))
    for line, (name, drawn) in zip(axes, rows, strict=True):
        for axis, (title, (seen, where)) in zip(line, drawn, strict=True):
            axis.imshow(seen[0].T, cmap="gray", origin="lower", vmin=image.min(), vmax=image.max())
            axis.contour(where.T, [0.5], colors="tab:orange", linewidths=0.6)
            axis.set(xticks=[], yticks=[])
            axis.set_title(title, fontsize=8)
        line[0].set_ylabel(name, fontsize=9)
    figure.tight_layout(pad=0.3)
    figure.savefig(file, dpi=80)


if __name__ == "__main__":
    main()
