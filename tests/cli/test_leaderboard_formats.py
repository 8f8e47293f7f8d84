"""How ``uda-study leaderboard`` writes: its formats, to a file or to the terminal."""

import csv
import io
import json
from pathlib import Path

import pytest

from uda_study.cli import leaderboard as command
from uda_study.study.trial import Cell, TrialResult, TrialSpec
from uda_study.tracking import boards, query
from uda_study.tracking.log import MlflowRunLog
from uda_study.tracking.store import open_store
from uda_study.types import Direction

TAGS = {
    "dataset": "phantom", "selection": "blind/score", "protocol": "strict", "seeds": "1,2",
    "git_commit": "abc123", "data_sha": "91ac",
}  # fmt: skip
FORMATS = ("table", "csv", "md", "latex", "html", "json")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of a study of two cells, each searched and confirmed."""
    home = tmp_path_factory.mktemp("home")
    folder = home / "study"
    cells = [Cell(f"depth={d}", "dam", Direction("mr", "ct"), {"depth": d}, {}) for d in (3, 5)]
    log = MlflowRunLog(home, supervision=lambda _: "images")
    folder.mkdir()
    log.open("toy-1", folder, cells, TAGS)
    for place, cell in enumerate(cells):
        trainings = [("search", n, 0, 0.5 + n / 10) for n in range(3)]
        trainings += [("confirm", 0, seed, 0.6 + place / 10 + seed / 100) for seed in (1, 2)]
        for kind, number, seed, dice in trainings:
            spec = TrialSpec("toy-1", kind, cell.key, number, "dam", "mr->ct", 0, seed, {})  # type: ignore[arg-type]
            place_of = folder / "trials" / spec.key
            place_of.mkdir(parents=True)
            lines = [f"c{n},c{n},target_test,heart,dice,after,{dice + n / 50}" for n in range(7)]
            head = "case,subject,role,structure,metric,phase,value"
            (place_of / "cases.csv").write_text("\n".join([head, *lines]) + "\n")
            log.trial_started(spec, {"lr": number})
            scores = {"blind/score": 0.9 - number / 10, "blind/snd": number, "oracle/dice": dice}
            log.trial_finished(spec, TrialResult(spec.key, "complete", 1, scores), place_of)
    log.close("complete")
    return home


@pytest.fixture
def show(call, home: Path):
    return lambda *words: call("leaderboard", "toy-1", "--home", home, *words)


def read(kind: str, text: str) -> None:
    """Fail unless the text is of that format."""
    if kind == "json":
        json.loads(text)
    elif kind == "csv":
        assert len({len(line) for line in csv.reader(io.StringIO(text))}) == 1
    else:
        begin = {"table": "phantom mr", "md": "### ", "latex": "% ", "html": "<!doctype html>"}
        assert text.startswith(begin[kind])


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("words", [(), ("--by", "method"), ("--by", "trial"), ("--select", "snd")])
def test_every_view_can_be_had_in_every_format(show, kind, words):
    ended = show("--format", kind, *words)
    assert ended.code == 0
    read(kind, ended.out)
    assert "depth=" in ended.out


@pytest.mark.parametrize("kind", ["table", "csv", "md", "json"])
def test_the_rules_prices_can_be_had_in_formats_of_tables(show, kind):
    ended = show("--rules", "--format", kind)
    assert ended.code == 0
    assert "published" in ended.out
    if kind in ("csv", "json"):
        read(kind, ended.out)


@pytest.mark.parametrize("kind", ["latex", "html"])
def test_the_rules_prices_are_refused_in_others(show, kind):
    ended = show("--rules", "--format", kind)
    assert ended.code == 2
    assert "--rules: cannot be written in this format" in ended.err


@pytest.mark.parametrize(("ending", "kind"), list(command.ENDINGS.items()))
def test_a_file_has_what_its_ending_says_and_what_would_be_printed(show, tmp_path, ending, kind):
    ended = show("-o", tmp_path / f"board{ending}")
    assert (ended.code, ended.out) == (0, "")
    written = (tmp_path / f"board{ending}").read_text()
    read(kind, written)
    assert written == show("--format", kind).out
    assert [path.name for path in tmp_path.iterdir()] == [f"board{ending}"]


def test_a_format_that_is_given_outweighs_the_ending(show, tmp_path):
    show("-o", tmp_path / "board.txt", "--format", "csv")
    read("csv", (tmp_path / "board.txt").read_text())


def test_what_is_wrong_with_a_file_is_said_before_anything_is_read(call, tmp_path):
    ended = call("leaderboard", "none", "-o", tmp_path / "no" / "board.doc", "--home", tmp_path)
    assert ended.code == 2
    assert "its ending tells no format, got 'board.doc'" in ended.err
    assert "must be a file in a folder that exists" in ended.err
    assert list(tmp_path.iterdir()) == []


def test_a_file_stays_as_it_was_when_the_leaderboard_fails(call, home, tmp_path):
    (tmp_path / "board.md").write_text("old")
    assert call("leaderboard", "tyo", "-o", tmp_path / "board.md", "--home", home).code == 2
    assert (tmp_path / "board.md").read_text() == "old"


def test_another_rule_chooses_what_was_never_confirmed(show):
    row = json.loads(show("--select", "snd", "--json").out)["tables"][0]["rows"][0]
    assert (row["verdict"], row["n_seeds"]) == ("provisional", 1)
    assert row["scores"]["dice"]["mean"] == pytest.approx(0.7 + 3 / 50)


def test_the_worst_cases_link_to_pictures_of_their_training(show, home):
    row = json.loads(show("--json").out)["tables"][0]["rows"][0]
    assert [case["case"] for case in row["worst"]] == ["c0", "c1", "c2"]
    picture = Path(row["worst"][0]["overlays"])
    assert picture.name == "overlays.png"
    assert (picture.parent / "cases.csv").is_file()
    assert picture.is_relative_to(home)


def test_only_the_cases_that_are_needed_are_read(home, monkeypatch):
    fetched: list[str] = []
    fetch = query.fetch
    monkeypatch.setattr(
        query, "fetch", lambda c, run, *rest: fetched.append(run) or fetch(c, run, *rest)
    )
    boards.read_board(open_store(home), ["toy-1"])
    # Of each cell two confirmations, the chosen trial and the oracle's.
    assert len(fetched) == 8
