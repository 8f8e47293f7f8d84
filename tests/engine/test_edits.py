import pytest

from uda_study.engine import records
from uda_study.engine.edits import (
    as_extended,
    changes,
    extended,
    nearest_study,
    refuse_edits,
    stored_study,
)
from uda_study.engine.job import Home
from uda_study.engine.setup import build_queue, prepare_study
from uda_study.errors import InputError
from uda_study.study.cells import study_id
from uda_study.study.checks import Check, checks_from_json
from uda_study.study.source import SourcedStudy
from uda_study.study.validate import load_study


@pytest.fixture
def sourced(study_file) -> SourcedStudy:
    return load_study(study_file)


@pytest.fixture
def begun(sourced, study, tmp_path) -> Home:
    """Return a home in which the study has begun."""
    home = Home(tmp_path)
    home.study(study.id).mkdir(parents=True)
    records.write_study_files(home.study(study.id), study.resolved, study.text, study.data)
    return home


def write(home: Home, study, sourced: SourcedStudy) -> None:
    records.write_study_files(home.study(study.id), sourced.resolved, study.text, study.data)


@pytest.mark.parametrize(("text", "samples"), [("+20", 24), ("24", 24), ("+1", 5)])
def test_a_search_is_extended_and_the_study_keeps_its_id(sourced, study, text, samples):
    longer = extended(sourced, text)
    assert longer.spec.search.num_samples == samples
    assert longer.spec.search.extended_from == (4,)
    assert longer.spec.search.first_samples == 4
    assert study_id(longer.resolved) == study.id


def test_a_second_extension_counts_from_the_first(sourced, study):
    again = extended(extended(sourced, "+2"), "+3")
    assert (again.spec.search.num_samples, again.spec.search.extended_from) == (9, (4, 6))
    assert again.spec.search.first_samples == 4
    assert study_id(again.resolved) == study.id


@pytest.mark.parametrize("text", ["4", "3", "+0", "-1", "many", "", "1e3"])
def test_anything_but_more_trials_is_refused(sourced, text):
    with pytest.raises(InputError, match="--num-samples: must be"):
        extended(sourced, text)


def test_there_is_nothing_to_extend_where_nothing_is_searched(study_file):
    constant = load_study(study_file, ["parameters.optim.lr=1e-3", "parameters.align.clip=0.02",
                                       "parameters.align.type=wasserstein"])  # fmt: skip
    with pytest.raises(InputError, match="nothing is searched"):
        extended(constant, "+2")


def test_the_extension_is_recorded_with_its_history_and_read_back(begun, sourced, study):
    longer = extended(extended(sourced, "+2"), "+3")
    write(begun, study, longer)
    search = stored_study(begun.study(study.id))["search"]
    assert (search["num_samples"], search["extended_from"]) == (9, [4, 6])
    again = load_study(begun.study(study.id) / "study.yaml")
    assert again.spec == longer.spec
    refuse_edits(again, begun.study(study.id))


def test_the_file_that_an_extended_study_was_begun_with_goes_on_with_it(begun, sourced, study):
    assert as_extended(sourced, begun) == sourced
    longer = extended(sourced, "+2")
    write(begun, study, longer)
    assert as_extended(sourced, begun).spec == longer.spec
    further = extended(longer, "+5")
    assert as_extended(further, begun) == further


def test_a_history_that_does_not_rise_is_refused(study_file):
    with pytest.raises(InputError, match=r"search\.extended_from: must rise"):
        load_study(study_file, ["search.extended_from=[4]"])


def test_two_studies_differ_in_what_results_depend_on(study_file, sourced):
    other = load_study(study_file, ["search.num_samples=9", "budget.time=2h", "data.folds=2",
                                    "parameters.optim.lr=1e-3"])  # fmt: skip
    found = {change.key: str(change) for change in changes(sourced.resolved, other.resolved)}
    assert found["search.num_samples"] == "search.num_samples: 4 -> 9"
    assert found["data.folds"] == "data.folds: 1 -> 2"
    assert found["parameters.optim.lr"].endswith(" -> 0.001")
    assert len(found) == 3


def test_an_edit_of_a_begun_study_is_refused_with_old_and_new_and_its_line(begun, study):
    folder = begun.study(study.id)
    path = folder / "study.yaml"
    text = path.read_text()
    path.write_text(text.replace("num_samples: 4", "num_samples: 2"))
    edited = load_study(path)
    line = 1 + text.splitlines().index("  num_samples: 4")
    with pytest.raises(InputError) as raised:
        refuse_edits(edited, folder)
    (problem,) = raised.value.problems
    assert problem.where == f"study.yaml:{line} search.num_samples"
    assert problem.value == "4 -> 2"
    assert "resume --num-samples" in problem.remedy


def test_an_edit_is_refused_also_where_the_first_file_was_not_all_there_was(begun, study):
    folder = begun.study(study.id)
    (folder / "original.yaml").write_text("name: other\n" + study.text.replace("name: tiny\n", ""))
    path = folder / "study.yaml"
    path.write_text(path.read_text().replace("seed: 0", "seed: 9"))
    with pytest.raises(InputError, match=r"study\.yaml was edited"):
        refuse_edits(load_study(path), folder)


def test_edits_of_what_no_result_depends_on_are_taken(begun, study):
    folder = begun.study(study.id)
    path = folder / "study.yaml"
    path.write_text(path.read_text().replace("cpu: 1.0", "cpu: 2.0"))
    edited = load_study(path)
    assert edited.spec.resources.cpu == 2
    refuse_edits(edited, folder)


def test_a_new_study_of_a_known_name_is_told_from_the_most_alike(begun, study_file, sourced, study):
    assert nearest_study(sourced, begun) is None
    other = load_study(study_file, ["search.num_samples=9", "data.folds=2"])
    write_to = begun.study(study_id(other.resolved))
    write_to.mkdir()
    records.write_study_files(write_to, other.resolved, other.text, study.data)
    third = load_study(study_file, ["search.num_samples=7"])
    name, found = nearest_study(third, begun)
    assert name == study.id
    assert [str(change) for change in found] == ["search.num_samples: 4 -> 7"]
    renamed = load_study(study_file, ["name=elsewhere"])
    assert nearest_study(renamed, begun) is None


def test_checks_are_written_and_stay_where_none_are_made(begun, study):
    made = (Check("labels", True, "weights equal"),)
    folder = begun.study(study.id)
    records.write_study_files(folder, study.resolved, study.text, study.data, made)
    records.write_study_files(folder, study.resolved, study.text, study.data)
    assert checks_from_json((folder / "checks.json").read_text()) == made


def test_a_study_that_is_prepared_has_the_extensions_that_it_had_here(begun, study, sourced):
    write(begun, study, extended(sourced, "+2"))
    prepared = prepare_study(sourced, begun)
    assert (prepared.id, prepared.spec.search.num_samples) == (study.id, 6)
    assert {work.num_samples for work in build_queue(prepared).cells.values()} == {6}
