"""A training that only sleeps and reports, in place of the one that Tune starts for a study."""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray import tune

from uda_study.engine.job import Job
from uda_study.study.trial import TrialSpec

METRIC, STEPS = "blind/score", (2, 4, 6, 8)
VALIDATORS = ("blind/entropy", "blind/entropy_fg", "blind/consistency")
SCORES = 12
TIMES = "times.jsonl"


class StubJob(Job):
    """A job of which a training is sent the folder alone: it needs no images, and so no torch."""

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (str(self.folder / "trials"),)


def sleeper(seconds: float) -> Callable[[dict[str, Any], Any], None]:
    """Return a training of about so many seconds in four parts, with a report after each.

    It lies in a function, so that it travels whole: its machine has no benchmarks.
    """
    steps, metric, validators, count, times = STEPS, METRIC, VALIDATORS, SCORES, TIMES

    def train(config: dict[str, Any], job: str) -> None:
        spec = TrialSpec.from_json(config["spec"])
        chance = random.Random(spec.key)
        part = seconds * chance.uniform(0.8, 1.2) / len(steps)
        folder = Path(job) / spec.key
        (folder / "model").mkdir(parents=True)
        best, began = chance.uniform(-1, 1), time.time()
        scores: dict[str, float] = {}
        for step in steps:
            since = time.time()
            time.sleep(part)
            line = {"from": since, "to": time.time(), "pid": os.getpid(), "kind": spec.kind}
            with (folder / times).open("a") as file:
                file.write(json.dumps(line) + "\n")
            scores = {metric: best * step / 8}
            scores |= {name: chance.uniform(-1, 1) for name in validators}
            scores |= {f"blind/value_{n}": chance.random() for n in range(count - len(scores))}
            tune.report({"step": step, **scores})
        scores["cost/seconds"] = time.time() - began
        (folder / "cases.csv").write_text("case,structure,metric,value\n" * 40)
        result = {"key": spec.key, "status": "complete", "step": steps[-1], "scores": scores}
        (folder / "result.json").write_text(json.dumps(result))

    return train


def times_of(trials: Path) -> list[dict[str, Any]]:
    """Return when each part of each training ran, in seconds since 1970."""
    found = []
    for path in trials.glob(f"*/{TIMES}"):
        for line in path.read_text().splitlines():
            found.append({"key": path.parent.name, **json.loads(line)})
    return found
