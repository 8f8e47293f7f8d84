import numpy as np
import pytest
import torch
from nibabel import Nifti1Image

from uda_study.dataset import Preprocessing
from uda_study.method import Hyper, Method, Needs
from uda_study.training.package import ModelConfig, save_package
from uda_study.types import Task

TASK = Task(2, 1, ("background", "box"), (16, 16), (1.0, 1.0))


class Plain(Method[Hyper]):
    Hyper = Hyper
    needs = Needs(target="images")
    paper = "none"

    def __init__(self, hyper, task) -> None:
        super().__init__(hyper, task)
        self.register_buffer("threshold", torch.zeros(()))

    def stages(self):
        return []

    def segment(self, image):
        return torch.cat([self.threshold.expand_as(image), image], dim=1)


class Inverting(Plain):
    def translate(self, image):
        return -image


@pytest.fixture
def predict(call, tmp_path, monkeypatch):
    """Segment one image with an untrained method of the class, in a model's folder."""

    def run(method, *words):
        monkeypatch.setattr("uda_study.training.package.plugins.load", lambda *_: method)
        # A model's folder needs no database, and making one takes a second.
        monkeypatch.setattr("uda_study.api.models.open_store", lambda _: None)
        preprocessing = Preprocessing(labels={"box": (1,)})
        config = ModelConfig(
            method="inverting", hyper={}, task=TASK, adjacent_slices=1,
            preprocessing=preprocessing, direction="mr->ct", study="tiny", trial="key",
        )  # fmt: skip
        save_package(tmp_path / "model", method(Hyper(), TASK), config)
        image = np.random.default_rng(0).normal(size=(16, 16, 2)).astype(np.float32)
        for place in ("in/scan.nii", "more/other.nii"):
            (tmp_path / place).parent.mkdir()
            Nifti1Image(image, np.eye(4)).to_filename(tmp_path / place)
        return call("predict", "-m", "model", "-i", "in", "-o", "out", *words)

    return run


def test_translated_images_are_written_where_asked_for(predict, tmp_path):
    ended = predict(Inverting, "--translated", "--json")
    assert ended.code == 0
    assert ended.json == {
        "written": ["out/scan.nii.gz"],
        "volumes": "out/volumes.csv",
        "translated": ["out/scan_translated.nii.gz"],
    }
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"scan.nii.gz", "scan_translated.nii.gz", "volumes.csv"}


def test_segmentations_alone_are_written_else(predict, tmp_path):
    ended = predict(Inverting, "--json")
    assert ended.json == {"written": ["out/scan.nii.gz"], "volumes": "out/volumes.csv"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"scan.nii.gz", "volumes.csv"}


def test_several_inputs_are_counted_while_they_are_segmented(predict):
    ended = predict(Plain, "-i", "more/other.nii")
    assert ended.code == 0
    assert ended.err.splitlines() == [
        "reading 2/2",
        "segmenting 1/2  scan",
        "segmenting 2/2  other",
        "2/2 written to out in the input's own grid   volumes.csv",
    ]


def test_a_page_to_look_through_is_written_where_asked_for(predict, tmp_path):
    ended = predict(Plain, "--qc")
    line = "1/1 written to out in the input's own grid   qc.html: 1 to look at   volumes.csv"
    assert ended.err.splitlines()[-1] == line
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"scan.nii.gz", "volumes.csv", "qc.html"}


def test_the_cases_to_look_at_are_named_in_json(predict):
    ended = predict(Plain, "--qc", "--json")
    assert ended.err == ""
    assert (ended.json["qc"], ended.json["to_look_at"]) == ("out/qc.html", ["scan"])


def test_translated_images_of_a_method_that_makes_none_are_invalid_input(predict):
    ended = predict(Plain, "--translated")
    assert ended.code == 2
    assert "model: must translate images, got inverting; omit --translated" in ended.err
