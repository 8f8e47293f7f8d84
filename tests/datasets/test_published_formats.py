"""The published trees whose files are not NIfTI: DICOM and PNG slices, MetaImage, PNG, raw, GIF."""

import importlib.util
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from uda_study import plugins
from uda_study.data.labels import LabelReader
from uda_study.data.prepare import prepare
from uda_study.data.read import read_image, read_label
from uda_study.dataset import Dataset
from uda_study.errors import InputError

NAMES = ("chaos", "retouch", "montgomery", "jsrt")


def tree(name):
    file = Path(__file__).parent / "trees" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"published_{name}", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def opened(name, root, **options):
    plugin = plugins.load("datasets", name, Dataset)
    return plugin(plugin.Options.model_validate(options), root, root / "cache")


def refusal(name, root, **options):
    with pytest.raises(InputError) as caught:
        opened(name, root, **options).cases()
    return str(caught.value)


def ids(dataset):
    return [case.id for case in dataset.cases()]


@pytest.fixture
def laid_out(tmp_path):
    def lay_out(name):
        tree(name).write(tmp_path)
        return tmp_path

    return lay_out


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_root_is_answered_with_the_expected_and_the_found_tree(name, tmp_path):
    plugin = plugins.load("datasets", name, Dataset)
    first = plugin.info.tree.splitlines()[0]
    (tmp_path / "holiday").mkdir()
    text = refusal(name, tmp_path)
    assert first in text
    assert "holiday/" in text
    assert first in refusal(name, tmp_path / "nothing")
    nowhere = plugin(plugin.Options(), None, tmp_path)
    with pytest.raises(InputError, match="is required"):
        nowhere.cases()


@pytest.mark.parametrize("name", NAMES)
def test_a_link_out_of_the_root_is_refused(name, tmp_path):
    root = tmp_path / "root"
    tree(name).write(root)
    path = opened(name, root).cases()[0].images[0]
    shutil.move(path, tmp_path / path.name)
    os.symlink(tmp_path / path.name, path)
    assert "must lie below the root, links included" in refusal(name, root)


@pytest.mark.parametrize("name", NAMES)
def test_a_lost_label_is_named_with_its_case_and_can_be_left_out(name, laid_out):
    root = laid_out(name)
    case = opened(name, root).cases()[-1]
    lost = case.labels[0]
    if lost.is_dir():
        shutil.rmtree(lost)
    else:
        lost.unlink()
    text = refusal(name, root)
    assert f"{case.id} label: no such file" in text
    left = ids(opened(name, root, leave_out=[case.id]))
    assert left
    assert case.id not in left


@pytest.mark.parametrize("name", NAMES)
def test_every_case_prepares_with_the_preset(name, laid_out):
    dataset = opened(name, laid_out(name))
    cases, preset = dataset.cases(), dataset.preprocessing()
    prepared = prepare(cases, preset, dataset.cache)
    reader = LabelReader([case.id for case in cases], "a test")
    for case in cases:
        assert set(np.unique(reader.read(prepared[case.id]))) == set(range(len(preset.class_names)))


def test_chaos_names_modes_and_subjects(laid_out):
    dataset = opened("chaos", laid_out("chaos"))
    modes = ("t1_in", "t1_out", "t2_spir")
    assert ids(dataset) == ["ct-2", *(f"mr-{n}-{mode}" for n in (1, 13) for mode in modes)]
    assert {case.subject for case in dataset.cases()} == {"ct-2", "mr-1", "mr-13"}
    assert {case.domain for case in dataset.cases()} == {"ct", "mr"}


def test_chaos_modes_can_be_domains_of_their_own_or_left_out(laid_out):
    root = laid_out("chaos")
    apart = opened("chaos", root, mode_domains=True)
    assert {case.domain for case in apart.cases()} == {"ct", "t1_in", "t1_out", "t2_spir"}
    assert (
        apart.preprocessing().of("t2_spir").cut
        == opened("chaos", root).preprocessing().of("mr").cut
    )
    assert ids(opened("chaos", root, modes=["t2_spir"])) == [
        "ct-2", "mr-1-t2_spir", "mr-13-t2_spir",
    ]  # fmt: skip


