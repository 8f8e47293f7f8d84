import dataclasses
import json
import math

import numpy as np
import pandas as pd
import pytest
from made_up_study import MadeUpStudy, depths_material
from test_figures import pixels

from uda_study.errors import InputError
from uda_study.report.importance_bars import importance_figure
from uda_study.report.sections.importance import section
from uda_study.study import importance
from uda_study.study.importance import Importance, Share

PARAMETERS = {
    "lr": {"type": "float", "low": 1e-4, "high": 1e-1, "log": True},
    "kind": {"type": "categorical", "choices": [True, 2, '<&">']},
    "clip": {"type": "float", "low": 0, "high": 1, "when": {"kind": True}},
}

FINISHED = depths_material()


@pytest.fixture(autouse=True)
def _few_shuffles(monkeypatch):
    monkeypatch.setattr(importance, "TREES", 2)
    monkeypatch.setattr(importance, "SHUFFLES", 2)


def material(study: MadeUpStudy, parameters=PARAMETERS):
    cases = pd.DataFrame(study.cases, columns=FINISHED.cases.columns).astype({"value": float})
    spec = {"parameters": parameters}
    return dataclasses.replace(FINISHED, runs=pd.DataFrame(study.runs), cases=cases, spec=spec)


def searched(count: int, method: str = "dam", study: MadeUpStudy | None = None, **other):
    study = study or MadeUpStudy("abc")
    rng = np.random.default_rng(0)
    for number in range(count):
        lr = float(10 ** rng.uniform(-4, -1))
        params = {"lr": lr, "kind": [True, 2, '<&">'][number % 3], "clip": float(rng.random())}
        named = {"blind/score": lr, "oracle/dice": lr} | other
        study.train(
            method, "search", 0.2 + lr, number=number, method=method, params=json.dumps(params),
            factors={}, **named,
        )  # fmt: skip
    return study


def test_enough_trials_get_bars_and_the_worth_of_tuning():
    found = section(material(searched(12)))
    bars, worth = found.exhibits
    assert "dam, 12 of 12 search trials in 1 cell" in bars.caption
    assert "clip (4)" in bars.caption
    assert pixels(bars.picture).std() > 5
    assert worth.picture is None
    assert "no bars" not in found.lead


def test_few_trials_are_counted_and_get_no_bars():
    found = section(material(searched(9)))
    assert "dam (9)" in found.lead
    assert [exhibit.picture for exhibit in found.exhibits] == [None]


def test_only_methods_with_enough_trials_get_bars():
    found = section(material(searched(3, "rare<&", searched(11))))
    assert len(found.exhibits) == 2
    assert "rare<& (3)" in found.lead
    assert "<td>rare&lt;&amp;</td>" in found.exhibits[-1].html
    assert "rare<&" not in found.exhibits[-1].html


@pytest.mark.parametrize("other", [{"status": "failed"}, {"blind/score": math.nan}, {}])
def test_odd_searches_are_borne(other):
    for count in (1, 11):
        found = section(material(searched(count, **other)))
        assert found.exhibits[-1].html.count("<tr>") == 2


def test_nothing_searched_shows_nothing():
    study = MadeUpStudy()
    study.confirm("g3", 0.5)
    assert section(material(study)) is None
    assert section(material(searched(12), {"lr": 0.1})) is None


def test_without_blind_scores_the_test_alone_is_shown():
    study = searched(12)
    for run in study.runs:
        del run["blind/score"]
    assert section(material(study)).exhibits[0].picture is not None


def test_tunability_is_the_best_minus_the_published():
    html = section(material(searched(4))).exhibits[-1].html
    cells = html.split("<td>")[1:]
    published, best = (float(cells[place].split("<")[0]) for place in (6, 9))
    assert best > published
    assert float(cells[10].split("<")[0]) == pytest.approx(best - published, abs=0.0011)


def test_bars_show_size_colour_and_absence():
    def drawn(*shares: Share | None) -> bytes:
        rows = [Importance(f"p{n}", 12, share, share) for n, share in enumerate(shares)]
        return importance_figure({"blind/score": rows}, "t", "f").png

    high = Share(0.6, True)
    pictures = [
        drawn(high), drawn(dataclasses.replace(high, stands_out=False)), drawn(Share(0.3, True)),
        drawn(None), drawn(high, high),
    ]  # fmt: skip
    assert len(set(pictures)) == len(pictures)


def test_no_parameter_cannot_be_drawn():
    with pytest.raises(InputError, match="at least one parameter"):
        importance_figure({"blind/score": []}, "t", "f")
