import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from study_fakes import FakeDam, FakeOptimHyper, install_fakes

from uda_study.errors import InputError
from uda_study.study.cells import cells, flatten_hyper, resolve_hyper
from uda_study.study.hyper import hyper_names
from uda_study.study.model import (
    CategoricalParameter,
    FloatParameter,
    IntParameter,
    Parameter,
    StudySpec,
)
from uda_study.study.space import Space, space_of
from uda_study.types import JSON


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    install_fakes(monkeypatch)


SPACE = Space(
    {
        "align.clip": FloatParameter(
            type="float", low=0.01, high=0.1, when={"align.type": "wasserstein"}
        ),
        "align.type": CategoricalParameter(
            type="categorical", choices=("wasserstein", "least_squares")
        ),
        "batch_size": IntParameter(type="int", low=2, high=8, step=2),
    }
)


def study(**values: object) -> StudySpec:
    base = {
        "name": "a",
        "method": "dam",
        "data": {"dataset": "phantom"},
        "matrix": {"direction": ("mr->ct",)},
    }
    return StudySpec.model_validate({**base, **values})


def test_a_condition_decides_which_parameters_are_active() -> None:
    assert SPACE.order == ("align.type", "batch_size", "align.clip")
    assert SPACE.active({"align.type": "wasserstein"}) == SPACE.order
    assert SPACE.active({"align.type": "least_squares"}) == ("align.type", "batch_size")
    assert SPACE.active({}) == ("align.type", "batch_size")


def test_a_space_contains_exactly_its_active_parameters_in_range() -> None:
    inside: dict[str, JSON] = {"align.type": "wasserstein", "align.clip": 0.1, "batch_size": 4}
    assert SPACE.contains(inside)
    assert not SPACE.contains({**inside, "align.clip": 0.2})
    assert not SPACE.contains({**inside, "batch_size": 5})
    assert not SPACE.contains({**inside, "batch_size": True})
    assert not SPACE.contains({"align.type": "wasserstein", "batch_size": 4})
    assert not SPACE.contains({**inside, "align.type": "least_squares"})


def test_trial_zero_is_the_published_setting() -> None:
    assert SPACE.defaults(FakeDam) == {
        "align.type": "wasserstein",
        "batch_size": 6,
        "align.clip": 0.03,
    }


def test_published_values_out_of_range_are_named_and_not_clipped() -> None:
    space = Space({"batch_size": IntParameter(type="int", low=8, high=16)})
    assert space.defaults(FakeDam) == {}
    assert space.outside(FakeDam) == {"batch_size": 6}


def test_published_values_that_constants_rule_out_are_none() -> None:
    parameters: dict[str, Parameter] = {
        "depth": IntParameter(type="int", low=1, high=3),
        "batch_size": IntParameter(type="int", low=2, high=8),
    }
    assert Space(parameters, {"segmenter.width": 1}).defaults(FakeDam) == {"batch_size": 6}


def test_enqueued_settings_keep_published_values_for_the_rest() -> None:
    spec = study(
        parameters={
            "optim.lr": {"type": "float", "low": 1e-5, "high": 1e-2},
            "dam.batch_size": {"type": "int", "low": 2, "high": 8},
        },
        enqueue=({"optim.lr": 1e-3}, {"dam.batch_size": 6}),
    )
    _, first = space_of(spec, cells(spec)[0])
    assert first == ({"optim.lr": 3e-4, "batch_size": 6}, {"optim.lr": 1e-3, "batch_size": 6})


def test_conditions_on_factors_are_decided_per_cell() -> None:
    spec = study(
        matrix={"direction": ("mr->ct",), "align.type": ("wasserstein", "least_squares")},
        parameters={
            "align.clip": {
                "type": "float",
                "low": 0.01,
                "high": 0.1,
                "when": {"align.type": "wasserstein"},
            }
        },
    )
    wasserstein, least_squares = (space_of(spec, cell)[0] for cell in cells(spec))
    assert wasserstein.active({}) == ("align.clip",)
    assert not least_squares.parameters


