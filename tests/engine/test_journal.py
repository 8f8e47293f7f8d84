import json

import pytest

from uda_study.engine.journal import Finished, Journal, Reported, Started
from uda_study.errors import StoreError
from uda_study.study.trial import TrialResult, TrialSpec

SPEC = TrialSpec(
    "tiny-1", "search", "depth=g2 direction=mr->ct", 3, "dam", "mr->ct", 0, 7,
    {"optim.lr": 1e-05, "depth": "g2", "align.clip": None, "levels": ["g1", 2]},
)  # fmt: skip
EVENTS = [
    Started(SPEC),
    Reported(SPEC.key, 10, {"blind/score": 0.1 + 0.2, "blind/entropy": -1e-300}),
    Finished(TrialResult(SPEC.key, "complete", 20, {"test/dice": 0.5}, None)),
    Finished(TrialResult("other", "diverged", 3, {}, "the loss of 'critic' is not finite: ü")),
]


@pytest.fixture
def journal(tmp_path) -> Journal:
    journal = Journal(tmp_path / "journal.jsonl")
    for event in EVENTS:
        journal.write(event)
    return journal


def test_all_events_come_back_as_they_were_written(journal):
    assert journal.events() == EVENTS
    assert journal.events()[0].spec.key == SPEC.key


def test_a_journal_that_was_never_written_is_empty(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.repair()
    assert journal.events() == []
    assert list(tmp_path.iterdir()) == []


def test_a_last_line_that_was_cut_off_anywhere_is_dropped(journal):
    whole = journal.path.read_bytes()
    last = whole.rstrip(b"\n").rfind(b"\n") + 1
    for cut in range(last, len(whole)):
        journal.path.write_bytes(whole[:cut])
        assert journal.events() == EVENTS[:3]
        journal.repair()
        journal.write(EVENTS[3])
        assert journal.path.read_bytes() == whole


def test_repair_leaves_a_whole_journal_alone(journal):
    whole = journal.path.read_bytes()
    journal.repair()
    assert journal.path.read_bytes() == whole


@pytest.mark.parametrize(
    "line",
    [
        b'{"event": "repo',
        b"\x80\xff\x00",
        b"[]",
        b"1",
        b'"finished"',
        b"{}",
        b'{"event": "paused"}',
        b'{"event": "started", "spec": {"study": "tiny"}}',
        b'{"event": "finished", "result": null}',
        b'{"event": "reported", "key": "a", "wrong": 1}',
    ],
)
def test_damage_anywhere_else_names_the_line_and_the_remedy(journal, line):
    lines = journal.path.read_bytes().split(b"\n")
    lines[1] = line
    journal.path.write_bytes(b"\n".join(lines))
    with pytest.raises(StoreError, match=r"journal\.jsonl:2: the line is damaged.*remove the line"):
        journal.events()


def test_every_event_is_one_line_of_json(journal):
    lines = journal.path.read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines] == [
        "started", "reported", "finished", "finished",
    ]  # fmt: skip
