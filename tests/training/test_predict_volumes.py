"""Prediction on what people have: folders, channels, series, other orientations, bad files."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from nibabel.orientations import apply_orientation, axcodes2ornt, io_orientation, ornt_transform

from uda_study.data.grid import Grid, labels_to_native
from uda_study.data.postprocess import PostprocessSpec
from uda_study.data.slabs import slabs_to_native
from uda_study.dataset import DomainPreset, Preprocessing
from uda_study.errors import InputError
from uda_study.method import Hyper, Method, Needs
from uda_study.testing.tiny_files import write_dicom
from uda_study.training import predict as prediction
from uda_study.training.package import ModelConfig, save_package
from uda_study.training.predict import predict
from uda_study.training.predict_inputs import find_inputs
from uda_study.types import Task

CPU = torch.device("cpu")
CLASSES = ("background", "box", "core")
DEFAULTS = {"dims": 2, "channels": 1, "side": 16}


class Convolved(Method[Hyper]):
    """A fixed tiny network that looks at its neighbourhood; of several channels, at their sum."""

    Hyper = Hyper
    needs = Needs(target="images")
    paper = "none"

    def __init__(self, hyper, task) -> None:
        super().__init__(hyper, task)
        conv = torch.nn.Conv3d if task.spatial_dims == 3 else torch.nn.Conv2d
        torch.manual_seed(1)
        self.net = conv(task.in_channels, task.num_classes, 3, padding=1)

    def stages(self):
        return []

    def segment(self, image):
        return self.net(image)


def package(tmp_path, monkeypatch, method=Convolved, **changes) -> Path:
    monkeypatch.setattr("uda_study.training.package.plugins.load", lambda *_: method)
    dims, channels, side = (changes.pop(*given) for given in DEFAULTS.items())
    task = Task(dims, channels, CLASSES, (side,) * dims, (1.0,) * dims)
    values = {
        "preprocessing": Preprocessing(labels={"box": (1,), "core": (2,)}),
        "direction": "mr->ct",
        **changes,
    }
    config = ModelConfig(
        method="convolved", hyper={}, task=task, adjacent_slices=1, study="s", trial="t", **values
    )
    save_package(tmp_path / "model", method(Hyper(), task), config)
    return tmp_path / "model"


def image(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def save(array, path, affine=None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.Nifti1Image(array, np.eye(4) if affine is None else affine).to_filename(path)
    return path


def run(model, *sources, output):
    return list(predict(model, sources, output, CPU))


# Orientation


def oriented(scan: nib.Nifti1Image, codes: str) -> nib.Nifti1Image:
    """The same image with its axes in another order and direction."""
    return scan.as_reoriented(ornt_transform(io_orientation(scan.affine), axcodes2ornt(codes)))


OBLIQUE = np.array(
    [[-0.68, 0.02, 0.3, 10], [0.03, 0.69, 0.5, -20], [0.05, -0.12, 2.4, 5], [0, 0, 0, 1]]
)


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("codes", ["LPS", "SRA", "AIL"])
def test_a_turned_image_has_the_turned_segmentation(tmp_path, monkeypatch, dims, codes):
    preset = Preprocessing(labels={"box": (1,), "core": (2,)}, spacing=(0.9, 0.9, 1.7))
    rules = PostprocessSpec(largest_component=True, fill_holes=True)
    model = package(tmp_path, monkeypatch, dims=dims, preprocessing=preset, postprocess=rules)
    scan = nib.Nifti1Image(image(23, 26, 9), OBLIQUE)
    scan.to_filename(tmp_path / "a.nii.gz")
    turned = oriented(scan, codes)
    turned.to_filename(tmp_path / "b.nii.gz")
    run(model, tmp_path / "a.nii.gz", tmp_path / "b.nii.gz", output=tmp_path / "out")
    assert_same_place(tmp_path / "out" / "a.nii.gz", tmp_path / "out" / "b.nii.gz", turned)


def assert_same_place(first, second, turned, least=1.0) -> None:
    """The second segmentation lies on the turned image, and is the first one turned."""
    mine, other = nib.load(first), nib.load(second)
    assert other.shape == turned.shape
    assert np.array_equal(other.affine, nib.load(second.parents[1] / second.name).affine)
    assert nib.aff2axcodes(other.affine) == nib.aff2axcodes(turned.affine)
    change = ornt_transform(io_orientation(mine.affine), io_orientation(other.affine))
    expected = apply_orientation(np.asarray(mine.dataobj), change)
    assert len(np.unique(expected)) > 1
    assert np.mean(np.asarray(other.dataobj) == expected) >= least


@pytest.mark.parametrize("codes", ["LPS", "SRA"])
def test_real_cords_are_segmented_alike_in_every_orientation(
    real_images, tmp_path, monkeypatch, codes
):
    preset = Preprocessing(labels={"box": (1,), "core": (2,)}, spacing=(0.5, 0.5, 3.0))
    model = package(tmp_path, monkeypatch, side=80, preprocessing=preset)
    files = sorted((real_images / "cord").glob("*/anat/*_T2starw.nii.gz"))
    for number, file in enumerate(files):
        scan = nib.load(file)
        scan = nib.Nifti1Image(np.asarray(scan.dataobj, np.float32), scan.affine)
        scan.to_filename(tmp_path / f"{number}.nii.gz")
        turned = oriented(scan, codes)
        turned.to_filename(tmp_path / f"{number}-turned.nii.gz")
    run(model, *tmp_path.glob("*.nii.gz"), output=tmp_path / "out")
    assert len(files) == 5
    for number in range(len(files)):
        turned = nib.load(tmp_path / f"{number}-turned.nii.gz")
        first, second = (tmp_path / "out" / f"{number}{end}.nii.gz" for end in ("", "-turned"))
        # Affines are rounded to float32 in files; voxels where two classes tie may change.
        assert_same_place(first, second, turned, least=0.9999)
        assert np.array_equal(nib.load(first).affine, nib.load(tmp_path / first.name).affine)


# Memory


@pytest.mark.parametrize("depth", [1, 3, 40])
@pytest.mark.parametrize("spacing", [None, (0.8, 0.7, 1.1), (2.0, 1.5, 3.7), (1.5, 1.0, 0.6)])
@pytest.mark.parametrize("size", [None, (20, 16, 30), (9, 40, 7)])
def test_slabs_give_the_labels_of_the_whole(depth, spacing, size):
    grid = Grid.of((17, 14, 21), OBLIQUE @ np.diag([2, 2, 0.5, 1]), spacing, size)
    maps = np.random.default_rng(0).dirichlet((1, 1, 1), grid.shape).astype(np.float32)
    whole = np.moveaxis(maps, -1, 0)
    slabs = (whole[..., z : z + depth] for z in range(0, grid.shape[2], depth))
    found = slabs_to_native(slabs, grid, 3)
    assert np.mean(found.labels == labels_to_native(whole, grid)) > 0.999
    if spacing is None:
        assert np.array_equal(found.labels, labels_to_native(whole, grid))


def test_confidence_is_the_mean_probability_of_what_a_class_won():
    grid = Grid.of((2, 1, 2), np.eye(4), None, None)
    box = np.array([[[0.75, 0.0]], [[0.25, 0.625]]], np.float32)
    maps = np.stack([1 - box, box, np.zeros_like(box)])
    background, won, nothing = slabs_to_native(np.split(maps, 2, axis=3), grid, 3).confidence
    assert (background, won) == (0.875, 0.6875)
    assert np.isnan(nothing)


def test_images_that_take_too_much_disk_are_prepared_again(tmp_path, monkeypatch):
    model = package(tmp_path, monkeypatch)
    files = [save(image(20, 20, 4, seed=n), tmp_path / f"{n}.nii") for n in range(3)]
    kept = run(model, *files, output=tmp_path / "one")
    monkeypatch.setattr(prediction, "_KEPT_BYTES", 10_000)
    again = run(model, *files, output=tmp_path / "two")
    assert all(np.array_equal(a.labels, b.labels) for a, b in zip(kept, again, strict=True))


# What a case is


def names(*sources, channels=1, output=Path("out")):
    return {
        each.name: [p.name for p in each.images] for each in find_inputs(sources, channels, output)
    }


def touch(folder, *paths) -> None:
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).touch()


def refused(*sources, channels=1) -> list[str]:
    with pytest.raises(InputError) as raised:
        find_inputs(sources, channels, Path("out"))
    return [str(problem) for problem in raised.value.problems]


def test_files_and_folders_are_cases(tmp_path):
    touch(tmp_path, "b.nii.gz", "a.PNG", "notes.txt", ".hidden.nii", "case/scan.nii", "empty/x.txt")
    expected = {"a": ["a.PNG"], "b": ["b.nii.gz"], "case": ["scan.nii"]}
    assert names(tmp_path) == expected
    assert names(tmp_path / "b.nii.gz", tmp_path) == expected
    assert names(tmp_path, tmp_path) == expected
    assert names(tmp_path / "case") == {"scan": ["scan.nii"]}


def test_channels_are_numbered_as_in_nnunet(tmp_path):
    touch(tmp_path, "p1_0001.nii.gz", "p1_0000.nii.gz", "p2_0000.nii.gz", "p2_0001.nii.gz")
    expected = {
        "p1": ["p1_0000.nii.gz", "p1_0001.nii.gz"],
        "p2": ["p2_0000.nii.gz", "p2_0001.nii.gz"],
    }
    assert names(tmp_path, channels=2) == expected
    assert names(tmp_path / "p1_0000.nii.gz", tmp_path / "p1_0001.nii.gz", channels=2) == {
        "p1": expected["p1"]
    }


def test_the_number_of_the_only_channel_is_no_part_of_the_name(tmp_path):
    touch(tmp_path, "p1_0000.nii.gz", "p2_0000.nii.gz")
    assert list(names(tmp_path)) == ["p1", "p2"]
    touch(tmp_path, "p1_0001.nii.gz", "p3.nii.gz")  # numbers of cases, then
    assert list(names(tmp_path)) == ["p1_0000", "p1_0001", "p2_0000", "p3"]


def test_a_folder_may_hold_the_channels_of_one_case(tmp_path):
    touch(tmp_path, "all/anna/t1_0000.nii", "all/anna/flair_0001.nii")
    expected = {"anna": ["t1_0000.nii", "flair_0001.nii"]}
    assert names(tmp_path / "all", channels=2) == expected
    assert names(tmp_path / "all" / "anna", channels=2) == expected


def test_a_wrong_number_of_channels_is_named_for_every_case(tmp_path):
    touch(tmp_path, "a_0000.nii", "a_0001.nii", "b_0000.nii", "b_0001.nii", "c/x.nii", "c/y.nii")
    one = "must have one channel, as the model was trained, got"
    files = {"a": "a_0000.nii, a_0001.nii", "b": "b_0000.nii, b_0001.nii", "c": "x.nii, y.nii"}
    remedy = "give it the right one; files that are cases of their own lie in a folder given as -i"
    assert refused(tmp_path) == [f"{name}: {one} {of}; {remedy}" for name, of in files.items()]
    found = refused(tmp_path, channels=3)
    assert [text.split(":")[0] for text in found] == ["a", "b", "c"]
    assert found[0] == (
        "a: must have 3 channels, as the model was trained, got a_0000.nii, a_0001.nii;"
        " name them a_0000 to a_0002, in the order of the training"
    )


def test_what_is_no_image_is_named(tmp_path):
    touch(tmp_path, "notes.txt", "empty/notes.txt")
    places = [tmp_path / name for name in ("notes.txt", "empty", "nowhere.nii")]
    rules = ("must be an image", "holds no images", "no such file")
    for text, place, rule in zip(refused(*places), places, rules, strict=True):
        assert text.startswith(f"{place}: {rule}")


def test_earlier_outputs_are_no_inputs(tmp_path):
    touch(tmp_path, "a.nii", "out/a.nii.gz")
    assert names(tmp_path, output=tmp_path / "out") == {"a": ["a.nii"]}


def test_a_folder_of_dicom_slices_is_one_case(tmp_path):
    touch(tmp_path, "series/1.dcm", "series/2.dcm")
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "IM1").write_bytes(bytes(128) + b"DICM")
    assert names(tmp_path) == {"bare": ["bare"], "series": ["series"]}
    assert names(tmp_path / "series") == {"series": ["series"]}
    touch(tmp_path, "mixed/1.dcm", "mixed/scan.nii")
    for place in (tmp_path, tmp_path / "mixed"):
        (text,) = refused(place)
        assert text.startswith(f"{tmp_path / 'mixed'}: holds DICOM slices and other images")
    assert "must have 2 channels" in refused(tmp_path / "series", channels=2)[0]


# The model


def test_channels_reach_the_network_in_their_order(tmp_path, monkeypatch):
    class Darker(Convolved):
        def segment(self, image):
            first, second = image[:, :1], image[:, 1:]
            return torch.cat([first * 0, second - first, first * 0 - 9], dim=1)

    model = package(tmp_path, monkeypatch, Darker, channels=2)
    first, second = image(20, 18, 3), image(20, 18, 3, seed=1)
    save(first, tmp_path / "in" / "a_0000.nii.gz")
    save(second, tmp_path / "in" / "a_0001.nii.gz")
    (done,) = run(model, tmp_path / "in", output=tmp_path / "out")
    assert done.path.name == "a.nii.gz"
    normal = [(part - part.mean()) / part.std() for part in (first, second)]
    assert np.mean(np.asarray(nib.load(done.path).dataobj) == (normal[1] > normal[0])) > 0.999


def test_channels_on_different_grids_are_refused(tmp_path, monkeypatch):
    model = package(tmp_path, monkeypatch, channels=2)
    save(image(20, 18, 3), tmp_path / "in" / "a_0000.nii.gz")
    save(image(20, 18, 4), tmp_path / "in" / "a_0001.nii.gz")
    with pytest.raises(InputError, match="a channel 2 image: must have the shape"):
        run(model, tmp_path / "in", output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


class Bright(Convolved):
    """What is above zero is the box."""

    def segment(self, image):
        return torch.cat([image * 0, image, image * 0 - 9], dim=1)


def test_images_are_prepared_as_the_models_target_domain(tmp_path, monkeypatch):
    domains = {"ct": DomainPreset(window=(1, 2), intensity="none")}
    preset = Preprocessing(labels={"box": (1,), "core": (2,)}, domains=domains)
    model = package(tmp_path, monkeypatch, Bright, preprocessing=preset)
    file = save(image(20, 18, 3), tmp_path / "a.nii")
    (done,) = run(model, file, output=tmp_path / "out")
    assert (done.labels == 1).all()


def test_the_models_post_processing_is_done(tmp_path, monkeypatch):
    rules = PostprocessSpec(largest_component=("box",))
    model = package(tmp_path, monkeypatch, Bright, postprocess=rules)
    picture = image(20, 18, 3) * 0.01
    picture[2:9, 2:9] += 5
    picture[14:17, 14:17] += 5
    (done,) = run(model, save(picture, tmp_path / "a.nii"), output=tmp_path / "out")
    expected = np.zeros(picture.shape, bool)
    expected[2:9, 2:9] = True
    assert np.array_equal(done.labels == 1, expected)
    assert np.array_equal(np.asarray(nib.load(done.path).dataobj), done.labels)
    assert done.millilitres == {"box": pytest.approx(0.147), "core": 0}


def test_a_dicom_series_is_segmented_on_its_own_grid(tmp_path, monkeypatch):
    model = package(tmp_path, monkeypatch, Bright)
    values = (image(12, 10, 5) * 100).astype(np.int16)
    write_dicom(tmp_path / "in" / "series", values, (0.5, 0.7, 3.0))
    save(image(16, 16, 3), tmp_path / "in" / "scan.nii")
    done = {each.name: each for each in run(model, tmp_path / "in", output=tmp_path / "out")}
    assert sorted(done) == ["scan", "series"]
    written = nib.load(tmp_path / "out" / "series.nii.gz")
    assert written.shape == (12, 10, 5)
    np.testing.assert_allclose(nib.affines.voxel_sizes(written.affine), (0.5, 0.7, 3.0), rtol=1e-5)
    assert np.mean(np.asarray(written.dataobj) == (values > values.mean())) > 0.99


def test_all_bad_images_are_listed_before_anything_is_written(tmp_path, monkeypatch):
    model = package(tmp_path, monkeypatch)
    save(image(16, 16, 3), tmp_path / "in" / "good.nii")
    for name in ("b", "c"):
        (tmp_path / "in" / f"{name}.nii").write_text("no image")
    with pytest.raises(InputError) as raised:
        run(model, tmp_path / "in", output=tmp_path / "out")
    assert [problem.where.split()[0] for problem in raised.value.problems] == ["b", "c"]
    assert not (tmp_path / "out").exists()


def test_an_output_that_would_be_another_input_is_refused(tmp_path, monkeypatch):
    model = package(tmp_path, monkeypatch)
    for name in ("a.nii", "b.nii.gz"):
        save(image(16, 16, 3), tmp_path / name)
    (tmp_path / "b.nii").write_bytes((tmp_path / "a.nii").read_bytes())
    with pytest.raises(InputError) as raised:
        run(model, *(tmp_path / name for name in ("a.nii", "b.nii", "b.nii.gz")), output=tmp_path)
    rules = {problem.rule for problem in raised.value.problems}
    assert rules == {"would be overwritten", "gives the same output as"}


def test_progress_counts_what_is_read_and_what_is_segmented(tmp_path, monkeypatch):
    model = package(tmp_path, monkeypatch)
    for name in "ab":
        save(image(16, 16, 3), tmp_path / "in" / f"{name}.nii")
    seen = []
    list(predict(model, [tmp_path / "in"], tmp_path / "out", CPU, lambda *at: seen.append(at)))
    assert seen == [
        ("reading", 1, 2),
        ("reading", 2, 2),
        ("segmenting", 1, 2),
        ("segmenting", 2, 2),
    ]


def test_outputs_carry_no_text(tmp_path, monkeypatch):
    model = package(tmp_path, monkeypatch)
    scan = nib.Nifti1Image(image(16, 16, 3), np.eye(4))
    scan.header["descrip"], scan.header["aux_file"] = b"Jane Doe", b"1970-01-01"
    scan.to_filename(tmp_path / "a.nii")
    (done,) = run(model, tmp_path / "a.nii", output=tmp_path / "out")
    header = nib.load(done.path).header
    texts = ("descrip", "aux_file", "db_name", "intent_name")
    assert [bytes(header[name]).strip(b"\0") for name in texts] == [b""] * 4
    assert len(header.extensions) == 0
