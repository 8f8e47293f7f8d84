import csv
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image
from tiny import PREPROCESSING

from uda_study.errors import InputError, StoreError
from uda_study.methods.no_adaptation import NoAdaptation
from uda_study.training.package import ModelConfig, save_package
from uda_study.training.predict import predict
from uda_study.training.round_trip import FILE, predicts_the_same, write_fingerprint

CPU = torch.device("cpu")


@pytest.fixture
def package(tmp_path, make_method, data) -> Path:
    """A model that calls every voxel above its image's mean a box."""
    method = make_method("no_adaptation")
    config = ModelConfig(
        method="no_adaptation",
        hyper=method.hyper.model_dump(mode="json"),
        task=data.task,
        adjacent_slices=1,
        preprocessing=PREPROCESSING,
        direction="mr->ct",
        study="tiny",
        trial="key",
    )
    save_package(tmp_path / "model", method, config)
    write_fingerprint(method, tmp_path)
    return tmp_path / "model"


@pytest.fixture
def bright_is_box(monkeypatch) -> None:
    """Replace the network, which has learnt nothing, by a rule that shows orientation."""

    def segment(self, image):
        return torch.cat([torch.zeros_like(image), image, torch.full_like(image, -9.0)], dim=1)

    monkeypatch.setattr(NoAdaptation, "segment", segment)


def picture(shape: tuple[int, ...]) -> np.ndarray:
    """An image without symmetry: a bright corner."""
    image = np.random.default_rng(0).normal(0, 0.1, shape).astype(np.float32)
    image[: shape[0] // 3, : shape[1] // 2] += 5
    return image


RAS = np.diag([1.5, 1.0, 2.0, 1.0])
LPS = np.array([[-1.5, 0, 0, 20], [0, -1.0, 0, 30], [0, 0, 2.0, -7], [0, 0, 0, 1]])
TURNED = np.array([[0, 0, -2.0, 5], [1.0, 0, 0, -3], [0, -1.5, 0, 8], [0, 0, 0, 1]])


@pytest.mark.parametrize("affine", [RAS, LPS, TURNED], ids=["ras", "lps", "turned"])
@pytest.mark.parametrize("suffix", [".nii.gz", ".nii"])
def test_nifti_is_segmented_on_exactly_its_own_grid(
    package, bright_is_box, tmp_path, affine, suffix
):
    image = picture((20, 12, 5))
    path = tmp_path / f"scan{suffix}"
    nib.Nifti1Image(image, affine).to_filename(path)
    (done,) = predict(package, [path], tmp_path / "out", CPU)
    assert done.path == tmp_path / "out" / "scan.nii.gz"
    written = nib.load(done.path)
    assert written.shape == image.shape
    assert np.array_equal(written.affine, nib.load(path).affine)
    assert written.get_data_dtype() == np.uint8
    assert np.array_equal(np.asarray(written.dataobj), image > 2)


def test_a_png_becomes_a_png_the_same_way_up(package, bright_is_box, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 20, (24, 18), np.uint8)  # rows, columns
    pixels[:6, :9] += 180
    Image.fromarray(pixels).save(tmp_path / "film.png")
    (done,) = predict(package, [tmp_path / "film.png"], tmp_path / "out", CPU)
    assert done.path.name == "film.png"
    assert np.array_equal(np.asarray(Image.open(done.path)), pixels > 100)


@pytest.fixture
def inverts(monkeypatch) -> None:
    """Let the packaged method have a translation: dark is bright."""

    class Inverting(NoAdaptation):
        def translate(self, image):
            return -image

    monkeypatch.setattr("uda_study.training.package.plugins.load", lambda *_: Inverting)


@pytest.mark.parametrize("affine", [RAS, LPS, TURNED], ids=["ras", "lps", "turned"])
def test_translated_images_lie_beside_the_segmentations_on_the_same_grid(
    package, bright_is_box, inverts, tmp_path, affine
):
    path = tmp_path / "scan.nii"
    image = picture((20, 12, 5))
    nib.Nifti1Image(image, affine).to_filename(path)
    (done,) = predict(package, [path], tmp_path / "out", CPU, translated=True)
    assert done.translated == tmp_path / "out" / "scan_translated.nii.gz"
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        "scan.nii.gz", "scan_translated.nii.gz", "volumes.csv",
    }  # fmt: skip
    written = nib.load(done.translated)
    assert np.array_equal(written.affine, nib.load(path).affine)
    assert written.get_data_dtype() == np.float32
    # Normalised and inverted: up to a scale and an offset the original.
    assert np.corrcoef(np.asarray(written.dataobj).ravel(), image.ravel())[0, 1] < -0.999
    assert np.array_equal(np.asarray(nib.load(done.path).dataobj), image > 2)


