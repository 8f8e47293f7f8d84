from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from uda_study.data import facts as facts_module
from uda_study.data.check import check_cases
from uda_study.data.facts import PERCENTILES, CaseFacts, examine
from uda_study.data.outliers import FEWEST, outliers, robust_z, usual_unnamed
from uda_study.data.remarks import together, warning
from uda_study.dataset import DomainPreset, Preprocessing
from uda_study.datasets.manifest import Manifest, ManifestOptions
from uda_study.types import Case

PRESET = Preprocessing(labels={"box": (1,)})
SPACED = np.diag([2.0, 1.0, 5.0, 1.0])


def rules(remarks) -> list[str]:
    return [f"{remark.cases[0].id}: {remark.problem.rule}" for remark in remarks]


@pytest.fixture
def volume(write_nifti):
    """Write an image and a label with the values given; return their case."""

    def make(name="a", values=(0, 1, 1, 4), domain="mr", scale=1.0, **fields):
        rng = np.random.default_rng(list(name.encode()))
        image = (scale * rng.normal(100, 10, (8, 6, 4))).astype(np.float32)
        label = np.repeat(np.array(values, np.uint8), 48).reshape(8, 6, 4)
        return Case(
            name, fields.pop("subject", f"s-{name}"), domain,
            (write_nifti(f"{name}.nii.gz", image, SPACED),),
            write_nifti(f"{name}_label.nii.gz", label, SPACED), **fields,
        )  # fmt: skip

    return make


def test_a_case_is_measured_on_its_own_grid_and_values(volume):
    facts = examine(volume(), Preprocessing(labels={"box": (1,), "rim": (4,)}, spacing=(1, 1, 1)))
    assert facts.shape == (8, 6, 4)
    assert facts.spacing == (2, 1, 5)
    assert facts.orientation == "RAS"
    assert facts.values == {0: 48, 1: 96, 4: 48}
    assert facts.volumes == pytest.approx({"box": 0.96, "rim": 0.48})  # voxels of 10 mm3
    (row,) = facts.percentiles
    assert len(row) == len(PERCENTILES)
    assert 95 < row[2] < 105
    assert abs(facts.prepared[0].mean()) < 0.2
    assert 95 < facts.native[0].mean() < 105
    assert facts.glance.image.shape == facts.glance.label.shape == (16, 6)
    assert facts.glance.spacing == (1, 1)
    assert facts.remarks == []


def test_values_are_unnamed_unless_a_structure_or_the_ignored_have_them(volume):
    assert examine(volume(), PRESET).unnamed == {4}
    assert examine(volume(), PRESET.model_copy(update={"ignore": (4,)})).unnamed == set()


def test_only_voxels_inside_a_given_mask_count(volume, write_nifti):
    mask = np.zeros((8, 6, 4), np.uint8)
    mask[:2] = 1
    case = volume()
    facts = examine(replace(case, mask=write_nifti("mask.nii", mask, SPACED)), PRESET)
    assert facts.native[0].size == facts.prepared[0].size == mask.sum()


def test_large_images_are_sampled(volume, monkeypatch):
    monkeypatch.setattr(facts_module, "MOST_VOXELS", 50)
    facts = examine(volume(), PRESET)
    assert facts.native[0].shape == facts.prepared[0].shape == (50,)


def test_of_several_masks_each_is_counted(volume, write_nifti):
    masks = [np.zeros((8, 6, 4), np.uint8) for _ in range(2)]
    masks[0][:4], masks[1][3:5] = 255, 1
    files = tuple(write_nifti(f"m{n}.nii", mask, SPACED) for n, mask in enumerate(masks))
    preset = Preprocessing(labels={"one": (1,), "two": (2,)})
    facts = examine(replace(volume(), label=files), preset)
    assert facts.values == {1: 96, 2: 48}
    assert facts.volumes == pytest.approx({"one": 0.72, "two": 0.48})


def test_a_bad_image_hides_no_other_case_and_a_bad_mask_no_label(volume, write_nifti):
    cases = [volume(name) for name in "abc"]
    cases[0].images[0].write_bytes(b"")
    empty = write_nifti("empty.nii", np.zeros((8, 6, 4), np.uint8), SPACED)
    wrong = write_nifti("wrong.nii", np.zeros((8, 6, 4), np.uint8), np.eye(4))
    cases[1] = replace(cases[1], mask=empty, label=wrong)
    check = check_cases(cases, PRESET)
    assert [remark.problem.where for remark in check.errors] == ["a image", "b mask", "b label"]
    assert [bool(facts.shape) for facts in check.cases] == [False, True, True]
    assert check.cases[2].volumes


def test_a_problem_that_is_met_twice_is_told_once(volume, write_nifti):
    elsewhere = write_nifti("elsewhere.nii", np.ones((8, 6, 4), np.uint8), np.eye(4))
    (error,) = check_cases([replace(volume(), mask=elsewhere)], PRESET).errors
    assert error.problem.where == "a mask"


def test_each_domain_is_read_by_its_own_preset(volume):
    cases = [volume("a", (0, 1, 1, 1)), volume("b", (0, 7, 7, 7), domain="ct")]
    own = PRESET.model_copy(update={"domains": {"ct": DomainPreset(labels={"box": (7,)})}})
    assert check_cases(cases, own).errors == ()
    (error,) = check_cases(cases, PRESET).errors
    assert error.problem.where == "b label"


def test_problems_of_all_cases_together_are_found(volume):
    case = volume()
    check = check_cases([case, case], Preprocessing(labels={"a": (1,), "b": (1,)}))
    text = "\n".join(str(remark.problem) for remark in check.errors)
    assert "ids must be unique" in text
    assert "a value belongs to one structure" in text


