"""The adapters of NIfTI trees, on miniatures in the published layouts and their variants."""

import importlib.util
import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from uda_study import plugins
from uda_study.data.arrays import IGNORED
from uda_study.data.labels import LabelReader
from uda_study.data.prepare import prepare
from uda_study.dataset import Dataset
from uda_study.errors import InputError

TREES = Path(__file__).parent / "trees"
NAMES = ("bids", "ixi", "lits", "mmwhs", "msseg2016", "wmh2017")
PAIRED = ("lits", "mmwhs", "msseg2016", "wmh2017")
"""Those whose layout demands a label for every image."""


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def lay_out(name, root):
    """Write the miniature of a dataset below root; return its options."""
    spec = importlib.util.spec_from_file_location(f"tree_{name}", TREES / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    root.mkdir(parents=True, exist_ok=True)
    return module.write(root)


def opened(name, root, **options):
    plugin = plugins.load("datasets", name, Dataset)
    return plugin(plugin.Options.model_validate(options), root, Path("cache"))


def found(name, root, **options):
    return [case.id for case in opened(name, root, **options).cases()]


def refusal(name, root, **options):
    with pytest.raises(InputError) as caught:
        opened(name, root, **options).cases()
    return [str(problem) for problem in caught.value.problems]


def test_a_wrong_root_shows_the_expected_tree_beside_the_found(name, tmp_path):
    options = lay_out(name, tmp_path / "made")
    plugin = plugins.load("datasets", name, Dataset)
    wrong = tmp_path / "wrong"
    (wrong / "holidays").mkdir(parents=True)
    (wrong / "holidays" / "beach\x1b.nii.gz").write_bytes(b"")
    if "labels" in options:
        (wrong / options["labels"]).mkdir()
    (text,) = refusal(name, wrong, **options)
    assert text.startswith("data.root: ")
    for line in plugin.info.tree.splitlines():
        assert f"\n  {line}" in text
    assert "found there\n  holidays/\n    beach?.nii.gz" in text
    (absent,) = refusal(name, tmp_path / "nowhere", **options)
    assert "no such folder" in absent
    assert plugin.info.tree.splitlines()[0] in absent
    (none,) = refusal(name, None, **options)
    assert "is required" in none


@pytest.mark.parametrize("name", PAIRED)
def test_files_that_are_missing_are_named_together_and_can_be_left_out(name, tmp_path):
    options = lay_out(name, tmp_path)
    dataset = opened(name, tmp_path, **options)
    before = [case.id for case in dataset.cases()]
    first, second, *_ = dataset.cases()
    first.label.unlink()
    second.images[0].unlink()
    problems = refusal(name, tmp_path, **options)
    assert len(problems) == 2
    assert problems[0].startswith(f"{first.id} label: no such file, got ")
    assert first.label.name in problems[0]
    assert problems[1].startswith(f"{second.id} image: no such file, got ")
    assert f"name {second.id} in the option leave_out" in problems[1]
    left_out = [first.id, second.id]
    assert found(name, tmp_path, **options, leave_out=left_out) == before[2:]
    (typo,) = refusal(name, tmp_path, **options, leave_out=[*left_out, f"{before[2]}x"])
    assert f"no such case, got '{before[2]}x'; did you mean {before[2]!r}?" in typo
    assert "must leave at least one case" in refusal(name, tmp_path, **options, leave_out=before)[0]


def test_links_that_lead_out_of_the_root_are_refused(name, tmp_path):
    root = tmp_path / "root"
    options = lay_out(name, root)
    case = opened(name, root, **options).cases()[0]
    for file, what in ((case.images[0], "image"), (case.label, "label")):
        shutil.move(file, tmp_path / file.name)
        os.symlink(tmp_path / file.name, file)
        (problem,) = refusal(name, root, **options)
        assert problem.startswith(f"{case.id} {what}: must lie below the root, links included")
        file.unlink()
        shutil.move(tmp_path / file.name, file)
    within = case.images[0].with_name("original.dat")
    shutil.move(case.images[0], within)
    os.symlink(within, case.images[0])
    assert opened(name, root, **options).cases()[0] == case
    os.symlink(root, tmp_path / "link")
    assert found(name, tmp_path / "link", **options) == found(name, root, **options)


def test_subjects_of_different_domains_are_different_people(name, tmp_path):
    options = lay_out(name, tmp_path)
    cases = opened(name, tmp_path, **options).cases()
    domains = {}
    for case in cases:
        domains.setdefault(case.subject, set()).add(case.domain)
    assert all(len(shown) == 1 for shown in domains.values())
    assert len(domains) == len(cases)


def test_wmh_reads_both_releases_and_all_spellings_of_amsterdam(tmp_path):
    lay_out("wmh2017", tmp_path / "new")
    training = ["utrecht-0", "utrecht-2", "singapore-50", "singapore-51"]
    assert found("wmh2017", tmp_path / "new") == [*training, "amsterdam-100", "amsterdam-101"]
    assert found("wmh2017", tmp_path / "new" / "training") == found("wmh2017", tmp_path / "new")
    assert found("wmh2017", tmp_path / "new", subjects="test") == [
        "amsterdam_ge1t5-150", "amsterdam_petmr-160",
    ]  # fmt: skip
    assert len(found("wmh2017", tmp_path / "new", subjects="all")) == 8
    for number, spelling in enumerate(("GE3T", "Amsterdam_GE3T", "Amsterdam/GE3T")):
        old = tmp_path / str(number) / "public"
        shutil.copytree(tmp_path / "new/training/Amsterdam/GE3T", old / spelling)
        assert found("wmh2017", old.parent) == ["amsterdam-100", "amsterdam-101"]


def test_wmh_channels_come_from_one_part_and_other_pathology_is_ignored(tmp_path):
    lay_out("wmh2017", tmp_path)
    dataset = opened("wmh2017", tmp_path, channels=["FLAIR"], part="orig")
    case = dataset.cases()[0]
    assert case.images == (tmp_path / "training/Utrecht/0/orig/FLAIR.nii.gz",)
    both = opened("wmh2017", tmp_path).cases()[0].images
    assert [file.relative_to(tmp_path / "training/Utrecht/0").as_posix() for file in both] == [
        "pre/T1.nii.gz", "pre/FLAIR.nii.gz",
    ]  # fmt: skip
    prepared = prepare([case], dataset.preprocessing(), tmp_path / "cache")[case.id]
    native = LabelReader([case.id], "this test").read_native(prepared)
    assert Counter(native.ravel().tolist()) == {0: 288 - 19, 1: 18, IGNORED: 1}


def test_mmwhs_has_the_papers_structures_or_all_seven(tmp_path):
    lay_out("mmwhs", tmp_path)
    assert found("mmwhs", tmp_path)[2:4] == ["ct-1003", "mr-1001"]
    assert found("mmwhs", tmp_path / "mr_train") == ["mr-1001", "mr-1002", "mr-1003"]
    preset = opened("mmwhs", tmp_path).preprocessing()
    assert preset.labels == {
        "ascending_aorta": (820,),
        "left_atrium": (420, 421),
        "left_ventricle": (500,),
        "myocardium": (205,),
    }
    assert (preset.spacing, preset.size, preset.slices) == ((1,) * 3, (256,) * 3, "coronal")
    assert (preset.of("mr").cut, preset.of("ct").cut) == ((0, 98), None)
    everything = opened("mmwhs", tmp_path, structures="all").preprocessing().labels
    assert list(everything)[:4] == list(preset.labels)
    assert sorted(value for values in everything.values() for value in values) == [
        205, 420, 421, 500, 550, 600, 820, 850,
    ]  # fmt: skip


def test_a_volume_that_lies_there_twice_is_refused(tmp_path):
    lay_out("mmwhs", tmp_path)
    file = tmp_path / "ct_train" / "ct_train_1001_image.nii.gz"
    shutil.copy(file, tmp_path)
    (problem,) = refusal("mmwhs", tmp_path)
    assert problem.startswith("data.root: must hold a file once, got ")
    assert problem.count("ct_train_1001_image.nii.gz") == 2


def test_lits_is_read_flat_as_unpacked_and_in_two_folders(tmp_path):
    lay_out("lits", tmp_path / "named")
    ids = ["lits-0", "lits-2", "lits-28"]
    assert found("lits", tmp_path / "named") == ids
    archive = tmp_path / "archive" / "media" / "nas" / "01_Datasets" / "CT" / "LITS"
    shutil.copytree(tmp_path / "named", archive)
    assert found("lits", tmp_path / "archive") == ids
    for file in sorted((tmp_path / "archive").rglob("*-28.nii")):
        file.rename(file.with_name(file.name.replace("28", "10")))
    assert found("lits", tmp_path / "archive") == ["lits-0", "lits-2", "lits-10"]
    for file in sorted((tmp_path / "named").rglob("*.nii")):
        apart = tmp_path / "apart" / file.name.split("-")[0]
        apart.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, apart)
        (tmp_path / "flat").mkdir(exist_ok=True)
        shutil.copy(file, tmp_path / "flat")
    assert found("lits", tmp_path / "apart") == found("lits", tmp_path / "flat") == ids