def test_a_translated_png_is_a_volume_of_one_slice(package, inverts, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 200, (24, 18), np.uint8)  # rows, columns
    Image.fromarray(pixels).save(tmp_path / "film.png")
    (done,) = predict(package, [tmp_path / "film.png"], tmp_path / "out", CPU, translated=True)
    found = np.asarray(nib.load(done.translated).dataobj)
    assert found.shape == (18, 24, 1)
    assert np.corrcoef(found[:, :, 0].T.ravel(), pixels.ravel())[0, 1] < -0.999


def test_translations_of_a_method_that_has_none_are_refused(package, tmp_path):
    nib.Nifti1Image(picture((16, 16, 3)), RAS).to_filename(tmp_path / "scan.nii")
    with pytest.raises(InputError, match=r"must translate images, got no_adaptation; omit"):
        list(predict(package, [tmp_path / "scan.nii"], tmp_path / "out", CPU, translated=True))
    assert not (tmp_path / "out").exists()


def test_a_translation_never_takes_the_place_of_a_segmentation(package, inverts, tmp_path):
    paths = [tmp_path / "scan.nii", tmp_path / "scan_translated.nii"]
    for path in paths:
        nib.Nifti1Image(picture((16, 16, 3)), RAS).to_filename(path)
    with pytest.raises(InputError, match="gives the same output as"):
        list(predict(package, paths, tmp_path / "out", CPU, translated=True))


def test_volumes_are_listed_in_millilitres(package, bright_is_box, tmp_path):
    images = []
    for name in ("a", "b"):
        images.append(tmp_path / f"{name}.nii")
        nib.Nifti1Image(picture((20, 12, 5)), RAS).to_filename(images[-1])
    list(predict(package, images, tmp_path / "out", CPU))
    with (tmp_path / "out" / "volumes.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == ["a", "b"]
    # 6 x 6 x 5 voxels of 3 mm3.
    assert [(float(row["box_ml"]), float(row["core_ml"])) for row in rows] == [(0.54, 0.0)] * 2


def test_an_input_is_never_overwritten(package, tmp_path):
    path = tmp_path / "scan.nii.gz"
    nib.Nifti1Image(picture((16, 16, 3)), RAS).to_filename(path)
    before = path.read_bytes()
    with pytest.raises(InputError, match="would be overwritten"):
        list(predict(package, [path], tmp_path, CPU))
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    with pytest.raises(InputError, match="would be overwritten"):
        list(predict(package, [path], link, CPU))
    assert path.read_bytes() == before


def test_two_inputs_with_one_output_are_refused(package, tmp_path):
    paths = [tmp_path / "one" / "scan.nii", tmp_path / "two" / "scan.nii.gz"]
    for path in paths:
        path.parent.mkdir()
        nib.Nifti1Image(picture((16, 16, 3)), RAS).to_filename(path)
    with pytest.raises(InputError, match="gives the same output as"):
        list(predict(package, paths, tmp_path / "out", CPU))


def test_nothing_is_written_when_an_image_is_bad(package, tmp_path):
    good, torn, text = (tmp_path / name for name in ("a.nii", "b.nii", "c.nii"))
    nib.Nifti1Image(picture((16, 16, 3)), RAS).to_filename(good)
    torn.write_bytes(good.read_bytes()[:1000])
    text.write_text("no image")
    with pytest.raises(InputError) as raised:
        list(predict(package, [good, torn, text], tmp_path / "out", CPU))
    assert {problem.where.split()[0] for problem in raised.value.problems} == {"b", "c"}
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_image_is_refused(package, tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match="must be an image"):
        list(predict(package, [tmp_path / "notes.txt"], tmp_path / "out", CPU))


def test_a_changed_package_is_refused(package, tmp_path):
    (package / "config.json").write_text("{}")
    with pytest.raises(StoreError, match="sha256"):
        list(predict(package, [tmp_path / "scan.nii"], tmp_path / "out", CPU))


def test_a_package_answers_as_its_training_did(package, tmp_path, make_method):
    assert predicts_the_same(package, tmp_path)
    other = make_method("no_adaptation")
    with torch.no_grad():
        next(other.parameters()).mul_(-1)
    write_fingerprint(other, tmp_path)
    assert not predicts_the_same(package, tmp_path)
    for text in ("", "[]", "{}"):
        (tmp_path / FILE).write_text(text)
        assert not predicts_the_same(package, tmp_path)
    (tmp_path / FILE).unlink()
    assert not predicts_the_same(package, tmp_path)
