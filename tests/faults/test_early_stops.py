"""A training that is stopped early has an end in the journal, even if nobody lived to write it."""

import stub_training

from uda_study.engine import run
from uda_study.engine.job import Home
from uda_study.engine.journal import Finished, Journal
from uda_study.engine.run import Options, run_study
from uda_study.testing.fakes import MemoryRunLog


def test_a_stop_that_was_decided_before_a_crash_is_written_down_by_the_next_run(
    study, home, monkeypatch
):
    monkeypatch.setattr(run, "_tune", stub_training.one_after_another)
    run_study(study, Home(home), MemoryRunLog(), Options())
    journal = Journal(home / "studies" / study.id / "journal.jsonl")
    events = journal.events()
    place, end = next(
        (place, event)
        for place, event in enumerate(events)
        if isinstance(event, Finished) and event.result.status == "pruned"
    )
    lines = journal.path.read_bytes().splitlines(keepends=True)
    journal.path.write_bytes(b"".join(lines[:place]))
    log = MemoryRunLog()
    assert run_study(study, Home(home), log, Options()).status == "complete"
    ends = [event.result for event in journal.events() if isinstance(event, Finished)]
    assert ends.count(end.result) == 1
    assert len({result.key for result in ends}) == len(ends) == len(log.finished) == 16
