from pathlib import Path

import pytest
from study_fakes import STUDY, install_fakes, write_study

from uda_study.errors import InputError
from uda_study.study.source import read_study
from uda_study.study.validate import check_directions, load_study, validate


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    install_fakes(monkeypatch)


def problems(folder: Path, *overrides: str, text: str = STUDY) -> list[str]:
    with pytest.raises(InputError) as raised:
        validate(read_study(write_study(folder, text), overrides))
    return [str(problem) for problem in raised.value.problems]


def test_a_sound_study_passes(tmp_path: Path) -> None:
    validate(read_study(write_study(tmp_path)))


def test_methods_and_datasets_must_exist(tmp_path: Path) -> None:
    methods = "choose from cycle, dam, no_adaptation, target_supervised"
    assert problems(
        tmp_path,
        "method=damm",
        "baselines=[no_adaptation, upper]",
        "data.dataset=mmwhs",
    ) == [
        f"--set method: unknown method, got 'damm'; {methods}",
        f"--set baselines[1]: unknown method, got 'upper'; {methods}",
        "--set data.dataset: unknown dataset, got 'mmwhs'; choose from phantom",
    ]


def test_a_method_is_required_once(tmp_path: Path) -> None:
    assert problems(tmp_path, "method=null") == [
        "--set method: is required; choose from cycle, dam, no_adaptation, target_supervised"
    ]
    both = problems(tmp_path, "matrix.method=[dam]")
    assert "study.yaml:2 method: is also a factor of the matrix; keep one" in both


def test_options_of_the_dataset_are_checked(tmp_path: Path) -> None:
    assert problems(tmp_path, "data.options={subjects: 0, size: 3}") == [
        "--set data.options.subjects: must be greater than 0, got 0",
        "--set data.options.size: unknown key; choose from subjects",
    ]


def test_names_of_hyperparameters_must_exist(tmp_path: Path) -> None:
    text = STUDY.replace("dam.depth", "dam.dept").replace("batch_size", "bach_size")
    text += "  cycle.steps: 3\n  target_supervised.segmenter.steps: 3\nenqueue: [{optim.rl: 1}]\n"
    study = "unknown hyperparameter of dam"
    trained = "dam, no_adaptation, target_supervised"
    assert problems(tmp_path, text=text) == [
        f"study.yaml:4 matrix.dam.dept: {study}; did you mean 'depth'?",
        f"study.yaml:13 parameters.bach_size: {study} and no_adaptation and target_supervised;"
        " did you mean 'batch_size'?",
        "study.yaml:14 parameters.cycle.steps: names the method 'cycle',"
        f" which this study does not train here; choose from {trained}",
        f"study.yaml:16 enqueue[0].optim.rl: {study}; did you mean 'optim.lr'?",
        "study.yaml:16 enqueue[0].optim.rl: is not searched; did you mean 'optim.lr'?",
    ]


def test_depths_beyond_the_network_are_placed_in_the_file(tmp_path: Path) -> None:
    text = STUDY.replace("[3, 5, 7]", "[3, 9, 7]")
    assert problems(tmp_path, text=text) == [
        "study.yaml:4 matrix.dam.depth[1]: must be 1..7, got 9"
    ]


def test_constants_and_ends_of_ranges_must_suit_the_method(tmp_path: Path) -> None:
    text = STUDY.replace("low: 1e-5, high: 1e-3, log: true", "low: 0, high: 1e-3")
    text = text.replace("batch_size: 4", "batch_size: 4.5").replace("squares]", "squares, x]")
    text = text.replace("segmenter.width: 8", "segmenter.width: 0")
    assert problems(tmp_path, text=text) == [
        "study.yaml:9 parameters.optim.lr.low: must be greater than 0.0, got 0.0",
        "study.yaml:10 parameters.align.type.choices[2]: must be 'wasserstein' or 'least_squares',"
        ' got "x"',
        "study.yaml:12 parameters.segmenter.width: must be greater than 0, got 0",
        "study.yaml:13 parameters.batch_size: must be a whole number, got 4.5",
    ]


