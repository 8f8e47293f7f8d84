import os
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from uda_study.data.prepare import PreparedCase, prepare
from uda_study.dataset import Preprocessing
from uda_study.types import Case

torch.set_num_threads(1)

Write = Callable[..., Path]


@pytest.fixture
def write_nifti(tmp_path: Path) -> Write:
    def write(name: str, array: NDArray, affine: NDArray | None = None) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(array, np.eye(4) if affine is None else affine), path)
        return path

    return write


@pytest.fixture
def make_cases(write_nifti: Write) -> Callable[..., list[Case]]:
    """Noisy volumes with a bright box, the structure, inside."""

    def make(
        count: int, shape: tuple[int, int, int] = (12, 14, 6), domain: str = "mr"
    ) -> list[Case]:
        cases = []
        for number in range(count):
            rng = np.random.default_rng(number)
            label = np.zeros(shape, np.uint8)
            label[3:7, 4:9, 2:4] = 1
            image = rng.normal(size=shape).astype(np.float32) + 3 * label + number
            name = f"{domain}{number}"
            cases.append(
                Case(
                    id=name,
                    subject=f"s{number}",
                    domain=domain,
                    images=(write_nifti(f"{name}.nii.gz", image),),
                    label=write_nifti(f"{name}_label.nii.gz", label),
                )
            )
        return cases

    return make


@pytest.fixture
def make_prepared(
    make_cases: Callable[..., list[Case]], tmp_path: Path
) -> Callable[..., list[PreparedCase]]:
    def make(count: int, shape: tuple[int, int, int] = (12, 14, 6), domain: str = "mr"):
        preset = Preprocessing(labels={"box": (1,)})
        return list(prepare(make_cases(count, shape, domain), preset, tmp_path / "cache").values())

    return make


@pytest.fixture(scope="session")
def real_data() -> Path:
    beside = Path(__file__).resolve().parents[3] / "shared" / "data"
    folder = Path(os.environ.get("UDA_STUDY_TEST_DATA", beside))
    if not (folder / "cord" / "manifest.csv").is_file():
        pytest.skip("no real images: set UDA_STUDY_TEST_DATA")
    return folder
