"""Models made by somebody who wants code of his to run where `predict` is called.

Each is consistent in itself: its manifest fits its files. Whatever runs leaves a mark, a file.
"""

import json
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from nibabel import Nifti1Image

from uda_study import plugins
from uda_study.dataset import Preprocessing
from uda_study.method import Method
from uda_study.study.hyper import resolve_hyper
from uda_study.testing.fakes import SEGMENTER
from uda_study.tracking.registry import wrap
from uda_study.training.package import CONFIG, MANIFEST, WEIGHTS, ModelConfig, save_package
from uda_study.training.weights import file_sha256
from uda_study.types import Task

TASK = Task(2, 1, ("background", "box"), (16, 16), (1.0, 1.0))


class Payload:
    """What writes the mark when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return os.system, (f"touch {self.mark}",)


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package of a method that is installed; not to be changed."""
    plugin = plugins.load("methods", "no_adaptation", Method)
    hyper = resolve_hyper(plugin, SEGMENTER)
    config = ModelConfig(
        method="no_adaptation", hyper=hyper.model_dump(mode="json"), task=TASK, adjacent_slices=1,
        preprocessing=Preprocessing(labels={"box": (1,)}), direction="mr->ct", study="tiny-1",
        trial="abc",
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("sound") / "model"
    save_package(folder, plugin(hyper, TASK), config)
    return folder


@pytest.fixture
def package(sound: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    for file in sound.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


@pytest.fixture
def mark(tmp_path: Path) -> Path:
    return tmp_path / "mark"


@pytest.fixture
def predict(call, tmp_path, monkeypatch, mark):
    """Segment an image as a user would; nothing of the model may have run or been written."""
    # A model's folder needs no database, and making one takes a second.
    monkeypatch.setattr("uda_study.api.models.open_store", lambda _: None)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "in").mkdir()
    image = np.random.default_rng(0).normal(size=(16, 16, 2)).astype(np.float32)
    Nifti1Image(image, np.eye(4)).to_filename(tmp_path / "in" / "scan.nii")

    def run(model: Path, *words: str):
        ended = call("predict", "-m", model, "-i", "in", "-o", "out", *words)
        assert not mark.exists()
        assert "Traceback" not in ended.err
        assert (ended.code == 0) == (tmp_path / "out").exists()
        return ended

    return run


def signed(package: Path) -> Path:
    """Make the manifest fit what lies there."""
    files = {name: file_sha256(package / name) for name in (CONFIG, WEIGHTS)}
    (package / MANIFEST).write_text(json.dumps({"format": 1, "files": files}))
    return package


def configured(package: Path, **values: object) -> Path:
    config = json.loads((package / CONFIG).read_text())
    (package / CONFIG).write_text(json.dumps(config | values))
    return signed(package)


def with_header(package: Path, header: bytes, length: int | None = None) -> Path:
    count = len(header) if length is None else length
    (package / WEIGHTS).write_bytes(struct.pack("<Q", count) + header + bytes(64))
    return signed(package)


def test_the_sound_one_is_used(predict, package):
    assert predict(package).code == 0


def test_what_would_leave_the_mark_does_where_it_is_run(mark, tmp_path):
    torch.save(Payload(mark), tmp_path / "x")
    torch.load(tmp_path / "x", weights_only=False)
    assert mark.exists()


def pickled(package: Path, mark: Path) -> None:
    torch.save(Payload(mark), package / WEIGHTS)


def zipped_code(package: Path, mark: Path) -> None:
    with zipfile.ZipFile(package / WEIGHTS, "w") as archive:
        archive.writestr("archive/code/__main__.py", f"open({str(mark)!r}, 'w')")
        archive.writestr("__main__.py", f"open({str(mark)!r}, 'w')")


@pytest.mark.parametrize("write", [pickled, zipped_code])
def test_pickles_and_code_in_place_of_weights_are_refused(predict, package, mark, write):
    write(package, mark)
    assert "does not match the sha256" in predict(package).err
    ended = predict(signed(package))
    assert ended.code == 1
    assert "uda-study: failed: model: the weights do not fit 'no_adaptation'" in ended.err


HEADERS = {
    "longer than any memory": (b"{}", 2**63 - 1),
    "longer than the file": (b"{}", 10**8),
    "no JSON": (b"cos\nsystem\n", None),
    "beyond the file": (
        json.dumps({"x": {"dtype": "F32", "shape": [9], "data_offsets": [0, 2**40]}}).encode(),
        None,
    ),
    "of more voxels than there are atoms": (
        json.dumps({"x": {"dtype": "F32", "shape": [2**62], "data_offsets": [0, 64]}}).encode(),
        None,
    ),
    "of another network": (
        json.dumps({"x": {"dtype": "F32", "shape": [16], "data_offsets": [0, 64]}}).encode(), None
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", HEADERS)
def test_impossible_headers_of_weights_are_refused(predict, package, name):
    ended = predict(with_header(package, *HEADERS[name]))
    assert ended.code == 1
    assert "the weights do not fit" in ended.err


@pytest.mark.parametrize(
    "name",
    ["{folder}/evil.py", "evil", "../../evil", "os.system", "uda_study.methods.dam", "", "."],
)
def test_a_method_is_a_name_that_is_installed_and_nothing_else(
    predict, package, mark, tmp_path, name
):
    (tmp_path / "evil.py").write_text(f"open({str(mark)!r}, 'w')\n")
    ended = predict(configured(package, method=name.format(folder=tmp_path)))
    assert ended.code == 2
    assert "uda-study: error: method: unknown method" in ended.err


@pytest.mark.parametrize(
    "values",
    [
        {"code": "evil.py"},
        {"loader_module": "evil"},
        {"hyper": {"segmenter": {"name": "../../evil"}}},
        {"hyper": {"__class__": "evil"}},
        {"trial": "../../../elsewhere"},
        {"study": "/etc"},
        {"format": 2},
        {"preprocessing": {"labels": {"box": [1]}, "reader": "evil"}},
    ],
)
def test_a_description_that_says_more_than_it_may_is_refused(predict, package, values):
    ended = predict(configured(package, **values))
    assert ended.code == 1
    assert ended.err.startswith("uda-study: failed: model")


@pytest.mark.parametrize("name", ["model.pkl", "code/evil.py", "evil.py", "MLmodel.py"])
def test_files_beside_the_three_are_refused(predict, package, mark, name):
    (package / name).parent.mkdir(exist_ok=True)
    torch.save(Payload(mark), package / name)
    ended = predict(package)
    assert ended.code == 1
    assert "and nothing else, this one differs in" in ended.err


@pytest.mark.parametrize("name", [WEIGHTS, CONFIG, MANIFEST])
def test_links_out_of_the_package_are_refused(predict, package, tmp_path, name):
    (package / name).rename(tmp_path / name)
    (package / name).symlink_to(tmp_path / name)
    ended = predict(package)
    assert ended.code == 1
    assert f"model/{name}: must be a regular file, not a link" in ended.err


@pytest.fixture
def wrapped(package: Path, tmp_path: Path) -> Path:
    """The folder that a registry of MLflow's hands out."""
    wrap(package, tmp_path / "registered")
    return tmp_path / "registered"


DESCRIPTIONS = {
    "code": ("code: null", "code: code", "names code of its own"),
    "a loader": ("uda_study.tracking.serving", "evil", "must be loaded by"),
    "another flavor": ("flavors:\n", "flavors:\n  sklearn: {pickled_model: m}\n", "must be loaded"),
    "other data": ("data: data/model", "data: ../elsewhere", "must be loaded by"),
    "a tag": ("flavors:\n", "x: !!python/object/apply:os.system ['touch mark']\nflavors:\n", ""),
}


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_a_registered_model_with_another_description_is_refused(
    predict, wrapped, mark, tmp_path, name
):
    old, new, said = DESCRIPTIONS[name]
    (tmp_path / "evil.py").write_text(f"open({str(mark)!r}, 'w')\n")
    text = (wrapped / "MLmodel").read_text()
    assert old in text
    assert predict(wrapped).code == 0
    for file in (tmp_path / "out").iterdir():
        file.unlink()
    (tmp_path / "out").rmdir()
    (wrapped / "MLmodel").write_text(text.replace(old, new))
    ended = predict(wrapped)
    assert ended.code == 1
    assert "uda-study: failed: MLmodel: " in ended.err
    assert said in ended.err


@pytest.mark.parametrize("name", ["code/evil.py", "python_model.pkl", "data/evil.pt"])
def test_a_registered_model_with_a_file_more_is_refused(predict, wrapped, mark, name):
    (wrapped / name).parent.mkdir(exist_ok=True)
    torch.save(Payload(mark), wrapped / name)
    ended = predict(wrapped)
    assert ended.code == 1
    assert "does not belong into a registered model" in ended.err


def test_what_a_model_says_does_not_become_markup_of_a_page(predict, package, tmp_path):
    task = json.loads((package / CONFIG).read_text())["task"]
    name = "<img src=x onerror=alert(1)>"
    labels = {"labels": {name: [1]}}
    named = configured(
        package, task=task | {"class_names": ["background", name]}, preprocessing=labels
    )
    ended = predict(named, "--qc")
    page = tmp_path / "out" / "qc.html"
    assert ended.code == 0
    assert "<img src=x" not in page.read_text()
    assert "&lt;img src=x" in page.read_text()
