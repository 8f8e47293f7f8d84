import multiprocessing
import os
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from uda_study.data import prepare as module
from uda_study.data.arrays import IGNORED, CaseArrays
from uda_study.data.labels import LabelReader
from uda_study.data.prepare import PreparedCase, prepare
from uda_study.dataset import DomainPreset, Preprocessing
from uda_study.errors import InputError, LabelsWithheld
from uda_study.types import Case

PRESET = Preprocessing(labels={"box": (1,)})


def entries(cache, kind):
    return sorted(path.name for path in (cache / kind).iterdir())


def test_arrays_are_normalised_mapped_and_read_only(make_cases, tmp_path):
    seen = []
    prepared = prepare(make_cases(2), PRESET, tmp_path / "c", lambda *at: seen.append(at))
    case = prepared["mr1"]
    assert case.image.shape == (1, 12, 14, 6)
    assert case.image.dtype == np.float32
    assert abs(case.image.mean()) < 1e-5
    assert abs(case.image.std() - 1) < 1e-5
    assert case.mask.all()
    assert case.grid.shape == (12, 14, 6)
    with pytest.raises(ValueError, match="read-only"):
        case.image[0, 0, 0, 0] = 1
    assert seen == [(1, 2), (2, 2)]


def test_slices_lie_together_on_disk(make_prepared):
    assert make_prepared(1)[0].image[0].flags.f_contiguous


def test_second_call_only_opens(make_cases, tmp_path, monkeypatch):
    cases = make_cases(2)
    first = prepare(cases, PRESET, tmp_path / "c")
    monkeypatch.setattr(module, "CaseArrays", lambda *_: None)
    assert prepare(cases, PRESET, tmp_path / "c") == first


def test_every_field_and_every_byte_gives_another_entry(make_cases, tmp_path, write_nifti):
    (case,) = make_cases(1)
    keys = {prepare([case], PRESET, tmp_path / "c")[case.id].sha256}
    for change in ({"intensity": "none"}, {"spacing": (2, 2, 1)}, {"labels": {"other": (1,)}}):
        preset = PRESET.model_copy(update=change)
        keys.add(prepare([case], preset, tmp_path / "c")[case.id].sha256)
    changed = np.random.default_rng(9).normal(size=(12, 14, 6)).astype(np.float32)
    write_nifti("mr0.nii.gz", changed)
    keys.add(prepare([case], PRESET, tmp_path / "c")[case.id].sha256)
    assert len(keys) == 5


def test_order_of_structures_gives_the_classes(make_cases, tmp_path, write_nifti):
    (case,) = make_cases(1)
    values = np.zeros((12, 14, 6), np.int16)
    values[:4], values[4:8] = 820, 205
    case = replace(case, label=write_nifti("l.nii", values))
    reader = LabelReader([case.id], "a test")
    for labels, expected in (
        ({"aorta": (820,), "wall": (205,)}, [1, 2, 0]),
        ({"wall": (205,), "aorta": (820,)}, [2, 1, 0]),
        ({"both": (205, 820)}, [1, 1, 0]),
        ({"wall": (205, 421)}, [0, 1, 0]),
    ):
        prepared = prepare([case], Preprocessing(labels=labels), tmp_path / "c")[case.id]
        for read in (reader.read, reader.read_native):
            assert read(prepared)[[0, 5, 10], 0, 0].tolist() == expected


def test_label_content_changes_the_label_entry_alone(make_cases, tmp_path, write_nifti):
    (case,) = make_cases(1)
    before = prepare([case], PRESET, tmp_path / "c")[case.id]
    write_nifti("mr0_label.nii.gz", np.ones((12, 14, 6), np.uint8))
    after = prepare([case], PRESET, tmp_path / "c")[case.id]
    assert before.sha256 == after.sha256
    assert before.label_folder != after.label_folder


def test_prepared_cases_offer_no_way_to_labels(make_prepared):
    case = make_prepared(1)[0]
    assert not [name for name in dir(PreparedCase) if "label" in name and name != "label_folder"]
    assert not list(case.folder.glob("*label*"))
    assert case.folder.parent != case.label_folder.parent


def test_labels_are_withheld_from_those_not_allowed_and_counted(make_prepared):
    first, second = make_prepared(2)
    reader = LabelReader([first.case.id], "training")
    assert set(np.unique(reader.read(first))) == {0, 1}
    reader.read_native(first)
    with pytest.raises(LabelsWithheld, match=r"mr1 label: .*withheld from training"):
        reader.read(second)
    assert reader.counts == {"mr0": 2}
    unlabelled = replace(first, label_folder=None)
    with pytest.raises(InputError, match="training needs a label"):
        reader.read(unlabelled)


