"""What the room gives is what Ray reserves, of one GPU that Ray only counts."""

import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
import ray
from ray import tune
from ray.tune.execution.placement_groups import resource_dict_to_pg_factory
from simulation import make_queue

from uda_study.engine.journal import Journal
from uda_study.engine.packing import Machine
from uda_study.engine.room import Room
from uda_study.engine.trial import write_result
from uda_study.engine.tuning import Foreman, HaltStopper, QueueScheduler, QueueSearcher
from uda_study.study.model import ResourcesSpec
from uda_study.study.trial import TrialResult, TrialSpec
from uda_study.testing.fakes import MemoryRunLog

pytestmark = pytest.mark.ray


def sleeper(folder: Path) -> Callable[[dict], None]:
    """Return a training that does nothing; a function of a function, so that it travels whole."""

    def train(config: dict) -> None:
        spec = TrialSpec.from_json(config["spec"])
        place = folder / spec.key
        place.mkdir(parents=True)
        began = time.time()
        scores = {
            "blind/score": 0.5,
            "blind/entropy": -1.0,
            "cost/gpu_memory_bytes": 30e9,
            "cost/gpu_total_bytes": 80e9,
            "cost/gpu_share": config["granted"]["gpu"],
        }
        tune.report({"step": 8, **scores})
        write_result(place, TrialResult(spec.key, "complete", 8, scores))
        reserved = ray.get_runtime_context().get_assigned_resources()
        seen = [spec.method, config["share"], reserved, began]
        (place / "seen.json").write_text(json.dumps(seen))

    return train


def test_ray_reserves_what_the_room_gives(job, tmp_path, monkeypatch):
    for name, value in {
        "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
        "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
        "RAY_AIR_NEW_OUTPUT": "0",
        "RAY_USAGE_STATS_ENABLED": "0",
    }.items():
        monkeypatch.setenv(name, value)
    queue = make_queue(cells=1, num_samples=2)
    journal = Journal(tmp_path / "journal.jsonl")
    foreman = Foreman(job, queue, journal, MemoryRunLog(), lambda _: {}, lambda: None)
    foreman.room = Room(ResourcesSpec(), Machine(2, 1))
    ray.init(
        address="local", num_cpus=2, num_gpus=1, include_dashboard=False, log_to_driver=False,
        object_store_memory=80 * 2**20, _node_ip_address="127.0.0.1",
    )  # fmt: skip
    try:
        tune.Tuner(
            tune.with_resources(
                sleeper(job.folder / "trials"),
                lambda config: resource_dict_to_pg_factory(config["share"]),
            ),
            tune_config=tune.TuneConfig(
                search_alg=QueueSearcher(foreman),
                scheduler=QueueScheduler(foreman),
                num_samples=-1,
                max_concurrent_trials=foreman.room.at_once,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name=uuid.uuid4().hex[:8],
                storage_path=str(tmp_path / "ray"),
                stop=HaltStopper(foreman),
                verbose=0,
            ),
        ).fit()
    finally:
        ray.shutdown()
    assert queue.done
    files = (job.folder / "trials").glob("*/seen.json")
    seen = sorted((json.loads(file.read_text()) for file in files), key=lambda one: one[3])
    assert len(seen) == len(queue.results) == 2 + 2 + 2 + 2
    for method in ("no_adaptation", "dam", "target_supervised"):
        gpus = [share["gpu"] for name, share, *_ in seen if name == method]
        assert gpus == [1.0] + [0.5] * (len(gpus) - 1)
    for _, share, reserved, *_ in seen:
        assert reserved.get("GPU") == share["gpu"]