def test_lits_counts_tumours_as_liver_unless_asked(tmp_path):
    lay_out("lits", tmp_path)
    one, two = (opened("lits", tmp_path, tumour=tumour).preprocessing() for tumour in (False, True))
    assert one.labels == {"liver": (1, 2)}
    assert two.labels == {"liver": (1,), "tumour": (2,)}
    assert one.window == two.window == (-160, 240)
    dataset = opened("lits", tmp_path)
    case = dataset.cases()[0]
    prepared = prepare([case], dataset.preprocessing(), tmp_path / "cache")[case.id]
    assert not prepared.mask[0].any()  # air, which the window makes one value
    assert prepared.mask[2:5, 3:6, 1:3].all()
    label = LabelReader([case.id], "this test").read(prepared)
    assert np.bincount(label.ravel()).tolist() == [288 - 18, 18]


def test_msseg_keeps_patients_of_the_same_name_apart(tmp_path):
    lay_out("msseg2016", tmp_path)
    cases = opened("msseg2016", tmp_path).cases()
    assert Counter(case.domain for case in cases) == {
        "center_01": 2, "center_07": 2, "center_08": 2,
    }  # fmt: skip
    folder = tmp_path / "Training/Center_01/Patient_01"
    assert cases[0].id == "center_01-Patient_01"
    assert cases[0].images == (folder / "Preprocessed_Data/FLAIR_preprocessed.nii.gz",)
    assert cases[0].mask == folder / "Masks/Brain_Mask.nii.gz"
    (folder / "Masks/Brain_Mask.nii.gz").unlink()
    raw = opened("msseg2016", tmp_path, part="raw", channels=["T2", "FLAIR"]).cases()[0]
    assert raw.images == (folder / "Raw_Data/T2.nii.gz", folder / "Raw_Data/FLAIR.nii.gz")
    assert raw.mask is None
    every = found("msseg2016", tmp_path, subjects="all")
    assert len(every) == len(set(every)) == 9
    assert {"center_01-Patient_01", "center_01-test-Patient_01"} <= set(every)
    assert found("msseg2016", tmp_path, subjects="test")[1:] == [
        "center_03-test-Patient_01", "center_03-test-Patient_02",
    ]  # fmt: skip


