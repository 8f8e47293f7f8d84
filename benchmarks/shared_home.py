"""What an address costs a training: seconds, requests and bytes, against a home without one.

    python benchmarks/shared_home.py [--rounds 4] [--trainings 6] [--file STUDY.yaml] [--set K=V]

Runs of the study without and with an S3 server on this machine take turns, driver and trainings in
one process and the server in another; the first two trainings of each run, which make segmenters
and fetch the images, are left out. Without a file it is the study of the tests.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "storage"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "e2e"))

from one_process import Machine
from s3_bucket import serving
from tiny_study import STUDY

from uda_study.engine.job import Home
from uda_study.study.source import SourcedStudy
from uda_study.study.validate import load_study

LEFT_OUT = 2
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "benchmark",
    "AWS_SECRET_ACCESS_KEY": "benchmark",
    "AWS_DEFAULT_REGION": "us-east-1",
    "OMP_NUM_THREADS": "1",
}


def serve(calls: Connection) -> None:
    """Keep a bucket; answer every message with its counts so far, end at None."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with serving() as server:
        bucket = server.bucket()
        calls.send((bucket.endpoint, bucket.name))
        while calls.recv() is not None:
            calls.send((dict(bucket.requests), bucket.received))


def timed(sourced: SourcedStudy, home: Home, calls: Connection) -> dict[str, Any]:
    """Run the study and return seconds per training, and requests and bytes after `LEFT_OUT`."""
    home.create()
    moments: list[float] = []
    counts: list[tuple[dict[str, int], int]] = []

    def at(_: int) -> None:
        moments.append(time.monotonic())
        calls.send("counts")
        counts.append(calls.recv())

    assert Machine(at=at).go(sourced, home).status == "complete"
    first, last, number = counts[LEFT_OUT - 1], counts[-1], len(moments) - LEFT_OUT
    return {
        "seconds": (moments[-1] - moments[LEFT_OUT - 1]) / number,
        "requests": {
            name: round((last[0][name] - first[0].get(name, 0)) / number, 1) for name in last[0]
        },
        "megabytes": round((last[1] - first[1]) / number / 1e6, 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--trainings", type=int, default=6)
    parser.add_argument("--file", type=Path)
    parser.add_argument("--set", action="append", default=[], dest="settings")
    arguments = parser.parse_args()
    os.environ.update(ENVIRONMENT)
    context = multiprocessing.get_context("spawn")
    calls, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,))
    server.start()
    endpoint, bucket = calls.recv()
    os.environ["AWS_ENDPOINT_URL_S3"] = endpoint
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            file = arguments.file or folder / "tiny.yaml"
            few = arguments.settings
            if arguments.file is None:
                file.write_text(STUDY)
                few = ["matrix.dam.depth=[g2]", "scheduler.type=none", "confirm.seeds=[1]", *few]
            few.append(f"search.num_samples={arguments.trainings + LEFT_OUT - 2}")
            sourced = load_study(file, [*few, "baselines=[no_adaptation]"])
            alone, shared = [], []
            for turn in range(arguments.rounds):
                alone.append(timed(sourced, Home(folder / f"alone{turn}"), calls))
                home = Home(folder / f"shared{turn}", f"s3://{bucket}/{turn}")
                shared.append(timed(sourced, home, calls))
    finally:
        calls.send(None)
        server.join()
    ratios = [b["seconds"] / a["seconds"] for a, b in zip(alone, shared, strict=True)]
    found = {
        "seconds_alone": round(statistics.median(one["seconds"] for one in alone), 2),
        "seconds_shared": round(statistics.median(one["seconds"] for one in shared), 2),
        "ratio": round(statistics.median(ratios), 2),
        "ratios": [round(ratio, 2) for ratio in ratios],
        "requests_per_training": shared[-1]["requests"],
        "megabytes_sent_per_training": shared[-1]["megabytes"],
    }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
