import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from pydantic import ValidationError

from uda_study.datasets.phantom import Phantom, PhantomOptions
from uda_study.errors import InputError, StoreError
from uda_study.types import Case

SMALL = {"subjects": 2, "shape": (32, 32, 4), "spacing": (7.0, 7.0, 12.0)}


def make(cache: Path, **options: object) -> Sequence[Case]:
    return Phantom(PhantomOptions.model_validate({**SMALL, **options}), None, cache).cases()


def read(path: Path) -> np.ndarray:
    return np.asarray(nib.Nifti1Image.from_filename(path).dataobj)


def contents(cases: Sequence[Case]) -> dict[str, bytes]:
    files = [f for case in cases for f in (*case.images, case.label, case.mask) if f is not None]
    return {f"{file.parent.name}/{file.name}": file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> Sequence[Case]:
    return make(tmp_path_factory.mktemp("cache"))


def test_cases_are_ordered_by_domain_and_number(cases):
    assert [case.id for case in cases] == ["mr-001", "mr-002", "ct-001", "ct-002"]
    assert [case.domain for case in cases] == ["mr", "mr", "ct", "ct"]
    assert len({case.subject for case in cases}) == 4


def test_files_share_a_grid_in_mm(cases):
    for case in cases:
        for file in (*case.images, case.label, case.mask):
            image = nib.Nifti1Image.from_filename(file)
            assert image.shape == (32, 32, 4)
            np.testing.assert_allclose(image.header.get_zooms(), (7, 7, 12))
            middle = image.affine @ [15.5, 15.5, 1.5, 1]
            np.testing.assert_allclose(middle, [0, -17, 14, 1], atol=1e-4)


def test_domains_show_different_people(cases):
    labels = [read(case.label) for case in cases]
    for number, first in enumerate(labels):
        for second in labels[number + 1 :]:
            assert (first != second).mean() > 0.03


def test_labels_hold_the_default_structures_inside_the_mask(cases, tmp_path):
    preset = Phantom(PhantomOptions(), None, tmp_path).preprocessing()
    assert preset.class_names == ("background", "skull")
    for case in cases:
        skull = np.isin(read(case.label), preset.labels["skull"])
        assert 0.03 < skull.mean() < 0.4
        assert read(case.mask)[skull].all()


def test_every_structure_is_found_in_the_label_files(tmp_path):
    values = np.unique(read(make(tmp_path, domains=["mr"], subjects=1, size="slices")[0].label))
    for name in ("skull", "scalp", "brain", "white_matter", "grey_matter", "csf"):
        preset = Phantom(PhantomOptions(structures=(name,)), None, tmp_path).preprocessing()
        assert set(preset.labels[name]) & set(values.tolist())


def test_same_options_give_the_same_bytes_and_another_seed_does_not(cases, tmp_path):
    assert contents(make(tmp_path / "again")) == contents(cases)
    other = contents(make(tmp_path / "other", seed=1))
    assert all(other[name] != content for name, content in contents(cases).items())


def test_second_use_only_lists(tmp_path):
    first = make(tmp_path, domains=["ct"])
    before = {file: file.stat().st_mtime_ns for case in first for file in case.images}
    again = make(tmp_path, domains=["ct"])
    assert again == first
    assert {file: file.stat().st_mtime_ns for case in again for file in case.images} == before


def test_only_the_domains_that_were_asked_for_are_made(tmp_path):
    make(tmp_path, domains=["amsterdam"])
    made = [path.name for folder in tmp_path.iterdir() for path in folder.iterdir()]
    assert made == ["amsterdam"]


def test_contrast_selects_the_channels(tmp_path):
    chosen = {
        contrast: [f.name for f in make(tmp_path, domains=["mr"], contrast=contrast)[0].images]
        for contrast in ("t1", "flair", "both")
    }
    assert chosen == {
        "t1": ["t1.nii.gz"],
        "flair": ["flair.nii.gz"],
        "both": ["t1.nii.gz", "flair.nii.gz"],
    }
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("contrast", ["t1", "flair"])
def test_mixed_subjects_take_turns_in_how_they_are_imaged_whatever_the_contrast(tmp_path, contrast):
    cases = make(tmp_path, domains=["mixed"], subjects=6, contrast=contrast)
    turns = ["t1", "flair", "inverted", "ct", "t1", "flair"]
    assert [case.id for case in cases] == [f"mixed-00{n}-{t}" for n, t in enumerate(turns, 1)]
    assert [case.subject for case in cases] == [f"mixed-00{n}" for n in range(1, 7)]
    assert [[file.name for file in case.images] for case in cases] == [
        [f"{turn}.nii.gz"] for turn in turns
    ]
    brain = [np.median(read(c.images[0])[np.isin(read(c.label), (1, 2, 11, 12))]) for c in cases]
    assert 20 < brain[3] < 50  # HU


def test_inverted_has_the_channels_of_a_scanner(tmp_path):
    (case,) = make(tmp_path, domains=["inverted"], subjects=1, contrast="both")
    assert [file.name for file in case.images] == ["t1.nii.gz", "flair.nii.gz"]
    t1, label = read(case.images[0]), read(case.label)
    assert t1[label == 6].mean() > t1[np.isin(label, (1, 2, 11, 12))].mean()  # skull over brain


def test_window_limits_the_densities(tmp_path):
    image = read(make(tmp_path, domains=["ct"], subjects=1, window=[40, 400])[0].images[0])
    assert (image.min(), image.max()) == (-160, 240)


def test_two_processes_may_make_the_same_images_at_once(cases, tmp_path):
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        one, two = [future.result() for future in [pool.submit(make, tmp_path) for _ in range(2)]]
    assert one == two
    assert contents(one) == contents(cases)
    (folder,) = tmp_path.iterdir()
    assert sorted(path.name for path in folder.iterdir()) == ["ct", "mr"]


def test_loser_of_a_race_keeps_the_winners_files(tmp_path, monkeypatch):
    rename, raced = Path.rename, []

    def rename_late(self: Path, target: Path) -> Path:
        if not raced:
            raced.append(target)
            make(tmp_path, domains=["ct"])
            (winner,) = target.glob("ct-001")
            (winner / "kept").touch()
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", rename_late)
    made = make(tmp_path, domains=["ct"])
    assert made[0].images[0].with_name("kept").exists()
    assert [path.name for path in raced[0].parent.iterdir()] == ["ct"]


def test_interrupted_making_leaves_nothing_visible(tmp_path, monkeypatch):
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("uda_study.datasets.phantom.draw_subject", fail)
    with pytest.raises(KeyboardInterrupt):
        make(tmp_path, domains=["ct"])
    assert [path for folder in tmp_path.iterdir() for path in folder.iterdir()] == []


def test_lost_file_is_named_with_its_remedy(tmp_path):
    lost = make(tmp_path, domains=["ct"])[1].images[0]
    lost.unlink()
    with pytest.raises(StoreError, match=r"ct-002/ct\.nii\.gz is gone; delete the folder"):
        make(tmp_path, domains=["ct"])


def test_root_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"data\.root: must be left out"):
        Phantom(PhantomOptions(), tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"domains": ["mr", "mr"]}, "once each"),
        ({"domains": []}, "at least 1 item"),
        ({"domains": ["pet"]}, "Input should be 'mr'"),
        ({"subjects": 0}, "greater than or equal to 1"),
        ({"shape": [64, 64, 8]}, "given together"),
        ({"shape": [64, 64, 4], "spacing": [3, 3, 0]}, "greater than 0"),
        ({"contrast": "both"}, "two channels and ct has one"),
        ({"contrast": "both", "domains": ["mr", "mixed"]}, "two channels and mixed has one"),
        ({"structures": ["brain", "white_matter"]}, "must not overlap"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"subject": 3}, "Extra inputs"),
    ],
)
def test_options_are_refused_with_the_reason(options, message):
    with pytest.raises(ValidationError, match=message):
        PhantomOptions.model_validate(options)