@pytest.mark.parametrize("labels", ["Pre-processed", "Unprocessed"])
def test_msseg_reads_the_older_release(tmp_path, labels):
    lay_out("msseg2016", tmp_path / "new")
    for patient, code in (
        ("Center_01/Patient_01", "01016SACH"),
        ("Center_08/Patient_02", "08027SYBR"),
    ):
        old = tmp_path / "old" / "Pre-processed" / code
        shutil.copytree(tmp_path / "new/Training" / patient / "Preprocessed_Data", old)
        (tmp_path / "old" / labels / code).mkdir(parents=True, exist_ok=True)
        masks = tmp_path / "new/Training" / patient / "Masks"
        shutil.copy(masks / "Brain_Mask.nii.gz", old / "Mask_registered.nii.gz")
        shutil.copy(masks / "Consensus.nii.gz", tmp_path / "old" / labels / code)
    cases = opened("msseg2016", tmp_path / "old", channels=["FLAIR", "T1"]).cases()
    assert [case.id for case in cases] == ["center_01-01016SACH", "center_08-08027SYBR"]
    assert cases[0].label == tmp_path / "old" / labels / "01016SACH" / "Consensus.nii.gz"
    assert cases[0].mask.name == "Mask_registered.nii.gz"
    assert len(cases[0].images) == 2
    assert "holds no case" in refusal("msseg2016", tmp_path / "old", part="raw")[0]


def test_ixi_finds_one_tissue_map_per_subject(tmp_path):
    root = tmp_path / "ixi"
    lay_out("ixi", root)
    ids = [
        "IXI002_guys", "IXI016_guys", "IXI012_hh", "IXI013_hh", "IXI035_iop", "IXI036_iop",
    ]  # fmt: skip
    assert found("ixi", root, labels="tissues") == ids
    assert found("ixi", root, labels=str(root / "tissues")) == ids
    shutil.move(root / "tissues", tmp_path / "maps")
    assert found("ixi", root, labels="../maps") == ids
    extra = tmp_path / "maps" / "IXI002-Guys-0828-T1_pveseg.nii.gz"
    extra.write_bytes(b"x")
    (several,) = refusal("ixi", root, labels="../maps")
    assert several.startswith("IXI002_guys label: must be one file, got IXI002-Guys-0828-T1_pveseg")
    assert found("ixi", root, labels="../maps", label_name="{image}_seg") == ids
    (absent,) = refusal("ixi", root, labels="../maps", label_name="{subject}_seg")[:1]
    assert absent.startswith("IXI002_guys label: no such file, got IXI002_seg.nii.gz; ")
    assert found("ixi", root, labels="../maps", leave_out=["IXI002_guys"]) == ids[1:]
    (gone,) = refusal("ixi", root, labels="maps")
    assert gone.startswith("data.options.labels: no such folder")
    masked = opened("ixi", root, labels="../maps", label_name="*{subject}*_seg", masks="../maps",
                    mask_name="{image}_seg").cases()  # fmt: skip
    assert masked[0].mask == tmp_path / "maps" / "IXI002-Guys-0828-T1_seg.nii.gz"
