"""The claims of the papers: each has a file, and its rule looks at what its studies train."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from uda_study.claims.evidence import Evidence
from uda_study.claims.finding import Finding
from uda_study.claims.ledger import FOLDER, chosen, claims, study_path
from uda_study.claims.page import page, verdict_of
from uda_study.claims.runner import judged, read_verdicts, write_verdict
from uda_study.errors import InputError, StoreError
from uda_study.study.cells import baseline_cells, cells
from uda_study.study.hyper import flatten_hyper, load_method, resolve_hyper
from uda_study.study.validate import load_study

CLAIMS = claims()
PAGE = (Path(__file__).parents[2] / "docs" / "claims.md").read_text()


def trained(name):
    """Return the method and all settings of every arm that a study trains."""
    spec = load_study(study_path(name)).spec
    for cell in (*cells(spec), *baseline_cells(spec)):
        hyper = resolve_hyper(load_method(cell.method), cell.constants)
        yield {**flatten_hyper(hyper), "method": cell.method}, spec


def test_there_are_eleven_claims_and_four_gates():
    assert [claim.number for claim in CLAIMS] == list(range(1, 12))
    assert [claim.number for claim in CLAIMS if claim.gate] == [1, 2, 6, 10]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: str(claim.number))
def test_every_arm_of_a_rule_is_trained_by_one_of_its_studies_on_all_seeds(claim):
    arms = [arm for name in claim.studies for arm in trained(name)]
    for wanted in claim.rule.arms:
        found = [spec for arm, spec in arms if wanted.items() <= arm.items()]
        assert found, wanted
        assert set(claim.rule.seeds) <= set(found[0].confirm.seeds)
    # Arms of several studies are paired by subject: they must see the same data.
    assert len({spec.data.model_dump_json() for _, spec in arms}) == 1


def test_the_gates_share_a_study():
    names = {claim.number: claim.studies for claim in CLAIMS}
    assert names[1] == names[2] == names[10] == ("translation",)


def test_every_study_belongs_to_a_claim():
    used = {name for claim in CLAIMS for name in claim.studies}
    assert used == {path.stem for path in (FOLDER / "studies").glob("*.yaml")}


def test_metrics_that_are_not_measured_by_default_are_asked_for():
    for claim in CLAIMS:
        metric = getattr(claim.rule, "metric", "dice")
        if metric in {"gradient_correlation", "sensitivity_mse"}:
            for name in claim.studies:
                assert metric in load_study(study_path(name)).spec.evaluation.metrics


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: str(claim.number))
def test_the_page_has_every_claim_with_a_verdict_and_its_command(claim):
    row = re.search(rf"^\| {claim.number} \| (.*) \| (.*) \|$", PAGE, re.MULTILINE)
    assert row
    assert row[1].removesuffix(" *gate*") == claim.claim
    assert row[2] in {"reproduced", "contradicted", "inconclusive", "not run"}
    assert f"## {claim.number}: {row[2]}\n" in PAGE
    assert f"`uda-study claims run {claim.number}`" in PAGE


def test_the_page_differs_from_a_new_one_in_verdicts_alone():
    """Thresholds and sentences cannot change without the page's being made anew."""
    fresh = page(CLAIMS, {})
    shown = re.sub(r"^- \*\*Found\*\*: .*\n", "", PAGE, flags=re.MULTILINE)
    words = r"(?<=\| |: )(reproduced|contradicted|inconclusive|not run)(?= \||\n)"
    assert re.sub(words, "?", shown) == re.sub(words, "?", fresh)


def test_a_file_with_mistakes_lists_them_all(tmp_path):
    ledger = tmp_path / "ledger"
    ledger.mkdir()
    text = (FOLDER / "ledger" / "02_beats_no_adaptation.yaml").read_text()
    ledger.joinpath("02.yaml").write_text(text.replace("at_least: 0.5", "at_leest: 0.5"))
    ledger.joinpath("01.yaml").write_text(text)
    ledger.joinpath("03.yaml").write_text(text.replace("question:", "quest:"))
    with pytest.raises(InputError) as error:
        claims(tmp_path)
    text = str(error.value)
    assert "at_leest" in text
    assert "03.yaml" in text
    assert "no such study" in text


def test_claims_are_chosen_by_number():
    assert [claim.number for claim in chosen([6, 2, 6], CLAIMS)] == [2, 6]
    assert chosen([], CLAIMS) == CLAIMS
    with pytest.raises(InputError, match="12"):
        chosen([12], CLAIMS)


def test_verdicts_are_kept_beside_each_other_and_replaced(tmp_path):
    first = Finding("reproduced", {"ratio": 2.0}, "twice as much")
    write_verdict(tmp_path, CLAIMS[9], first, ["claims_x-1234"])
    write_verdict(tmp_path, CLAIMS[1], first, ["claims_x-1234"])
    write_verdict(tmp_path, CLAIMS[9], Finding("contradicted", {}, "no"), ["claims_x-1234"])
    verdicts = read_verdicts(tmp_path)
    assert list(verdicts) == ["2", "10"]
    assert [verdict_of(CLAIMS[n], verdicts) for n in (0, 1, 9)] == [
        "not run", "reproduced", "contradicted",
    ]  # fmt: skip
    assert verdicts["2"]["rule"]["at_least"] == 0.5
    assert verdicts["2"]["versions"]["uda-study"]
    assert "| 2 | " in page(CLAIMS, verdicts)
    assert "- **Found**: twice as much." in page(CLAIMS, verdicts)


def test_damaged_verdicts_are_an_error_that_says_what_to_do(tmp_path):
    (tmp_path / "claims.json").write_text("{")
    with pytest.raises(StoreError, match="delete it"):
        read_verdicts(tmp_path)


def test_what_was_not_measured_is_inconclusive():
    runs = pd.DataFrame(columns=["status", "kind", "seed", "key", "method", "params"])
    found = judged(CLAIMS[1], Evidence(runs, pd.DataFrame()))
    assert found.verdict == "inconclusive"
    assert "no finished training of seed 1" in found.sentence
    assert json.dumps(found.figures) == "{}"