def test_combinations_that_a_method_refuses_are_found(tmp_path: Path) -> None:
    text = STUDY + "  steps: 50\n  optim.warm_up: {type: int, low: 0, high: 60}\n"
    assert problems(tmp_path, text=text) == [
        "study.yaml:15 parameters.optim.warm_up.high: optim.warm_up must not be longer than steps,"
        " got 60"
    ]


def test_impossible_ranges_are_refused(tmp_path: Path) -> None:
    text = """\
name: a
method: dam
matrix: {direction: [mr->ct]}
data: {dataset: phantom}
parameters:
  optim.lr: {type: float, low: 1, high: 0.1}
  adversarial_weight: {type: float, low: 0, high: 1, log: true}
  align.clip: {type: float, low: 0.1, high: 0.5, step: 0.3}
  optim.alpha: {type: float, low: 0.1, high: 0.5, step: 0.1, log: true}
  batch_size: {type: int, low: 1, high: 8, step: 2}
  align.type: {type: categorical, choices: [wasserstein, wasserstein]}
"""
    assert problems(tmp_path, text=text) == [
        "study.yaml:6 parameters.optim.lr.low: must not be greater than high = 0.1, got 1.0",
        "study.yaml:7 parameters.adversarial_weight.low: must be greater than 0 where log is true,"
        " got 0.0",
        "study.yaml:8 parameters.align.clip.step: must divide high - low = 0.4, got 0.3",
        "study.yaml:9 parameters.optim.alpha.step: cannot be combined with log: true, got 0.1;"
        " remove one of them",
        "study.yaml:10 parameters.batch_size.step: must divide high - low = 7, got 2",
        'study.yaml:11 parameters.align.type.choices[1]: is given twice, got "wasserstein";'
        " keep one",
    ]


def test_a_name_is_a_factor_searched_or_constant_but_one_of_them(tmp_path: Path) -> None:
    text = STUDY + "  depth: {type: int, low: 1, high: 7}\n  dam.batch_size: 3\n"
    text = text.replace("  batch_size: 4", "  batch_size: {type: int, low: 1, high: 4}")
    assert problems(tmp_path, text=text) == [
        "study.yaml:13 parameters.batch_size: is searched and also the constant dam.batch_size;"
        " keep one",
        "study.yaml:14 parameters.depth: is searched and also the factor matrix.dam.depth;"
        " keep one",
    ]


def test_conditions_refer_to_values_that_can_occur(tmp_path: Path) -> None:
    text = STUDY.replace("align.type: wasserstein}", "align.type: wgan, aling.type: x}")
    assert problems(tmp_path, text=text) == [
        "study.yaml:11 parameters.align.clip.when.align.type: is a value that align.type never has,"
        ' got "wgan"',
        "study.yaml:11 parameters.align.clip.when.aling.type: refers to neither a parameter nor a"
        " factor; did you mean 'align.type'?",
    ]


def test_conditions_must_not_go_round_in_a_circle(tmp_path: Path) -> None:
    text = STUDY.replace("squares]}", "squares], when: {align.clip: 0.1}}")
    circle = "conditions go round in a circle: align.type, align.clip"
    assert problems(tmp_path, text=text) == [
        f"study.yaml:10 parameters.align.type.when: {circle}",
        f"study.yaml:11 parameters.align.clip.when: {circle}",
    ]


def test_enqueued_values_lie_in_their_ranges(tmp_path: Path) -> None:
    text = STUDY + "enqueue: [{optim.lr: 3e-4}, {optim.lr: 1, align.type: x}, {batch_size: 4}]\n"
    assert problems(tmp_path, text=text) == [
        "study.yaml:14 enqueue[1].optim.lr: must be in 1e-05..0.001, got 1",
        'study.yaml:14 enqueue[1].align.type: must be one of "wasserstein", "least_squares",'
        ' got "x"',
        "study.yaml:14 enqueue[2].batch_size: is not searched;"
        " choose from optim.lr, align.type, align.clip",
    ]


