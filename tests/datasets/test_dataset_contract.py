from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from uda_study import plugins
from uda_study.dataset import Dataset
from uda_study.testing import dataset_suite


def manifest_tree(root: Path) -> None:
    """Two domains of two subjects each, a bright box in noise."""
    rows = ["subject,domain,image,label"]
    for number, domain in enumerate(("mr", "mr", "ct", "ct")):
        label = np.zeros((8, 9, 4), np.uint8)
        label[2:5, 3:6, 1:3] = 1
        image = np.random.default_rng(number).normal(size=label.shape).astype(np.float32) + label
        for name, array in ((f"i{number}.nii", image), (f"l{number}.nii", label)):
            nib.save(nib.Nifti1Image(array, np.eye(4)), root / name)
        rows.append(f"p{number},{domain},i{number}.nii,l{number}.nii")
    (root / "manifest.csv").write_text("\n".join(rows))


TREES: dict[str, Callable[[Path], None]] = {"manifest": manifest_tree}
"""How to lay out a dataset that reads files; the others make their own images."""


@pytest.fixture(scope="module", params=plugins.names("datasets"))
def dataset(request, tmp_path_factory):
    plugin = plugins.load("datasets", request.param, Dataset)
    folder = tmp_path_factory.mktemp(request.param)
    root = None
    if request.param in TREES:
        root = folder / "root"
        root.mkdir()
        TREES[request.param](root)
    # A dataset that simulates its subjects need not make all of them for this.
    few = {"subjects": 2} if "subjects" in plugin.Options.model_fields else {}
    return plugin(plugin.Options(**few), root, folder / "cache")


@pytest.mark.parametrize("check", dataset_suite.CHECKS, ids=lambda check: check.__name__)
def test_dataset_keeps_the_contract(dataset, check):
    check(dataset)


def test_first_case_prepares(dataset, tmp_path):
    dataset_suite.check_first_case_prepares(dataset, tmp_path)
