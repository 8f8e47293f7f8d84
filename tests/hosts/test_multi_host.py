"""A study on several hosts: all train, one dies, nothing is lost and nothing is done twice."""

import json
import os
import subprocess
import sys
import time
from collections import Counter

import pytest
from own_machines import ROOT, OwnMachines, own_machines, wait_until

from uda_study.engine.placement import read_places
from uda_study.study.trial import TrialSpec

pytestmark = pytest.mark.ray

# What a search draws at random does not depend on which of several trainings ends first. A training
# takes longer than a process to start: Tune gives a training that waits for a new process the next
# one that becomes free, and drops the new one, so that short ones would all stay on the head.
STUDY = """\
version: 1
name: hosts
method: dam
matrix: {dam.depth: [g2], direction: [mr->ct]}
data:
  dataset: phantom
  options: {subjects: 5, shape: [32, 32, 4], spacing: [7, 7, 14]}
search: {alg: random, num_samples: 5, seed: 0}
scheduler: {type: none}
confirm: {top_k: 1, seeds: [1, 2]}
baselines: []
evaluation: {every: 100, images: 4}
parameters:
  optim.lr: {type: float, low: 1e-5, high: 1e-3, log: true}
  segmenter.name: dilated_fcn
  segmenter.width: 2
  segmenter.steps: 4
  segmenter.batch_size: 4
  critic.input: pool
  critic.width: 4
  critic.steps: 2
  critic.warm_up: 0
  critic.growth: 0
  batch_size: 4
  steps: 600
"""
TRAININGS = 5 + 2
# Of six: there is a checkpoint, a beginning from scratch would show, and much is left to do.
REPORTS_BEFORE_THE_CUT = 2
# By the file 18 s until a silent machine counts as lost; the rest is for a slow machine.
NOTICED_S, AGAIN_S, DONE_S = 120, 200, 400
# A worker gives up 15 s after its head has gone.
GONE_S = 60


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Begin the same study on this machine alone, and give its home and its process."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "hosts.yaml").write_text(STUDY)
    words = [sys.executable, "-m", "uda_study", "run", "hosts.yaml", "--home", "home"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            words,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    yield folder / "home", process
    if process.poll() is None:
        process.terminate()
    process.wait(timeout=60)


@pytest.fixture(scope="module")
def machines(tmp_path_factory, undisturbed):
    with own_machines(tmp_path_factory.mktemp("m"), workers=2) as machines:
        wait_until(lambda: machines.alive() == addresses(machines), 180)
        yield machines


def addresses(machines) -> list[str]:
    return [host.address for host in machines.hosts]


def events(home, study="hosts") -> list[dict]:
    """Return the journal's events; a line that is just being written is left for later."""
    journals = list(home.glob(f"studies/{study}-*/journal.jsonl"))
    text = journals[0].read_text() if journals else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def of_kind(found, kind) -> list[dict]:
    return [event for event in found if event["event"] == kind]


def results(found) -> dict[str, tuple]:
    """Return what every training came to, but what it cost, to ten digits.

    A Fréchet distance may differ in its last bits from one process to the next.
    """
    return {
        result["key"]: (result["status"], result["step"], scores_of(result))
        for result in (event["result"] for event in of_kind(found, "finished"))
    }


def scores_of(result) -> dict[str, float]:
    return {
        name: rounded(v) for name, v in result["scores"].items() if not name.startswith("cost/")
    }


def rounded(value: float) -> float:
    return float(f"{value:.10g}")


def places(home, key, rank=0) -> list[tuple[str, float]]:
    (folder,) = home.glob(f"studies/*/trials/{key}")
    return read_places(folder, rank)


def victim_on(home, address) -> str | None:
    """Return a training on that host that has reported as often as it should before the cut."""
    found = events(home)
    reports = Counter(event["key"] for event in of_kind(found, "reported"))
    over = results(found)
    for key, count in reports.items():
        due = count >= REPORTS_BEFORE_THE_CUT and key not in over
        if due and [node for node, _ in places(home, key)] == [address]:
            return key
    return None


def steps_of(found, key) -> list[int]:
    return [event["step"] for event in of_kind(found, "reported") if event["key"] == key]


# What it cost, and where files lie.
ELSEWHERE = ("cost", "hours", "overlays")


def board(text) -> dict:
    """Return what a leaderboard says of the methods, to ten digits."""

    def timeless(value):
        if isinstance(value, dict):
            return {k: timeless(v) for k, v in value.items() if k not in ELSEWHERE}
        if isinstance(value, float):
            return rounded(value)
        return [timeless(one) for one in value] if isinstance(value, list) else value

    return timeless(json.loads(text))


def test_only_the_token_opens_the_cluster(machines: OwnMachines):
    ask = "curl -s -o /dev/null -m 5 -w %{http_code} "
    jobs = "http://127.0.0.1:8265/api/jobs/"
    assert machines.client_runs(machines.on_head(ask + jobs)) == "401"
    bearer = '-H "Authorization: Bearer $(cat ~/.ray/auth_token)" '
    assert machines.client_runs(machines.on_head(ask + bearer + jobs)) == "200"
    join = f"import ray; ray.init(address='{machines.head.address}:6379')"
    refused = machines.client_runs(f'RAY_AUTH_MODE=disabled timeout 90 python -c "{join}"', code=1)
    assert "ConnectionError" in refused
    # Not from another host: neither the dashboard nor the server of its agents answers there.
    for host in (machines.client, *machines.workers):
        told = host.run(f"curl -s -m 5 http://{machines.head.address}:8265/", code=7)
        assert told.stdout == ""
    token = machines.head.home(".ray", "auth_token")
    assert token.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(
    "UDA_STUDY_TEST_PAIRS" not in os.environ, reason="slow: set UDA_STUDY_TEST_PAIRS=1"
)
def test_the_processes_of_one_training_may_lie_on_two_hosts(machines: OwnMachines):
    file = machines.client.home("pairs.yaml")
    file.write_text(STUDY.replace("name: hosts", "name: pairs"))
    few = ("resources.num_workers=2", "search.num_samples=1", "confirm.seeds=[1]")
    study = machines.start_study(file, *few, "parameters.steps=10", "evaluation.every=10")
    assert study.wait(timeout=DONE_S) == 0, machines.log_of(file).read_text()
    ended = results(events(machines.home, "pairs"))
    assert [status for status, _, _ in ended.values()] == ["complete"] * 2
    for key in ended:
        ranks = [places(machines.home, key, rank) for rank in (0, 1)]
        assert len({ranks[0][-1][0], ranks[1][-1][0]}) == 2


def test_a_lost_host_loses_nothing(machines: OwnMachines, undisturbed, record_property):
    home, lost = machines.home, machines.workers[-1]
    file = machines.client.home("hosts.yaml")
    log = machines.log_of(file)
    file.write_text(STUDY)
    begun = time.time()
    study = machines.start_study(file)

    def ready() -> bool:
        assert study.poll() is None, log.read_text()
        return victim_on(home, lost.address) is not None

    wait_until(ready, DONE_S)
    victim = victim_on(home, lost.address)
    lost.lose_power()
    cut = time.time()
    before = events(home)
    assert victim not in results(before), "it was over too soon to be cut off"
    left = [address for address in addresses(machines) if address != lost.address]
    noticed = wait_until(lambda: machines.alive() == left, NOTICED_S)
    wait_until(lambda: places(home, victim)[-1][0] in left, AGAIN_S)
    assert study.wait(timeout=DONE_S) == 0, log.read_text()
    ended = time.time()

    found = events(home)
    keys = [TrialSpec.from_json(e["spec"]).key for e in of_kind(found, "started")]
    started = Counter(keys)
    finished = Counter(event["result"]["key"] for event in of_kind(found, "finished"))
    assert set(started.values()) == set(finished.values()) == {1}
    assert started.keys() == finished.keys()
    assert len(finished) == TRAININGS
    assert not of_kind(found, "failed")

    took = Counter(node for key in finished for node, _ in places(home, key))
    assert set(took) == set(addresses(machines))
    moved = [key for key in finished if len(places(home, key)) > 1]
    assert moved == [victim]
    # It went on from its checkpoint, not from its beginning.
    known = steps_of(before, victim)
    assert steps_of(found, victim)[len(known)] >= known[-1]

    # Where a training ran, and that it was cut off, is not seen in what it came to.
    alone, process = undisturbed
    assert process.wait(timeout=DONE_S) == 0, (alone.parent / "log").read_text()
    assert results(found) == results(events(alone))
    # The results have come to the client, who asks for them there.
    words = ["-m", "uda_study", "leaderboard", "hosts", "--json", "--home"]
    here = subprocess.run(
        [sys.executable, *words, str(alone)], capture_output=True, text=True, check=True
    )
    there = machines.client_runs(f"python {' '.join(words)} mine 2>/dev/null")
    assert board(there) == board(here.stdout)

    again = places(home, victim)[-1][1]
    measured = {
        "trainings begun by host": dict(took),
        "seconds until Ray noticed": round(noticed - cut, 1),
        "seconds until the training ran again": round(again - cut, 1),
        "seconds of the study": round(ended - begun, 1),
    }
    for name, value in measured.items():
        record_property(name, value)
    sys.stdout.write(f"{json.dumps(measured)}\n")


def test_down_leaves_nothing_running(machines: OwnMachines):
    left = [host for host in machines.hosts if host.alive()]
    assert all(any("raylet" in line for line in running(host)) for host in left)
    machines.client_runs("python -m uda_study cluster down local.yaml")
    for host in left:
        wait_until(lambda host=host: not running(host), GONE_S, lambda host=host: running(host))


def running(host) -> list[str]:
    """Return what runs on the host besides its SSH server and its connections."""
    return [line for line in host.processes().values() if "ssh" not in line.split()[0]]