def test_parameters_with_a_prefix_belong_to_one_method() -> None:
    spec = study(
        method=None,
        matrix={"method": ("dam", "cycle"), "direction": ("mr->ct",)},
        parameters={
            "steps": {"type": "int", "low": 1, "high": 9},
            "dam.steps": {"type": "int", "low": 5, "high": 6},
            "cycle_weight": {"type": "float", "low": 1, "high": 20},
        },
    )
    dam, cycle = (space_of(spec, cell)[0].parameters for cell in cells(spec))
    assert list(dam) == ["steps"]
    assert dam["steps"].low == 5  # type: ignore[union-attr]
    assert cycle["steps"].low == 1  # type: ignore[union-attr]
    assert list(cycle) == ["steps", "cycle_weight"]


def test_dotted_names_reach_nested_models_and_come_back() -> None:
    hyper = resolve_hyper(FakeDam, {"optim.lr": 1e-2, "depth": 3})
    flat = flatten_hyper(hyper)
    assert tuple(flat) == hyper_names(FakeDam)
    assert flat["optim.lr"] == 1e-2
    assert flat["depth"] == 3
    assert resolve_hyper(FakeDam, flat) == hyper


def test_published_defaults_of_nested_models_survive_a_neighbour_that_is_given() -> None:
    assert FakeOptimHyper().alpha == 0.99
    flat = flatten_hyper(resolve_hyper(FakeDam, {"optim.warm_up": 3}))
    assert flat["optim.alpha"] == 0.9
    assert flat["optim.lr"] == 3e-4


def test_unknown_and_impossible_hyperparameters_are_all_named() -> None:
    with pytest.raises(InputError) as unknown:
        resolve_hyper(FakeDam, {"optim.rl": 1, "dept": 2})
    assert str(unknown.value) == (
        "optim.rl: unknown hyperparameter; did you mean 'optim.lr'?\n"
        "dept: unknown hyperparameter; did you mean 'depth'?"
    )
    with pytest.raises(InputError) as impossible:
        resolve_hyper(FakeDam, {"optim.lr": 0, "batch_size": "4"})
    assert str(impossible.value) == (
        'optim.lr: must be greater than 0.0, got 0\nbatch_size: must be a whole number, got "4"'
    )


@st.composite
def _spaces(draw: st.DrawFn) -> Space:
    low = draw(st.floats(1e-6, 1.0))
    lowest = draw(st.integers(1, 6))
    parameters: dict[str, Parameter] = {
        "optim.lr": FloatParameter(
            type="float", low=low, high=low * draw(st.floats(1, 100)), log=draw(st.booleans())
        ),
        "depth": IntParameter(type="int", low=lowest, high=draw(st.integers(lowest, 7))),
        "align.type": CategoricalParameter(
            type="categorical", choices=("wasserstein", "least_squares")
        ),
        "align.clip": FloatParameter(
            type="float", low=0.1, high=0.5, step=0.1, when={"align.type": ["wasserstein"]}
        ),
    }
    names = draw(st.permutations(sorted(parameters)))
    return Space({name: parameters[name] for name in names})


@settings(max_examples=100, deadline=None)
@given(space=_spaces(), data=st.data())
def test_any_sample_of_a_valid_space_builds_the_hyperparameters(
    space: Space, data: st.DataObject
) -> None:
    params: dict[str, JSON] = {}
    for name in space.order:
        parameter = space.parameters[name]
        if not space.is_active(name, params):
            continue
        if isinstance(parameter, CategoricalParameter):
            params[name] = data.draw(st.sampled_from(parameter.choices))
        elif isinstance(parameter, IntParameter):
            params[name] = data.draw(st.integers(parameter.low, parameter.high))
        elif parameter.step is None:
            params[name] = data.draw(st.floats(parameter.low, parameter.high))
        else:
            params[name] = parameter.low + parameter.step * data.draw(st.integers(0, 4))
    assert space.contains(params)
    flat = flatten_hyper(resolve_hyper(FakeDam, params))
    assert {name: flat[name] for name in params} == params
