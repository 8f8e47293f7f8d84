"""A study on several hosts that Ray's launcher made one cluster of."""

import json

import pytest
from own_machines import OwnMachines, own_machines, wait_until

from uda_study.engine.placement import read_places

pytestmark = pytest.mark.ray

STUDY = """\
version: 1
name: hosts
method: dam
matrix: {dam.depth: [g2], direction: [mr->ct]}
data:
  dataset: phantom
  options: {subjects: 5, shape: [32, 32, 4], spacing: [7, 7, 14]}
search: {alg: tpe, num_samples: 6, seed: 0}
scheduler: {type: none}
confirm: {top_k: 1, seeds: [1, 2]}
baselines: []
evaluation: {every: 10, images: 4}
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
  steps: 120
"""


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    with own_machines(tmp_path_factory.mktemp("m"), workers=2) as machines:
        addresses = [host.address for host in machines.hosts]
        wait_until(lambda: machines.alive() == addresses, 180)
        yield machines


def events(home, study="hosts") -> list[dict]:
    """Return the journal's events; a line that is just being written is left for later."""
    journals = list(home.glob(f"studies/{study}-*/journal.jsonl"))
    text = journals[0].read_text() if journals else ""
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def of_kind(found, kind) -> list[dict]:
    return [event for event in found if event["event"] == kind]


def statuses(found) -> dict[str, str]:
    return {
        event["result"]["key"]: event["result"]["status"] for event in of_kind(found, "finished")
    }


def places(home, key, rank=0) -> list[str]:
    (folder,) = home.glob(f"studies/*/trials/{key}")
    return [node for node, _ in read_places(folder, rank)]


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


def test_the_processes_of_one_training_may_lie_on_two_hosts(machines: OwnMachines):
    (machines.home / "pairs.yaml").write_text(STUDY.replace("name: hosts", "name: pairs"))
    few = ("resources.num_workers=2", "search.num_samples=1", "confirm.seeds=[1]")
    settings = (*few, "parameters.steps=10")
    outcome = machines.ended(machines.start_study(machines.home / "pairs.yaml", *settings))
    assert outcome["status"] == "complete"
    ended = statuses(events(machines.home, "pairs"))
    assert list(ended.values()) == ["complete"] * 2
    for key in ended:
        ranks = [places(machines.home, key, rank) for rank in (0, 1)]
        assert len({ranks[0][-1], ranks[1][-1]}) == 2