def test_selection_by_target_labels_must_be_admitted(tmp_path: Path) -> None:
    assert problems(tmp_path, "metric=oracle/dice") == [
        "--set metric: must be a blind/ score: an oracle/ score sees target labels,"
        ' got "oracle/dice"; choose blind/score, or set allow_oracle_selection: true'
    ]
    allowed = ["metric=oracle/dice", "allow_oracle_selection=true"]
    validate(read_study(write_study(tmp_path), allowed))
    assert problems(tmp_path, "metric=oracle/js", "allow_oracle_selection=true") == [
        "--set metric: must be an oracle/ score that is better when higher,"
        " got \"oracle/js\"; did you mean 'oracle/dice'?"
    ]
    assert problems(tmp_path, "metric=test/dice", "allow_oracle_selection=true") == [
        '--set metric: must be a blind/ score, got "test/dice"; choose blind/score'
    ]


def test_blind_scores_must_exist_and_are_maximised(tmp_path: Path) -> None:
    assert problems(tmp_path, "metric=blind/entrpy", "mode=min") == [
        "--set metric: unknown blind score, got \"blind/entrpy\"; did you mean 'blind/entropy'?",
        "--set mode: must be max: all scores are better when higher, got min",
    ]


def test_the_blind_score_needs_a_source_segmenter(tmp_path: Path) -> None:
    text = "name: a\nmethod: cycle\nmatrix: {direction: [a->b]}\ndata: {dataset: phantom}\n"
    assert problems(tmp_path, text=text) == [
        "study.yaml:1 metric: needs a method that starts from a source segmenter,"
        ' which cycle does not, got "blind/score"; choose blind/entropy'
    ]


def test_gpu_hours_need_gpus(tmp_path: Path) -> None:
    assert problems(tmp_path, "budget.gpu_hours=2", "resources.gpu=0") == [
        "--set budget.gpu_hours: counts nothing, since resources.gpu is 0, got 2.0; "
        "give budget.time, or resources.gpu"
    ]


def test_schedule_budget_and_seeds_are_checked(tmp_path: Path) -> None:
    assert problems(
        tmp_path,
        "scheduler={max_t: 10, grace_period: 20}",
        "budget.time=8 hours",
        "confirm={seeds: [1, 1], top_k: 5}",
    ) == [
        "--set scheduler.grace_period: must not be greater than max_t = 10, got 20",
        "--set budget.time: must be a time above zero such as 8h, 90m or 1h30m, got '8 hours'",
        "--set confirm.seeds[1]: is given twice, got 1; keep one",
        "--set confirm.top_k: must not be greater than search.num_samples = 4, got 5",
    ]


def test_directions_are_required_and_well_formed(tmp_path: Path) -> None:
    text = STUDY.replace("  direction: [mr->ct, ct->mr]\n", "")
    assert problems(tmp_path, text=text) == [
        "study.yaml:3 matrix.direction: is required; write for example direction: [mr->ct]"
    ]
    assert problems(tmp_path, "matrix.direction=[mr-ct]") == [
        "--set matrix.direction[0]: must name two different domains as source->target,"
        " got 'mr-ct'; write for example mr->ct"
    ]
    validate(read_study(write_study(tmp_path, text), ["parameters.direction=mr->ct"]))


def test_directions_are_checked_against_the_domains_of_the_data(tmp_path: Path) -> None:
    study = read_study(write_study(tmp_path))
    check_directions(study.spec, ["mr", "ct"])
    with pytest.raises(InputError) as raised:
        check_directions(study.spec, ["mr", "cta"], study.where)
    assert str(raised.value) == (
        "study.yaml:5 matrix.direction[0]: unknown domain 'ct', got mr->ct; did you mean 'cta'?\n"
        "study.yaml:5 matrix.direction[1]: unknown domain 'ct', got ct->mr; did you mean 'cta'?"
    )


