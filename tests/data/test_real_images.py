"""Real images of three packs, where they are there (see `real_data`)."""

import numpy as np
import pytest
from PIL import Image as PillowImage

from uda_study.data.grid import labels_to_native
from uda_study.data.labels import LabelReader
from uda_study.data.prepare import prepare
from uda_study.data.splits import make_split
from uda_study.dataset import Preprocessing
from uda_study.datasets.manifest import Manifest, ManifestOptions
from uda_study.study.model import SplitSpec
from uda_study.types import Direction


@pytest.fixture
def pack(real_data, tmp_path):
    def open_pack(name):
        return Manifest(ManifestOptions(), real_data / name, tmp_path).cases()

    return open_pack


def round_trip_dice(prepared, reader, value):
    study = reader.read(prepared)
    classes = int(study.max()) + 1
    probabilities = (study == np.arange(classes)[:, None, None, None]).astype(np.float32)
    returned = labels_to_native(probabilities, prepared.grid) == value
    truth = reader.read_native(prepared) == value
    assert returned.shape == prepared.grid.native_shape
    return 2 * (returned & truth).sum() / (returned.sum() + truth.sum())


def test_oblique_cords_return_to_their_native_grid(pack, tmp_path):
    cases = pack("cord")
    preset = Preprocessing(labels={"white": (1,), "grey": (2,)}, spacing=(0.5, 0.5, 3.0))
    reader = LabelReader([case.id for case in cases], "the test")
    for prepared in prepare(cases, preset, tmp_path / "c").values():
        assert np.allclose(prepared.grid.spacing, (0.5, 0.5, 3.0))
        assert round_trip_dice(prepared, reader, 1) > 0.85
        assert round_trip_dice(prepared, reader, 2) > 0.8


def test_glioma_labels_merge_and_return_exactly(pack, tmp_path):
    cases = pack("glioma")[:2]
    preset = Preprocessing(labels={"tumour": (1, 2, 3, 4)}, size=(80, 96, 80))
    reader = LabelReader([case.id for case in cases], "the test")
    for prepared in prepare(cases, preset, tmp_path / "c").values():
        assert prepared.image.shape == (1, 80, 96, 80)
        assert 0.1 < prepared.mask.mean() < 0.5
        assert round_trip_dice(prepared, reader, 1) == 1


def test_chest_radiographs_keep_their_pixels(pack, tmp_path):
    case = pack("cxr")[0]
    preset = Preprocessing(labels={"lungs": (1,)}, intensity="none")
    prepared = prepare([case], preset, tmp_path / "c")[case.id]
    pixels = np.asarray(PillowImage.open(case.images[0]))
    # The study's grid runs to the right and to the front, a picture the other way.
    np.testing.assert_array_equal(prepared.image[0, ::-1, ::-1, 0].T, pixels)
    native = LabelReader([case.id], "the test").read_native(prepared)
    np.testing.assert_array_equal(native[:, :, 0].T, np.asarray(PillowImage.open(case.label)))


@pytest.mark.parametrize(
    ("name", "direction", "rules"),
    [
        ("cxr", "pa->ap-supine", SplitSpec()),
        ("cord", "milan->juntendo", SplitSpec(protocol="transductive")),
        (
            "glioma",
            "flair->t1c",
            SplitSpec(protocol="transductive", source_subjects=("p1", "p2", "p3")),
        ),
    ],
)
def test_every_pack_can_be_split(pack, name, direction, rules):
    split = make_split(pack(name), Direction.parse(direction), rules, 0, 1)
    assert all(split.roles[role] for role in split.roles if role != "target_bound")
