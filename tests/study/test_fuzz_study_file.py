"""Whatever a study file or an override holds, it is read soundly or refused with its reasons."""

import copy
import json
import random

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from uda_study.errors import InputError
from uda_study.study.source import read_study
from uda_study.study.validate import load_study
from uda_study.testing.mutations import mutated

STUDY = {
    "name": "fuzzed",
    "data": {"dataset": "phantom", "folds": 2, "options": {"subjects": 4, "domains": ["mr", "ct"]}},
    "matrix": {"direction": ["mr->ct", "ct->mr"], "method": ["adabn", "min_entropy"]},
    "search": {"alg": "tpe", "num_samples": 4},
    "parameters": {
        "segmenter.lr": {"type": "float", "low": 1e-5, "high": 1e-3, "log": True},
        "batch_size": 4,
    },
}
EXTREMES = st.sampled_from(
    ["", "x", "mr->ct", "->", "nan", "a" * 300, "\x00", "../..", "~", "$HOME", "é", 0, -1, 1, 2,
     10**18, -(10**18), 1e308, -0.5, True, False, None, [], {}]
)  # fmt: skip
VALUES = st.recursive(
    EXTREMES | st.text(max_size=8) | st.integers() | st.floats(allow_nan=False),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)
quick = settings(
    max_examples=25,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def paths(value, at=()):
    """Return the key paths of everything in a nested value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    found = []
    for key, part in inner if isinstance(value, (dict, list)) else ():
        found.append((*at, key))
        if isinstance(part, (dict, list)):
            found += paths(part, (*at, key))
    return found


PATHS = list(paths(STUDY))


def read(path, reader, *overrides):
    """Read a file, None where it is refused; a refusal has to name its reasons and a place."""
    try:
        return reader(path, overrides)
    except InputError as error:
        refusal = error
    assert refusal.problems
    assert all(problem.where and problem.rule for problem in refusal.problems)
    return None


def test_the_study_is_sound_before_it_is_damaged(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(json.dumps(STUDY))
    assert load_study(path).spec.name == "fuzzed"


@given(at=st.sampled_from(PATHS), value=VALUES, name=st.none() | st.text(max_size=8))
@quick
def test_any_value_under_any_key_is_read_or_refused(tmp_path, at, value, name):
    study = copy.deepcopy(STUDY)
    inner = study
    for key in at[:-1]:
        inner = inner[key]
    if name is not None and isinstance(inner, dict):
        inner[name] = inner.pop(at[-1])
    else:
        inner[at[-1]] = value
    path = tmp_path / "study.yaml"
    path.write_text(json.dumps(study))
    read(path, load_study)


@given(number=st.integers(min_value=0))
@quick
def test_damaged_bytes_are_read_or_refused(tmp_path, number):
    path = tmp_path / "study.yaml"
    content = json.dumps(STUDY, indent=1).encode()
    path.write_bytes(mutated(content, random.Random(number), len(content)))
    study = read(path, read_study)
    if study is not None:
        again = tmp_path / "again.json"
        again.write_text(json.dumps(study.resolved))
        assert read_study(again).spec == study.spec, "the resolved study reads back the same"


@given(content=st.binary(max_size=80) | st.text(max_size=80).map(lambda text: text.encode()))
@example(b"a: " + b"[" * 5000)
@example(b"? " * 5000)
@example(b"- " * 5000)
@example(b"\xff\xfea\x00")
@quick
def test_any_bytes_are_refused(tmp_path, content):
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError):
        read_study(path)


@given(key=st.sampled_from(PATHS), text=st.text(max_size=20))
@example(key=("name",), text="[" * 3000)
@quick
def test_any_override_is_read_or_refused(tmp_path, key, text):
    path = tmp_path / "study.yaml"
    path.write_text(json.dumps(STUDY))
    read(path, read_study, f"{'.'.join(str(part) for part in key)}={text}")
    read(path, read_study, text)