def test_all_bad_cases_are_listed_together_and_leave_nothing(make_cases, tmp_path, write_nifti):
    cases = make_cases(4)
    cases[0].images[0].write_bytes(b"")
    cases[1] = replace(cases[1], label=write_nifti("l1.nii", np.zeros((12, 14, 6), np.uint8)))
    cases[2].label.unlink()
    with pytest.raises(InputError) as caught:
        prepare(cases, PRESET, tmp_path / "c")
    assert [problem.where.split()[0] for problem in caught.value.problems] == ["mr0", "mr1", "mr2"]
    assert "holds none of the structures box" in str(caught.value)
    assert len(entries(tmp_path / "c", "images")) == 1


def test_channels_must_agree_in_number_and_space(make_cases, tmp_path, write_nifti):
    cases = make_cases(3)
    both = replace(cases[0], images=(*cases[0].images, *cases[1].images))
    assert prepare([both], PRESET, tmp_path / "c")["mr0"].image.shape[0] == 2
    with pytest.raises(InputError, match="must have 1 channels as the others, got 2"):
        prepare([both, *cases[1:]], PRESET, tmp_path / "c")
    moved = write_nifti(
        "moved.nii", np.random.default_rng(0).normal(size=(12, 14, 6)), np.eye(4) * 2
    )
    with pytest.raises(InputError, match="mr0 channel 2 image: must lie in the space"):
        prepare([replace(both, images=(both.images[0], moved))], PRESET, tmp_path / "c")


def test_repeated_ids_and_values_are_refused(make_cases, tmp_path):
    cases = make_cases(1) * 2
    with pytest.raises(InputError, match=r"unique.*\n.*one structure"):
        prepare(cases, Preprocessing(labels={"a": (1,), "b": (1, 2)}), tmp_path / "c")


def test_background_of_stripped_images_is_outside_the_mask_and_darkest(tmp_path, write_nifti):
    inner = np.random.default_rng(0).normal(5, 1, (12, 12, 12))
    volume = np.full((16, 16, 16), 5.123)
    volume[2:-2, 2:-2, 2:-2] = inner
    case = Case("a", "s", "mr", (write_nifti("a.nii", volume.astype(np.float32)),))
    size = Preprocessing(labels={"x": (1,)}, size=(20, 20, 20))
    prepared = prepare([case], size, tmp_path / "c")["a"]
    assert prepared.mask.sum() == 12**3
    inside = prepared.image[0][prepared.mask]
    assert abs(inside.mean()) < 1e-5
    assert (prepared.image[0][~prepared.mask] == inside.min()).all()
    assert prepared.label_folder is None


def test_a_given_mask_sets_what_is_normalised_by(make_cases, tmp_path, write_nifti):
    (case,) = make_cases(1)
    mask = np.zeros((12, 14, 6), np.uint8)
    mask[:6] = 1
    case = replace(case, mask=write_nifti("m.nii", mask))
    prepared = prepare([case], PRESET, tmp_path / "c")[case.id]
    np.testing.assert_array_equal(prepared.mask, mask > 0)
    assert abs(prepared.image[0][prepared.mask].mean()) < 1e-5
    assert abs(prepared.image.mean()) > 1e-3
    empty = replace(case, mask=write_nifti("e.nii", mask * 0))
    with pytest.raises(InputError, match="the mask is empty"):
        prepare([empty], PRESET, tmp_path / "c")


def test_percentiles_become_zero_and_one(make_cases, tmp_path):
    preset = PRESET.model_copy(update={"intensity": "percentile", "percentiles": (5, 95)})
    image = prepare(make_cases(1), preset, tmp_path / "c")["mr0"].image
    assert (image.min(), image.max()) == (0, 1)
    assert 0.04 < (image == 0).mean() < 0.06


