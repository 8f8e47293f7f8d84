import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from study_fakes import STUDY, write_study

from uda_study.errors import InputError
from uda_study.study.model import FloatParameter, StudySpec
from uda_study.study.source import MAX_BYTES, read_study
from uda_study.study.written import study_text


def problems(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(InputError) as raised:
        read_study(path, overrides)
    return [str(problem) for problem in raised.value.problems]


def test_searched_parameters_and_constants_are_told_apart(tmp_path: Path) -> None:
    spec = read_study(write_study(tmp_path)).spec
    assert list(spec.parameters) == ["optim.lr", "align.type", "align.clip"]
    assert spec.parameters["optim.lr"] == FloatParameter(
        type="float", low=1e-5, high=1e-3, log=True
    )
    assert spec.fixed == {"segmenter.width": 8, "batch_size": 4}


def test_every_value_knows_its_line(tmp_path: Path) -> None:
    study = read_study(write_study(tmp_path))
    assert study.where(("matrix", "dam.depth")) == "study.yaml:4 matrix.dam.depth"
    assert study.where(("matrix", "dam.depth", 1)) == "study.yaml:4 matrix.dam.depth[1]"
    assert study.where(("parameters", "optim.lr", "low")) == "study.yaml:9 parameters.optim.lr.low"
    assert study.where(("search", "alg")) == "study.yaml:7 search.alg"
    assert study.where(("baselines",)) == "study.yaml:1 baselines"


def test_text_is_kept_and_the_resolved_study_reads_back_the_same(tmp_path: Path) -> None:
    study = read_study(write_study(tmp_path), ["parameters.batch_size=2"])
    assert study.text == STUDY
    assert study.spec.fixed["batch_size"] == 2
    again = tmp_path / "resolved.json"
    again.write_text(json.dumps(study.resolved))
    assert read_study(again).spec == study.spec


def test_all_problems_are_listed_by_line(tmp_path: Path) -> None:
    path = write_study(
        tmp_path,
        """\
name: Dam Depth
metod: dam
version: 2
data: {dataset: phantom, folds: 0, spit: {}, spatial_dims: 4}
search: {alg: tpee, num_samples: "8", max_concurrent_trials: many}
confirm: {seeds: [0, x], top_k: 1.5}
fixed: {a: 1}
parameters:
  a: {type: integer, low: 1, high: 2}
  b: {type: float, low: 1}
  optim: {lr: 3}
  c: {type: int, low: 1, high: 2, hihg: 3}
  d: [1, 2]
enqueue: {a: 1}
""",
    )
    dots = "names of nested hyperparameters are written with dots, such as optim.lr"
    assert problems(path) == [
        'study.yaml:1 name: must match ^[a-z0-9][a-z0-9_-]{0,63}$, got "Dam Depth"',
        "study.yaml:2 metod: unknown key; did you mean 'method'?",
        "study.yaml:3 version: must be 1, got 2",
        "study.yaml:4 data.spatial_dims: must be 2 or 3, got 4",
        "study.yaml:4 data.folds: must be greater than 0, got 0",
        "study.yaml:4 data.spit: unknown key; did you mean 'split'?",
        "study.yaml:5 search.alg: must be 'tpe' or 'random', got \"tpee\"",
        'study.yaml:5 search.num_samples: must be a whole number, got "8"',
        "study.yaml:5 search.max_concurrent_trials: must be a whole number or 'auto', got \"many\"",
        "study.yaml:6 confirm.top_k: must be a whole number, got 1.5",
        'study.yaml:6 confirm.seeds[1]: must be a whole number, got "x"',
        "study.yaml:7 fixed: unknown key; write constants under parameters",
        f'study.yaml:9 parameters.a.type: must be float, int or categorical, got "integer"; {dots}',
        "study.yaml:10 parameters.b.high: is required",
        f"study.yaml:11 parameters.optim.type: must be float, int or categorical; {dots}",
        "study.yaml:12 parameters.c.hihg: unknown key; did you mean 'high'?",
        'study.yaml:14 enqueue: must be a list, got {"a": 1}',
    ]


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("off", "must be true or false, or text in quotes: YAML readers disagree, got off"),
        (
            "010",
            "must not start with 0, which some YAML readers take for octal, got 010;"
            " write the decimal number, or put text in quotes",
        ),
        (
            "0x10",
            "must be a decimal number, got 0x10; write the decimal number, or put text in quotes",
        ),
        (".inf", "must be a finite number, got .inf"),
        ("1e999", "must be a finite number, got 1e999"),
        ("1" * 19, f"must have at most 18 digits, got {'1' * 19}"),
    ],
)
def test_what_yaml_readers_disagree_on_is_refused(tmp_path: Path, value: str, problem: str) -> None:
    path = write_study(tmp_path, f"{STUDY}  adversarial_weight: {value}\n")
    assert problems(path) == [f"study.yaml:14 parameters.adversarial_weight: {problem}"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "name: a\ndata: {dataset: b}\nname: c\n",
            "study.yaml:3 name: is given twice, first at study.yaml:1; keep one",
        ),
        (
            "name: !!python/object:os.system x\n",
            "study.yaml:1: must not use tags (!); write the plain value",
        ),
        (
            "a: &a [1]\nb: *a\n",
            "study.yaml:1: must not use anchors (&) or aliases (*); write the value out",
        ),
        ("<<: {a: 1}\n", "study.yaml:1: must not use merge keys (<<); write the values out"),
        ("a:\n  " + "[" * 30, "study.yaml:2: must not be nested deeper than 20 levels"),
        ("- a\n", "study.yaml:1: must be a mapping of keys to values"),
        ("", "study.yaml:1: must be a mapping of keys to values"),
        ("a: 1\n---\nb: 2\n", "study.yaml:2: must be a single YAML document; remove the '---'"),
        (
            "%YAML 1.1\n---\na: 1\n",
            "study.yaml:2: must not have YAML directives; remove the '%' line",
        ),
        ("a: [1\n", "study.yaml:2: is not valid YAML: expected ',' or ']', but got '<stream end>'"),
        ("a: [" + "1," * 20_000 + "]", "study.yaml:1: must not hold more than 20000 values"),
    ],
)
def test_unsafe_or_ambiguous_yaml_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    assert problem in problems(write_study(tmp_path, text))