def test_voxels_that_are_read_as_zero_are_counted(volume, write_nifti):
    case = volume()
    array = np.random.default_rng(0).normal(size=(8, 6, 4)).astype(np.float32)
    array[0, 0, :2] = np.nan
    write_nifti("a.nii.gz", array, SPACED)
    (error,) = check_cases([case], PRESET).remarks
    assert error.fatal
    allowed = check_cases([case], PRESET.model_copy(update={"nonfinite": "zero"}))
    (remark,) = allowed.remarks
    assert not remark.fatal
    assert remark.problem.value == "2 non-finite voxels"


def test_equal_images_of_two_subjects_are_found_whatever_the_file(volume, write_nifti):
    first, second = volume("a"), volume("b")
    voxels = nib.load(first.images[0]).get_fdata().astype(np.float32)
    copied = replace(second, images=(write_nifti("copy.nii", voxels, SPACED),))
    (error,) = check_cases([first, copied], PRESET).errors
    assert "b image: is the same image as that of a" in str(error.problem)
    assert check_cases([first, replace(copied, subject="s-a")], PRESET).errors == ()


def facts_of(count: int, **columns) -> list[CaseFacts]:
    """Return unremarkable cases; a column replaces a field of the last case."""
    made = []
    for n in range(count):
        fields = {
            "shape": (10, 10, 10), "spacing": (1.0, 1.0, 2.0), "values": {0: 5, 1: 5},
            "percentiles": [tuple(np.array([1, 5, 50, 95, 99.0]) + n % 3)],
            "volumes": {"box": 10.0 + n % 3},
        }  # fmt: skip
        if n == count - 1:
            fields |= columns
        made.append(CaseFacts(Case(f"c{n}", f"s{n}", "mr", ()), **fields))
    return made


@pytest.mark.parametrize(
    ("columns", "rule"),
    [
        ({"spacing": (1.0, 1.0, 3.5)}, "unusual spacing, the median of mr is 1 x 1 x 2 mm"),
        ({"shape": (10, 10, 20)}, "unusual extent, the median of mr is 10 x 10 x 20 mm"),
        ({"percentiles": [(1, 5, 90, 95, 99)]}, "the median of percentile 50 in mr is 51"),
        ({"volumes": {"box": 40.0}}, "unusual volume of box, the median of mr is 11 ml"),
        ({"volumes": {"box": 0.0}}, f"lacks box, which {FEWEST - 1} of {FEWEST} labels have"),
        ({"unnamed": frozenset({421})}, "values that no structure and few other labels have"),
    ],
)
def test_what_is_unusual_in_its_domain_is_named(columns, rule):
    found = list(outliers(facts_of(FEWEST, **columns)))
    assert [remark.cases[0].id for remark in found if rule in remark.problem.rule] == ["c7"]
    assert not any(remark.fatal for remark in found)


def test_alike_cases_give_no_remark_and_few_cases_are_not_judged():
    assert list(outliers(facts_of(FEWEST))) == []
    strange = {"percentiles": [(1, 5, 900, 950, 990)], "volumes": {"box": 1e4}}
    assert list(outliers(facts_of(FEWEST - 1, **strange))) == []
    assert list(outliers(facts_of(2, spacing=(9.0, 9.0, 9.0)))) == []
    assert list(outliers([CaseFacts(Case("a", "s", "mr", ()))])) == []


def test_values_that_most_labels_leave_to_the_background_are_no_remark():
    cases = facts_of(4)
    for facts in cases:
        facts.unnamed = frozenset({2, 3})
    cases[0].unnamed = frozenset({2})
    assert usual_unnamed(cases) == [2, 3]
    assert list(outliers(cases)) == []


def test_robust_scores_ignore_the_outlier_itself():
    values = [10.0, 11.0, 9.0, 10.0, 11.0, 9.0, 10.0, 1000.0]
    assert robust_z(values)[-1] > 600
    assert robust_z(values)[:-1].max() < 1.5
    assert robust_z([5.0, 5.0, 5.0]).tolist() == [0, 0, 0]
    assert robust_z([5.0, 5.0, 6.0], least=2.0).tolist() == [0, 0, 0.5]


def test_false_alarms_are_rare_among_normal_values():
    rng = np.random.default_rng(0)
    alarms = [robust_z(rng.normal(size=FEWEST)).max() > 6 for _ in range(2000)]
    assert np.mean(alarms) < 0.04


def test_warnings_that_say_the_same_become_one_and_errors_never():
    cases = [Case(f"c{n}", "s", "mr", ()) for n in range(6)]
    same = [warning(case, "label", "rule", "7", "remedy") for case in cases]
    (merged,) = together(same)
    assert str(merged.problem) == ("6 cases (c0, c1, c2, c3 and 2 more) label: rule, got 7; remedy")
    assert merged.cases == tuple(cases)
    assert len(together([*same, warning(cases[0], "label", "rule", "8", "remedy")])) == 2
    errors = [replace(remark, fatal=True) for remark in same]
    assert together([same[0], *errors]) == [*errors, same[0]]


@pytest.mark.parametrize("pack", ["cord", "glioma", "cxr"])
def test_real_packs_hold_no_error_and_no_twins(real_data, pack, tmp_path):
    dataset = Manifest(ManifestOptions(), real_data / pack, tmp_path)
    check = check_cases(dataset.cases(), dataset.preprocessing())
    assert check.errors == ()
    assert not [remark for remark in check.warnings if "equals" in remark.problem.rule]
    assert all(facts.volumes and facts.native for facts in check.cases)
