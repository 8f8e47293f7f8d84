"""What one cluster leaves at an address, another goes on with; the driver runs without Ray here."""

import json
import shutil

import pytest
from one_process import Lost, Machine

from uda_study.engine import shared_journal
from uda_study.engine.job import Home
from uda_study.engine.journal import JOURNAL, Finished, Journal, Started
from uda_study.errors import InputError, StoreError

pytestmark = pytest.mark.usefixtures("no_pictures")


def results(home: Home, study: str) -> dict:
    """Return what the journal says every training came to, but for seconds."""
    found = {}
    for event in Journal(home.study(study) / JOURNAL).events():
        if isinstance(event, Finished):
            assert event.result.key not in found, "done twice"
            scores = {n: v for n, v in event.result.scores.items() if not n.startswith("cost/")}
            found[event.result.key] = (event.result.status, event.result.step, scores)
    return found


def interrupt_after(count: int, machine: Machine) -> Machine:
    def at(number: int) -> None:
        if number == count:
            machine.foreman.halt = "interrupted"

    machine.at = at
    return machine


def test_a_study_goes_on_in_an_empty_home_to_the_same_end(tmp_path, tiny, bucket, undisturbed):
    first, second = (Home(tmp_path / name, bucket.address) for name in "ab")
    one, other = interrupt_after(3, Machine()), Machine()
    outcome = one.go(tiny, first)
    assert outcome.status == "interrupted"
    ended = other.go(tiny, second)
    assert ended.status == "complete"
    home, alone = undisturbed
    assert results(second, ended.study) == results(home, alone.study)
    assert len(one.trained) == 3
    assert sorted(one.trained + other.trained) == sorted(results(home, alone.study))
