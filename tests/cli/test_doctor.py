import pytest

from uda_study.cli import doctor
from uda_study.errors import StoreError


@pytest.fixture(autouse=True)
def no_database(monkeypatch) -> None:
    """A database takes seconds to set up."""
    monkeypatch.setattr(doctor, "_tracking", lambda home: f"sqlite:///{home}/mlflow.db")


def test_findings_are_one_document(call, study_file):
    ended = call("doctor", study_file, "--json")
    findings = {finding["what"]: finding for finding in ended.json}
    assert set(findings) >= {"python", "memory", "disk", "home", "torch", "ray", "tracking"}
    assert all(set(finding) == {"what", "good", "value", "remedy"} for finding in ended.json)
    assert findings["study.yaml"]["value"] == "valid, 2 cells"
    assert ended.code == (0 if all(finding["good"] for finding in ended.json) else 1)


def test_what_stands_in_the_way_is_marked_with_its_remedy(call, monkeypatch):
    def broken(home) -> str:
        raise StoreError("the database is of another version")

    monkeypatch.setattr(doctor, "_tracking", broken)
    ended = call("doctor")
    assert ended.code == 1
    assert "✗ tracking   not usable   the database is of another version" in ended.out
    assert "✓ python" in ended.out


def test_a_study_file_with_problems_is_a_finding(call, tmp_path):
    (tmp_path / "bad.yaml").write_text("version: 1\n")
    ended = call("doctor", "bad.yaml", "--json")
    finding = ended.json[-1]
    assert (finding["what"], finding["good"]) == ("bad.yaml", False)
    assert "bad.yaml:1" in finding["remedy"]
    assert ended.code == 1
