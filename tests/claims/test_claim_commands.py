"""``uda-study claims`` as a terminal runs it, without training."""

import json
import sys

import pytest

from uda_study.claims.finding import Finding
from uda_study.claims.ledger import claims
from uda_study.claims.runner import write_verdict
from uda_study.cli import app


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Return exit code and stdout of a command with a home of its own."""

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["uda-study", "claims", *words, "--home", str(tmp_path)])
        with pytest.raises(SystemExit) as ended:
            app.main()
        return ended.value.code or 0, capsys.readouterr()

    return run


@pytest.fixture
def judged(tmp_path):
    write_verdict(tmp_path, claims()[2], Finding("contradicted", {"x": 1}, "it fell"), ["s-0000"])


@pytest.mark.usefixtures("judged")
def test_the_list_has_all_claims_and_known_verdicts(call):
    code, shown = call("list")
    assert code == 0
    lines = shown.out.splitlines()[1:]
    assert [line.split()[0] for line in lines] == [str(claim.number) for claim in claims()]
    assert [line.split()[-1] for line in lines if line.startswith("3 ")] == ["contradicted"]
    _, told = call("list", "--json")
    entries = json.loads(told.out)
    assert {e["number"]: e["verdict"] for e in entries if e["verdict"]} == {3: "contradicted"}
    assert entries[0]["rule"]["kind"] == "shrinking_divergence"


@pytest.mark.usefixtures("judged")
def test_the_page_says_what_was_found(call):
    code, shown = call("page")
    assert code == 0
    assert "| contradicted |" in shown.out
    assert "- **Found**: it fell." in shown.out


def test_an_unknown_number_is_refused_before_anything_is_trained(call, tmp_path):
    code, shown = call("run", "12")
    assert code == 2
    assert "claim: unknown number" in shown.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("verdict", "code"), [("reproduced", 0), ("inconclusive", 1), ("contradicted", 1)]
)
def test_the_gate_fails_unless_its_claims_are_reproduced(call, monkeypatch, verdict, code):
    asked = []

    def judge(self, wanted):
        for claim in wanted:
            asked.append(claim.number)
            finding = Finding(verdict, {}, "so it is")
            write_verdict(self.home.path, claim, finding, [])
            yield claim, finding

    monkeypatch.setattr("uda_study.claims.runner.Runner.judge", judge)
    ended, shown = call("run", "--gate", "--json")
    assert ended == code
    assert asked == [1, 2, 6, 10]
    assert {found["verdict"] for found in json.loads(shown.out).values()} == {verdict}
    ended, shown = call("run", "3", "1")
    assert ended == 0
    assert verdict in shown.out