def test_factors_are_unique_and_the_matrix_bounded(tmp_path: Path) -> None:
    assert problems(tmp_path, "matrix.dam.depth=[3, 3]") == [
        "--set matrix.dam.depth[1]: is given twice, got 3; keep one"
    ]
    many = f"matrix.batch_size={list(range(1, 600))}"
    text = STUDY.replace("  batch_size: 4\n", "")
    assert problems(tmp_path, many, text=text) == [
        "study.yaml:3 matrix: must not have more than 1000 cells, got 3594; compare fewer values"
    ]


def test_dimensions_suit_the_method_and_the_patch(tmp_path: Path) -> None:
    assert problems(
        tmp_path,
        "method=null",
        "matrix={method: [cycle], direction: [a->b]}",
        "parameters={}",
        "metric=blind/entropy",
        "data={dataset: phantom, spatial_dims: 3, patch_size: [8, 8], adjacent_slices: 3}",
    ) == [
        "--set data.spatial_dims: must be 2 for the method cycle, got 3",
        "--set data.patch_size: must have 3 entries, one per spatial dimension, got [8, 8]",
        "--set data.adjacent_slices: must be 1 where spatial_dims is 3:"
        " volumes hold their neighbours already, got 3",
    ]


def test_labels_and_splits_are_consistent(tmp_path: Path) -> None:
    assert problems(
        tmp_path,
        "data.labels={a: [1, 2], b: [2, 0], c: [], background: [3]}",
        "data.split={val: 0.5, test: 0.5, source_subjects: [p1, p1], target_subjects: [p1]}",
    ) == [
        "--set data.labels.b[0]: is already a value of a, got 2; give each value to one structure",
        "--set data.labels.b[1]: must be greater than 0, which is background, got 0",
        "--set data.labels.c: must have at least 1 entries, got []",
        "--set data.labels.background: must not be named: what no structure has is background",
        "--set data.split.test: must leave subjects for training: val + test must be below 1,"
        " got 0.5 + 0.5",
        '--set data.split.source_subjects[1]: is given twice, got "p1"; keep one',
        '--set data.split.target_subjects[0]: is also a source subject, got "p1"; keep one',
    ]


def test_a_bad_range_does_not_hide_a_bad_depth(tmp_path: Path) -> None:
    text = STUDY.replace("[3, 5, 7]", "[3, 9, 7]").replace("low: 1e-5", "low: 0")
    assert problems(tmp_path, "matrix.direction=[x]", "baselines=[x]", text=text)[:2] == [
        "study.yaml:4 matrix.dam.depth[1]: must be 1..7, got 9",
        "study.yaml:9 parameters.optim.lr.low: must be greater than 0 where log is true, got 0.0",
    ]


def test_form_and_sense_are_reported_together(tmp_path: Path) -> None:
    text = STUDY.replace("log: true", "log: off").replace("[3, 5, 7]", "[3, 9, 7]")
    text = text.replace("num_samples: 4", 'num_samples: "4"') + "enqueue: [{optim.lr: 1e-4}]\n"
    with pytest.raises(InputError) as raised:
        load_study(write_study(tmp_path, text + "metrc: x\n"))
    assert [str(problem) for problem in raised.value.problems] == [
        "study.yaml:4 matrix.dam.depth[1]: must be 1..7, got 9",
        'study.yaml:7 search.num_samples: must be a whole number, got "4"',
        "study.yaml:9 parameters.optim.lr.log: must be true or false, or text in quotes:"
        " YAML readers disagree, got off",
        "study.yaml:15 metrc: unknown key; did you mean 'metric'?",
    ]
    load_study(write_study(tmp_path))
