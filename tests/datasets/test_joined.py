import importlib.util
import shutil
from pathlib import Path

import numpy as np
import pytest

from uda_study import plugins
from uda_study.data.labels import LabelReader
from uda_study.data.prepare import prepare
from uda_study.dataset import Dataset, DomainPreset
from uda_study.datasets.joined import Joined, JoinedOptions
from uda_study.errors import InputError
from uda_study.study.validate import load_study

TREES = Path(__file__).parent / "trees"
LOCAL = {"dataset": "manifest", "root": "local", "labels": {"liver": [1]}}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder with the trees of several datasets, not to be changed."""
    folder = tmp_path_factory.mktemp("made")
    for name in ("joined", "wmh2017", "mmwhs", "ixi", "chaos"):
        spec = importlib.util.spec_from_file_location(f"tree_{name}", TREES / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        root = folder if name == "joined" else folder / name
        root.mkdir(exist_ok=True)
        module.write(root)
    return folder


def joined(root, *parts, **options):
    known = JoinedOptions.model_validate({"parts": parts, **options})
    return Joined(known, root, Path("cache"))


def part(dataset, root=None, **options):
    return {"dataset": dataset, "root": None if root is None else str(root), "options": options}


def refusal(call):
    with pytest.raises(InputError) as caught:
        call()
    return [str(problem) for problem in caught.value.problems]


def test_the_cases_of_all_parts_are_united(made):
    cases = joined(made, part("lits", "lits"), LOCAL).cases()
    assert [case.id for case in cases] == [
        "lits-0", "lits-2", "lits-28", "p1_mr", "p2_mr", "p3_mr",
    ]  # fmt: skip
    absolute = (part("lits", made / "lits"), {**LOCAL, "root": str(made / "local")})
    assert joined(None, *absolute).cases() == cases
    assert joined(Path("/nowhere"), *absolute).cases() == cases


def test_each_domain_keeps_the_preset_of_its_dataset(made, tmp_path):
    for parts in ((part("lits", "lits"), LOCAL), (LOCAL, part("lits", "lits"))):
        dataset = joined(made, *parts)
        preset = dataset.preprocessing()
        alone = plugins.load("datasets", "lits", Dataset)
        lits = alone(alone.Options(), None, tmp_path).preprocessing()
        assert preset.of("lits") == lits
        assert (preset.of("mr").labels, preset.of("mr").window) == ({"liver": (1,)}, None)
        assert preset.domains["lits"].window == (-160, 240)
        assert all(isinstance(own, DomainPreset) for own in preset.domains.values())
        prepared = prepare(dataset.cases(), preset, tmp_path / "cache")
        reader = LabelReader(prepared, "this test")
        for case in prepared.values():
            assert np.bincount(reader.read(case).ravel()).tolist() == [270, 18]


def test_presets_of_domains_within_a_part_stay(made):
    hearts = part("mmwhs", "mmwhs")
    again = {**LOCAL, "labels": {"ascending_aorta": [1], "left_atrium": [2], "myocardium": [4],
                                 "left_ventricle": [3]}}  # fmt: skip
    table = (made / "local" / "manifest.csv").read_text().replace(",mr,", ",other,")
    (made / "local" / "other.csv").write_text(table)
    again |= {"options": {"manifest": "other.csv"}}
    grid = {"spacing": (1, 1, 1), "size": (64, 64, 64), "slices": "coronal"}
    preset = joined(made, hearts, again, **grid).preprocessing()
    assert list(preset.labels) == ["ascending_aorta", "left_atrium", "left_ventricle", "myocardium"]
    assert (preset.of("mr").cut, preset.of("ct").cut, preset.of("other").cut) == (
        (0, 98),
        None,
        None,
    )
    assert preset.of("other").labels["left_ventricle"] == (3,)
    assert preset.of("ct").labels["left_atrium"] == (420, 421)
    assert (preset.spacing, preset.size, preset.slices) == tuple(grid.values())


def test_ignored_values_stay_with_their_domains(made):
    brains = part("wmh2017", "wmh2017", channels=["FLAIR"])
    preset = joined(made, {**LOCAL, "labels": {"wmh": [2]}}, brains).preprocessing()
    assert (preset.of("utrecht").ignore, preset.of("mr").ignore) == ((2,), ())
    assert (preset.of("utrecht").labels, preset.of("mr").labels) == ({"wmh": (1,)}, {"wmh": (2,)})


def test_labels_given_to_a_part_hold_in_all_its_domains(made):
    organs = {**part("chaos", "chaos"), "labels": {"hearts": [7]}}
    table = (made / "local" / "manifest.csv").read_text().replace(",mr,", ",third,")
    (made / "local" / "third.csv").write_text(table)
    own = {**part("manifest", "local", manifest="third.csv"), "labels": {"hearts": [9]}}
    preset = joined(made, organs, own, spacing=(1, 1, 1)).preprocessing()
    values = {domain: preset.of(domain).labels["hearts"] for domain in ("ct", "mr", "third")}
    assert values == {"ct": (7,), "mr": (7,), "third": (9,)}


def test_what_all_domains_share_has_to_agree_or_to_be_named(made):
    hearts = {**part("mmwhs", "mmwhs"), "labels": {"liver": [205]}}
    problems = refusal(joined(made, hearts, part("lits", "lits")).preprocessing)
    assert [problem.split(",")[0] for problem in problems] == [
        "data.options.parts: differ in spacing",
        "data.options.parts: differ in size",
        "data.options.parts: differ in slices",
    ]
    assert problems[0].endswith(
        "got mmwhs has (1.0, 1.0, 1.0); lits has None; name data.options.spacing"
    )


def test_images_of_one_size_keep_the_spacing_of_their_dataset(made, tmp_path):
    parts = []
    for name in ("montgomery", "jsrt"):
        spec = importlib.util.spec_from_file_location(f"tree_{name}", TREES / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        (tmp_path / name).mkdir()
        parts.append(part(name, name, **module.write(tmp_path / name)))
    dataset = joined(tmp_path, *parts)
    preset = dataset.preprocessing()
    for name in ("montgomery", "jsrt"):
        alone = plugins.load("datasets", name, Dataset)
        (domain,) = {c.domain for c in alone(alone.Options(), tmp_path / name, tmp_path).cases()}
        own = alone(alone.Options(), tmp_path / name, tmp_path).preprocessing().of(domain)
        assert preset.of(domain) == own
    one = joined(tmp_path, *parts, spacing=(2, 2, 1)).preprocessing()
    assert {one.of(domain).spacing for domain in ("montgomery", "jsrt")} == {(2, 2, 1)}


def test_structures_have_the_same_names_in_all_parts(made):
    (problem,) = refusal(
        joined(made, part("lits", "lits"), {**LOCAL, "labels": None}).preprocessing
    )
    assert "must have the same structures, got lits has liver; manifest has foreground" in problem


def test_parts_do_not_share_a_domain(made):
    two = [part("lits", "lits"), part("lits", "lits", tumour=False)]
    (problem,) = refusal(joined(made, *two).cases)
    assert problem.startswith(
        "data.options.parts: lits-1 and lits-2 must not share a domain, got 'lits'"
    )


def test_the_same_name_in_two_parts_is_two_people(tmp_path, made):
    shutil.copytree(made / "local", tmp_path / "other")
    table = tmp_path / "other" / "manifest.csv"
    table.write_text(table.read_text().replace("p1,mr", "p1,ct").replace("p2,mr", "p9,ct")
                     .replace("p3,mr", "p1_mr,ct"))  # fmt: skip
    cases = joined(None, {**LOCAL, "root": str(made / "local")},
                   {**LOCAL, "root": str(tmp_path / "other")}).cases()  # fmt: skip
    assert [(case.id, case.subject) for case in cases] == [
        ("p1_mr", "manifest-1-p1"), ("p2_mr", "p2"), ("p3_mr", "p3"),
        ("p1_ct", "manifest-2-p1"), ("p9_ct", "p9"), ("p1_mr_ct", "p1_mr"),
    ]  # fmt: skip


def test_channels_agree_across_parts(made):
    two = [part("wmh2017", "wmh2017"), part("lits", "lits")]
    (problem,) = refusal(joined(made, *two).cases)
    assert "must have the same number of channels, got wmh2017 has [2]; lits has [1]" in problem


def test_problems_of_all_parts_are_listed_with_their_names(made):
    two = [part("lits", "nowhere"), part("ixi", "ixi", labels="none")]
    problems = refusal(joined(made, *two).cases)
    assert [problem.split(", got")[0] for problem in problems] == [
        "lits: data.root: no such folder",
        "ixi: data.options.labels: no such folder",
    ]
    (relative,) = refusal(joined(None, part("lits", "lits"), LOCAL).cases)
    assert relative.startswith("data.options.parts.0.root: must be absolute where data.root is not")


def test_the_first_part_with_a_protocol_gives_it(made):
    both = (LOCAL, part("lits", "lits"))
    protocol = Joined.paper_protocol(JoinedOptions.model_validate({"parts": both}))
    assert protocol == plugins.load("datasets", "lits", Dataset).paper
    own = JoinedOptions.model_validate({"parts": [LOCAL, LOCAL]})
    assert Joined.paper_protocol(own) is None


STUDY = """\
version: 1
name: joined
method: no_adaptation
baselines: []
matrix: {direction: [lits->mr]}
data:
  dataset: joined
  root: .
  split: paper
  options:
    parts:
      - {dataset: lits, root: lits, options: {tumour: NO}}
      - {dataset: manifest, root: local, labels: {liver: [1]}}
"""


def test_a_study_file_names_parts(tmp_path):
    file = tmp_path / "study.yaml"
    file.write_text(STUDY.replace("NO", "false"))
    data = load_study(file).spec.data
    assert (data.folds, data.split.val, data.split.test) == (5, 0, 0.2)


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        ("tumour: NO", "tumour: '1'", "data.options.parts.0.options.tumour"),
        ("tumour: NO", "tumor: true", "data.options.parts.0.options.tumor"),
        ("dataset: lits", "dataset: litz", "data.options.parts.0.dataset: unknown dataset"),
        (
            "dataset: manifest",
            "dataset: joined",
            "data.options.parts.1.dataset: must not be joined",
        ),
        ("- {dataset: lits, root: lits, options: {tumour: NO}}", "", "at least 2 entries"),
    ],
)
def test_what_is_wrong_with_a_part_is_found_before_any_file_is_read(tmp_path, old, new, place):
    file = tmp_path / "study.yaml"
    file.write_text(STUDY.replace(old, new).replace("NO", "false"))
    problems = refusal(lambda: load_study(file))
    assert any(place in problem for problem in problems), problems
