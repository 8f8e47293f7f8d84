"""What all tests share."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

# Tests share few cores; one thread each is also what a training on a CPU uses.
torch.set_num_threads(1)

# How long an example takes says more of the machine's other work than of the code.
settings.register_profile("project", deadline=None)
settings.load_profile("project")

_METHODS = Path(__file__).parent / "methods"
_BESIDE = Path(__file__).parents[1].parent / "shared" / "data"


def pytest_collection_modifyitems(items):
    for item in items:
        if _METHODS in item.path.parents:
            item.add_marker("methods")


@pytest.fixture(scope="session")
def real_images():
    """Return the folder of real image packs, or skip."""
    folder = Path(os.environ.get("UDA_STUDY_TEST_DATA", _BESIDE))
    if not folder.is_dir():
        pytest.skip("no real images: set UDA_STUDY_TEST_DATA to the folder of the packs")
    return folder
