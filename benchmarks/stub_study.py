"""Drives one study of trainings that sleep and report, on a Ray that exists; see tune_scale.py."""

from __future__ import annotations

import argparse
import cProfile
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from driver_watch import Watched, busy_share
from stub_training import StubJob, sleeper, times_of

from uda_study.engine import run
from uda_study.engine.job import Home
from uda_study.engine.journal import JOURNAL
from uda_study.engine.packing import Machine
from uda_study.engine.progress import Progress
from uda_study.engine.setup import Study, prepare_study
from uda_study.study.runlog import StudyStatus
from uda_study.study.trial import Cell
from uda_study.study.validate import load_study
from uda_study.testing.fakes import STUDY, write_tiny_study
from uda_study.tracking.log import MlflowRunLog

CELLS = 4


class WatchedLog(MlflowRunLog):
    """The run log of a study, and what it and the driver take."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.done = 0
        self.closing_s = 0.0
        self.watched: Watched | None = None

    def open(
        self, study: str, folder: Path, cells: Sequence[Cell], tags: Mapping[str, str]
    ) -> None:
        super().open(study, folder, cells, tags)
        self.watched = Watched(self._writer, lambda: self.done)

    def close(self, status: StudyStatus) -> None:
        if self.watched is not None:
            self.watched.end()
        began = time.monotonic()
        super().close(status)
        self.closing_s = time.monotonic() - began

    def note(self, progress: Progress) -> None:
        """Take in how far the study is."""
        self.done = progress.done


def prepare(folder: Path, trials: int, alg: str) -> tuple[Study, Home]:
    """Return a study of four cells that together search so many trials, and an empty home."""
    home = Home(folder / "home")
    home.create()
    (folder / "data").mkdir()
    text = STUDY.replace("[mr->ct]", "[mr->ct, ct->mr]")
    settings = [f"search.num_samples={trials // CELLS}", f"search.alg={alg}", "resources.gpu=0"]
    study = prepare_study(load_study(write_tiny_study(folder / "data", text), settings), home)
    if len(study.cells) != CELLS:
        raise AssertionError(f"{len(study.cells)} cells")
    return study, home


def drive(arguments: argparse.Namespace) -> dict[str, Any]:
    """Run one study on the cluster and say how it went."""
    study, home = prepare(arguments.folder, arguments.trials, arguments.alg)
    run.train_in_trial = sleeper(arguments.seconds)
    run.Job = StubJob
    slots: list[int] = []
    pack = run.pack

    def packed(resources: Any, machine: Machine, most: int | None) -> Any:
        slots.append(pack(resources, machine, most).at_once)
        return pack(resources, machine, most)

    run.pack = packed
    log = WatchedLog(home.path)
    began, cpu = time.monotonic(), time.process_time()
    outcome = run.run_study(study, home, log, run.Options(arguments.address, watch=log.note))
    wall, cpu = time.monotonic() - began, time.process_time() - cpu
    count = sum(outcome.trials.values())
    journal = home.study(study.id) / JOURNAL
    return {
        "seconds": arguments.seconds,
        "status": outcome.status,
        "trainings": count,
        "pruned": outcome.trials["pruned"],
        **busy_share(times_of(home.study(study.id) / "trials"), slots[0]),
        "wall_s": round(wall),
        "driver_cpu_s": round(cpu, 1),
        "driver_cpu_ms_per_training": round(1000 * cpu / count, 1),
        **(log.watched.figures() if log.watched else {}),
        "mlflow_closing_s": round(log.closing_s, 1),
        "journal_bytes_per_training": round(journal.stat().st_size / count),
    }


def main() -> None:
    """Print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("folder", type=Path)
    parser.add_argument("seconds", type=float)
    parser.add_argument("trials", type=int)
    parser.add_argument("alg")
    parser.add_argument("--profile", type=Path)
    arguments = parser.parse_args()
    arguments.folder.mkdir()
    profile = cProfile.Profile()
    if arguments.profile:
        profile.enable()
    found = drive(arguments)
    if arguments.profile:
        profile.disable()
        profile.dump_stats(arguments.profile)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