def test_chaos_leaves_ct_out_for_organs_that_are_not_outlined_there(laid_out):
    root = laid_out("chaos")
    organs = opened("chaos", root, structures=["liver", "spleen"])
    assert {case.domain for case in organs.cases()} == {"mr"}
    preset = organs.preprocessing()
    assert preset.class_names == ("background", "liver", "spleen")
    prepare(organs.cases()[:1], preset, root / "cache")


def test_chaos_labels_lie_where_the_liver_is_though_names_run_against_positions(laid_out):
    module = tree("chaos")
    dataset = opened("chaos", laid_out("chaos"))
    for case, seed, liver in ((dataset.cases()[0], 0, 255), (dataset.cases()[2], 1, 63)):
        image, label = module.volume(seed, liver)
        read = read_image(case.images[0], case.id)
        np.testing.assert_array_equal(read.array, image + (case.id == "mr-1-t1_out"))
        np.testing.assert_array_equal(read_label(case.label, case.id, read), label)


@pytest.mark.parametrize("value", [1, 128, 255])
def test_chaos_ct_liver_is_whatever_is_not_black(value, laid_out):
    preset = opened("chaos", laid_out("chaos")).preprocessing()
    assert value in preset.of("ct").labels["liver"]
    assert (value in preset.of("mr").labels["liver"]) == (55 <= value <= 70)


def test_chaos_is_found_in_its_archives_and_phases_however_written(laid_out, tmp_path):
    root = laid_out("chaos")
    expected = ids(opened("chaos", root))
    assert ids(opened("chaos", root / "Train_Sets")) == expected
    phase = root / "Train_Sets" / "MR" / "1" / "T1DUAL" / "DICOM_anon" / "OutPhase"
    phase.rename(phase.with_name("out_phase"))
    assert ids(opened("chaos", root)) == expected
    (root / "CHAOS_Train_Sets").mkdir()
    (root / "Train_Sets").rename(root / "CHAOS_Train_Sets" / "Train_Sets")
    assert ids(opened("chaos", root)) == expected


def test_chaos_with_a_lost_slice_names_case_and_count(laid_out):
    dataset = opened("chaos", laid_out("chaos"))
    case = dataset.cases()[0]
    sorted(case.label.iterdir())[1].unlink()
    with pytest.raises(InputError, match="ct-2 label: must have one PNG for each of the 4 slices"):
        prepare([case], dataset.preprocessing(), dataset.cache)


def test_chaos_options_are_named_once(tmp_path):
    plugin = plugins.load("datasets", "chaos", Dataset)
    for options in ({"modes": ["t1_in", "t1_in"]}, {"structures": []}, {"structures": ["heart"]}):
        with pytest.raises(ValueError, match=next(iter(options))):
            plugin.Options.model_validate(options)


def test_retouch_scanners_are_domains_at_any_depth(laid_out):
    dataset = opened("retouch", laid_out("retouch"))
    assert ids(dataset) == ["cirrus-001", "spectralis-025", "topcon-049"]
    assert [case.domain for case in dataset.cases()] == ["cirrus", "spectralis", "topcon"]


def test_retouch_slices_are_b_scans(laid_out):
    dataset = opened("retouch", laid_out("retouch"))
    prepared = prepare(dataset.cases(), dataset.preprocessing(), dataset.cache)
    shapes = {name.split("-")[0]: case.grid.shape for name, case in prepared.items()}
    assert shapes == dict.fromkeys(("cirrus", "spectralis", "topcon"), (16, 15, 4))