@pytest.mark.parametrize("name", ["image.npy", "mask.npy", "grid.json", "label.npy", "native.npy"])
def test_damaged_entries_are_rebuilt(make_cases, tmp_path, name):
    cases = make_cases(1)
    before = prepare(cases, PRESET, tmp_path / "c")["mr0"]
    folder = before.label_folder if name in ("label.npy", "native.npy") else before.folder
    whole = (folder / name).read_bytes()
    for damaged in (whole[: len(whole) // 2], b"", whole + b"x"):
        (folder / name).unlink()
        (folder / name).write_bytes(damaged)
        assert prepare(cases, PRESET, tmp_path / "c")["mr0"] == before
        assert (folder / name).read_bytes() == whole
    assert entries(tmp_path / "c", folder.parent.name) == [folder.name]


def test_a_crash_while_writing_leaves_no_entry(make_cases, tmp_path, monkeypatch):
    def crash(path, array):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "write_array", crash)
        with pytest.raises(KeyboardInterrupt):
            prepare(make_cases(1), PRESET, tmp_path / "c")
    assert entries(tmp_path / "c", "labels") == []
    assert prepare(make_cases(1), PRESET, tmp_path / "c")["mr0"].mask.all()


def test_several_processes_prepare_the_same_cases(make_cases, tmp_path):
    cases = make_cases(6)
    context = multiprocessing.get_context("fork")
    # Both start from nothing, and each finds or replaces what the other moves into place.
    workers = [
        context.Process(target=prepare, args=(cases, PRESET, tmp_path / "c")) for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(30)
        assert worker.exitcode == 0
    assert len(entries(tmp_path / "c", "images")) == 6
    assert len(entries(tmp_path / "c", "labels")) == 6


def test_prepared_cases_are_marked_as_used(make_cases, tmp_path):
    cases = make_cases(1)
    first = prepare(cases, PRESET, tmp_path / "c")["mr0"]
    for folder in (first.folder, first.label_folder):
        os.utime(folder, (0, 0))
    prepare(cases, PRESET, tmp_path / "c")
    assert first.folder.stat().st_mtime > 1e9
    assert first.label_folder.stat().st_mtime > 1e9


def test_of_two_that_want_the_same_case_one_prepares_it(make_cases, tmp_path, monkeypatch):
    computed = []
    original = CaseArrays.image_parts

    def slow(self):
        computed.append(self.case.id)
        time.sleep(0.2)
        return original(self)

    monkeypatch.setattr(CaseArrays, "image_parts", slow)
    cases = make_cases(1)
    twice = [threading.Thread(target=prepare, args=(cases, PRESET, tmp_path)) for _ in range(2)]
    for thread in twice:
        thread.start()
    for thread in twice:
        thread.join()
    assert computed == ["mr0"]


def test_values_can_differ_by_domain(make_cases, tmp_path):
    cases = make_cases(1)
    ct = [replace(cases[0], domain="ct")]
    own = DomainPreset(window=(0.0, 0.5), labels={"box": (2,)}, intensity="none")
    preset = PRESET.model_copy(update={"domains": {"ct": own}})
    image = prepare(cases, preset, tmp_path)["mr0"].image
    assert np.array_equal(image, prepare(cases, PRESET, tmp_path)["mr0"].image)
    with pytest.raises(InputError, match="holds none of the structures box"):
        prepare(ct, preset, tmp_path)
    only_window = DomainPreset(window=(0.0, 0.5), intensity="none")
    windowed = PRESET.model_copy(update={"domains": {"ct": only_window}})
    image = prepare(ct, windowed, tmp_path)["mr0"].image
    assert image.min() >= 0
    assert image.max() <= 0.5
    unknown = PRESET.model_copy(update={"domains": {"ct": DomainPreset(labels={"spot": (2,)})}})
    with pytest.raises(InputError, match=r"structures have to be in data\.labels, got spot"):
        prepare(ct, unknown, tmp_path)


def test_several_masks_become_one_label_and_ignored_voxels_are_background(
    make_cases, tmp_path, write_nifti
):
    case = make_cases(1)[0]
    masks = np.zeros((3, 12, 14, 6), np.uint8)
    masks[0, 2:6], masks[1, 5:8], masks[2, 9:11] = 255, 1, 1
    files = tuple(write_nifti(f"m{number}.nii", mask) for number, mask in enumerate(masks))
    preset = Preprocessing(labels={"left": (1,), "right": (2,)}, ignore=(3,))
    prepared = prepare([replace(case, label=files)], preset, tmp_path)["mr0"]
    reader = LabelReader(["mr0"], "a test")
    native, label = reader.read_native(prepared), reader.read(prepared)
    assert native[:, 0, 0].tolist() == [0, 0, 1, 1, 1, 2, 2, 2, 0, IGNORED, IGNORED, 0]
    assert label[:, 0, 0].tolist() == [0, 0, 1, 1, 1, 2, 2, 2, 0, 0, 0, 0]


def test_percentiles_are_cut_before_the_zscore(make_cases, tmp_path):
    plain = prepare(make_cases(1), PRESET, tmp_path)["mr0"].image
    preset = PRESET.model_copy(update={"cut": (0.0, 98.0)})
    cut = prepare(make_cases(1), preset, tmp_path)["mr0"].image
    assert abs(float(cut.mean())) < 1e-5
    assert (cut == cut.max()).mean() >= 0.02
    assert cut.max() < plain.max()
