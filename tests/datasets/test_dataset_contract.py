import importlib.util
from pathlib import Path

import pytest

from uda_study import plugins
from uda_study.dataset import Dataset
from uda_study.testing import dataset_suite

TREES = Path(__file__).parent / "trees"
MADE_BY_ITSELF = {"phantom": {"subjects": 2}}
"""Datasets without files of their own, with options that make few subjects."""


def miniature(name: str, root: Path) -> dict[str, object]:
    """Lay out the miniature of a dataset, as trees/NAME.py writes it; return its options."""
    file = TREES / f"{name}.py"
    assert file.is_file(), f"the dataset {name} needs {file.name} beside the other miniatures"
    spec = importlib.util.spec_from_file_location(f"miniature_{name}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.write(root)


@pytest.fixture(scope="module", params=plugins.names("datasets"))
def dataset(request, tmp_path_factory):
    plugin = plugins.load("datasets", request.param, Dataset)
    folder = tmp_path_factory.mktemp(request.param)
    root, options = None, MADE_BY_ITSELF.get(request.param)
    if options is None:
        root = folder / "root"
        root.mkdir()
        options = miniature(request.param, root)
    return plugin(plugin.Options.model_validate(options), root, folder / "cache")


@pytest.mark.parametrize("check", dataset_suite.CHECKS, ids=lambda check: check.__name__)
def test_dataset_keeps_the_contract(dataset, check):
    check(dataset)


def test_first_case_prepares(dataset, tmp_path):
    dataset_suite.check_first_case_prepares(dataset, tmp_path)