def test_retouch_headers_cannot_point_elsewhere(laid_out):
    root = laid_out("retouch")
    dataset = opened("retouch", root)
    case = dataset.cases()[0]
    header = case.images[0].read_text()
    for target in ("/etc/passwd", "../../secret.raw", "LIST"):
        case.images[0].write_text(header.replace("oct.raw", target))
        with pytest.raises(InputError, match="cirrus-001 image: the data file must lie beside"):
            prepare([case], dataset.preprocessing(), dataset.cache)


def test_retouch_truncated_volumes_are_refused(laid_out):
    dataset = opened("retouch", laid_out("retouch"))
    case = dataset.cases()[0]
    data = case.images[0].with_suffix(".raw")
    data.write_bytes(data.read_bytes()[:-1])
    with pytest.raises(InputError, match="cirrus-001 image: the file is truncated"):
        prepare([case], dataset.preprocessing(), dataset.cache)


def test_montgomery_lungs_are_two_masks_padded_to_a_square(laid_out):
    dataset = opened("montgomery", laid_out("montgomery"))
    case = dataset.cases()[0]
    assert [path.parent.name for path in case.labels] == ["leftMask", "rightMask"]
    assert ids(dataset) == ["montgomery-0001", "montgomery-0104"]
    prepared = prepare([case], dataset.preprocessing(), dataset.cache)[case.id]
    assert prepared.grid.shape == (512, 512, 1)
    assert prepared.image.min() == 0
    assert prepared.image.max() == 1


def test_montgomery_sides_can_be_told_apart(laid_out):
    dataset = opened("montgomery", laid_out("montgomery"))
    case = dataset.cases()[0]
    sides = dataset.preprocessing().model_copy(update={"labels": {"left": (1,), "right": (2,)}})
    label = LabelReader([case.id], "a test").read(prepare([case], sides, dataset.cache)[case.id])
    places = [np.argwhere(label == value)[:, 0].mean() for value in (1, 2)]
    assert places[0] < places[1], "the patient's left is on the right of the film, so low in RAS"


def test_a_damaged_lung_mask_is_named(laid_out):
    dataset = opened("montgomery", laid_out("montgomery"))
    case = dataset.cases()[0]
    case.labels[1].write_bytes(case.labels[1].read_bytes()[:-30])
    with pytest.raises(InputError, match="montgomery-0001 label: the PNG is truncated"):
        prepare([case], dataset.preprocessing(), dataset.cache)


def test_jsrt_films_meet_the_outlines_of_either_fold(laid_out):
    dataset = opened("jsrt", laid_out("jsrt"))
    assert ids(dataset) == ["JPCLN001", "JPCNN002"]
    folds = [case.labels[0].parents[2].name for case in dataset.cases()]
    assert folds == ["fold1", "fold2"]
    assert [path.parent.name for path in dataset.cases()[0].labels] == ["left lung", "right lung"]


def test_jsrt_lungs_are_dark_under_their_masks(laid_out):
    dataset = opened("jsrt", laid_out("jsrt"))
    case = dataset.cases()[0]
    prepared = prepare([case], dataset.preprocessing(), dataset.cache)[case.id]
    label = LabelReader([case.id], "a test").read(prepared)
    assert prepared.grid.shape == (512, 512, 1)
    assert prepared.image[0][label == 1].max() < prepared.image[0][label == 0].min()


def test_jsrt_films_of_the_wrong_size_are_named(laid_out):
    dataset = opened("jsrt", laid_out("jsrt"))
    case = dataset.cases()[0]
    case.images[0].write_bytes(bytes(1000))
    with pytest.raises(InputError, match=r"JPCLN001 image: .*need 8388608 bytes, got 1000"):
        prepare([case], dataset.preprocessing(), dataset.cache)


def test_jsrt_files_that_are_there_twice_are_refused(laid_out):
    root = laid_out("jsrt")
    shutil.copy(root / "All247images" / "JPCLN001.IMG", root / "JPCLN001.IMG")
    assert "must hold a file once" in refusal("jsrt", root)