def test_files_that_are_no_study_are_refused(tmp_path: Path) -> None:
    missing = tmp_path / "none.yaml"
    assert problems(missing) == [f"{missing}: no such file; give the path of a study file"]
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (MAX_BYTES + 1))
    assert problems(large) == ["large.yaml: must not be larger than 1048576 bytes"]
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"name: a\nx: \xff\n")
    assert problems(binary) == ["binary.yaml:2: must be UTF-8 text"]


def test_numbers_in_scientific_notation_are_numbers(tmp_path: Path) -> None:
    path = write_study(tmp_path, f"{STUDY}  adversarial_weight: 1e-4\n")
    assert read_study(path).spec.fixed["adversarial_weight"] == 1e-4


def test_overrides_address_names_with_dots(tmp_path: Path) -> None:
    spec = read_study(
        write_study(tmp_path),
        [
            "parameters.optim.lr=1e-4",
            "parameters.align.clip.high=0.2",
            "matrix.dam.depth=[5]",
            "confirm.seeds=[7]",
            "search.num_samples=2",
            "parameters.steps=50",
            "data.options.subjects=3",
        ],
    ).spec
    assert spec.fixed["optim.lr"] == 1e-4
    assert "optim.lr" not in spec.parameters
    assert spec.parameters["align.clip"].high == 0.2  # type: ignore[union-attr]
    assert spec.matrix["dam.depth"] == (5,)
    assert spec.confirm.seeds == (7,)
    assert spec.search.num_samples == 2
    assert spec.fixed["steps"] == 50
    assert spec.data.options == {"subjects": 3}


