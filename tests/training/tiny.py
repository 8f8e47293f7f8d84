"""The two small domains as the trainer gets them."""

from collections.abc import Mapping
from pathlib import Path

from uda_study.data.prepare import prepare
from uda_study.data.splits import make_split
from uda_study.dataset import Preprocessing
from uda_study.datasets.manifest import Manifest, ManifestOptions
from uda_study.study.model import SplitSpec
from uda_study.testing.fakes import DAM, LABELS, SEGMENTER
from uda_study.training.task_data import TaskData
from uda_study.types import JSON, Direction, Task

HYPER: Mapping[str, Mapping[str, JSON]] = {
    "no_adaptation": SEGMENTER,
    "target_supervised": SEGMENTER,
    "dam": DAM,
}
PREPROCESSING = Preprocessing(labels=LABELS)


def load_tiny(root: Path, cache: Path) -> TaskData:
    cases = Manifest(ManifestOptions(), root, cache).cases()
    split = make_split(cases, Direction("mr", "ct"), SplitSpec(), 0, 1)
    task = Task(2, 1, PREPROCESSING.class_names, (16, 16), (1.0, 1.0))
    return TaskData(task, prepare(cases, PREPROCESSING, cache), split)