def test_overrides_without_target_name_the_nearest(tmp_path: Path) -> None:
    given = ["serach.num_samples=3", "data.rot=x", "name", "search.seed=[0"]
    assert problems(write_study(tmp_path), *given) == [
        "--set serach.num_samples: unknown key; did you mean 'search.num_samples'?",
        "--set data.rot: unknown key; did you mean 'data.root'?",
        "--set name: must be written as key=value",
        "--set search.seed: is not valid YAML: expected ',' or ']', but got '<stream end>'",
    ]


def test_bad_values_of_overrides_are_placed_at_the_override(tmp_path: Path) -> None:
    given = ["search.num_samples=two", "parameters.batch_size=off"]
    assert problems(write_study(tmp_path), *given) == [
        '--set search.num_samples: must be a whole number, got "two"',
        "--set parameters.batch_size: must be true or false, or text in quotes:"
        " YAML readers disagree, got off",
    ]


def test_root_is_relative_to_the_file_and_overrides_to_the_present_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("SCANS", "mr")
    monkeypatch.setenv("HOME", "/home/ann")
    text = STUDY.replace("phantom}", "phantom, root: ../$SCANS}")
    path = write_study(tmp_path, text)
    assert read_study(path).spec.data.root == tmp_path.parent / "mr"
    assert read_study(path, ["data.root=x"]).spec.data.root == tmp_path / "here" / "x"
    assert read_study(path, ["data.root=~/x"]).spec.data.root == Path("/home/ann/x")


def test_unset_variables_in_the_root_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SCANS", raising=False)
    path = write_study(tmp_path, STUDY.replace("phantom}", "phantom, root: $SCANS/mr}"))
    assert problems(path) == [
        "study.yaml:6 data.root: names the environment variable SCANS, which is not set,"
        ' got "$SCANS/mr"; export SCANS'
    ]


_yaml = st.text(
    alphabet=st.sampled_from(list("abn:-? []{},#&*!|>'\"%@`\n\t 0123456789.eE+~<$/\\\ud800é")),
    max_size=60,
)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*StudySpec.model_fields, "dataset", "type", "low", "high", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None)
@given(content=st.binary(max_size=80) | _yaml.map(lambda text: text.encode(errors="ignore")))
def test_no_bytes_raise_anything_but_input_errors(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_study(path)


@settings(max_examples=60, deadline=None)
@given(values=_json)
def test_no_values_raise_anything_but_input_errors(
    tmp_path_factory: pytest.TempPathFactory, values: object
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.yaml"
    path.write_text(
        json.dumps(
            {"name": "a", "data": {"dataset": "b"}, "x": values}
            | (values if isinstance(values, dict) else {})
        )
    )
    with pytest.raises(InputError):
        read_study(path)


@settings(max_examples=60, deadline=None)
@given(key=st.text(max_size=12), value=_yaml)
def test_no_override_raises_anything_but_input_errors(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: str
) -> None:
    path = write_study(tmp_path_factory.getbasetemp())
    for target in (f"{key}={value}", f"data.options.{key}={value}", f"parameters.{key}={value}"):
        try:
            read_study(path, [target])
        except InputError as error:
            assert error.problems  # noqa: PT017 - either outcome is right


def test_what_is_written_reads_back_as_the_same_study_in_the_same_order(tmp_path: Path) -> None:
    file = Path(__file__).parents[2] / "search_spaces" / "compare_methods.yaml"
    study = read_study(file)
    (tmp_path / "study.yaml").write_text(study_text(study.resolved))
    again = read_study(tmp_path / "study.yaml")
    assert again.spec == study.spec
    assert list(again.spec.matrix) == list(study.spec.matrix) == ["method", "direction"]
    assert list(again.spec.parameters) == list(study.spec.parameters)
    assert again.resolved == study.resolved
