"""Ray Train workers that stay together and do one training after another.

Starting workers takes seconds: processes, imports, a process group, on a GPU its context. A Tune
trial that ends leaves its process to the next one, so the crew of workers that it started can stay
as well. Trial and crew talk through a board, an actor with room for one order at a time.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

import ray
import ray.train
import torch
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer, get_device

from uda_study.engine.job import Job
from uda_study.engine.room import Granted
from uda_study.engine.trial import read_result, run_trial
from uda_study.errors import TrainingError
from uda_study.study.trial import TrialSpec
from uda_study.training.ranks import Ranks
from uda_study.training.reporter import Stopped

# A worker or node that is lost costs at most one checkpoint interval, this many times.
MAX_LOSSES = 3
_PATIENCE_S = 1.0

Scores = dict[str, float]


@ray.remote(num_cpus=0)
class Board:
    """Holds the present order, its last report until it is answered, and which ranks are done."""

    def __init__(self, ranks: int) -> None:
        self.ranks = ranks
        self.number = 0
        self.order: dict[str, Any] | None = None
        self.takes = 0
        self.done: set[int] = set()
        self.report_: tuple[int, Scores] | None = None
        self.answer_: bool | None = None
        self.changed = asyncio.Condition()

    async def post(self, order: dict[str, Any]) -> int:
        """Give the crew an order and return its number; whatever was before is over."""
        async with self.changed:
            self.number += 1
            self.order, self.takes, self.done = order, 0, set()
            self.report_, self.answer_ = None, None
            self.changed.notify_all()
        return self.number

    async def take(self, after: int, rank: int) -> tuple[int, dict[str, Any], bool]:
        """Wait for an order later than ``after``; the flag says whether it was begun before."""
        async with self.changed:
            await self.changed.wait_for(lambda: self.number > after and rank not in self.done)
            self.takes += rank == 0
            return self.number, self.order or {}, self.takes > 1

    async def report(self, number: int, step: int, scores: Scores) -> bool:
        """Pass a report to the trial and wait for its answer: whether to stop."""
        async with self.changed:
            if number != self.number:
                return True
            self.report_, self.answer_ = (step, scores), None
            self.changed.notify_all()
            await self.changed.wait_for(lambda: self.answer_ is not None or number != self.number)
            return self.answer_ is not False

    async def finish(self, number: int, rank: int) -> None:
        """Note that a rank is done with the order."""
        async with self.changed:
            if number == self.number:
                self.done.add(rank)
                self.changed.notify_all()

    async def read(self, patience: float) -> tuple[int, Scores] | bool | None:
        """Return the report that waits for an answer, True once all are done, None for neither."""
        async with self.changed:
            try:
                await asyncio.wait_for(self.changed.wait_for(self._has_news), patience)
            except TimeoutError:
                return None
            return self.report_ or True

    async def answer(self, stop: bool) -> None:
        """Answer the report: go on, or stop here."""
        async with self.changed:
            self.report_, self.answer_ = None, stop
            self.changed.notify_all()

    def _has_news(self) -> bool:
        return self.report_ is not None or len(self.done) == self.ranks


@dataclass
class Crew:
    """The workers that belong to one process of Tune trials; started once, then reused."""

    board: Any
    thread: Thread
    failure: list[BaseException] = field(default_factory=list)

    @classmethod
    def start(cls, job: Job, gpus: float) -> Crew:
        """Start the workers; returns at once, orders wait until they are there."""
        resources = job.spec.resources
        board = Board.remote(resources.num_workers)  # type: ignore[attr-defined]
        trainer = TorchTrainer(
            _work,
            train_loop_config={"board": board, "job": job},
            scaling_config=ScalingConfig(
                num_workers=resources.num_workers,
                use_gpu=gpus > 0,
                resources_per_worker={"CPU": resources.cpu, **({"GPU": gpus} if gpus else {})},
            ),
            run_config=RunConfig(
                # Ray Train would take up a run of the same name; ours resume from their own files.
                name=f"crew-{uuid.uuid4().hex[:12]}",
                storage_path=str(job.folder / "ray"),
                failure_config=FailureConfig(max_failures=MAX_LOSSES),
            ),
            # NCCL refuses two ranks on one GPU, which is where two halves may come to lie.
            torch_config=TorchConfig(backend="nccl" if gpus >= 1 else "gloo"),
        )
        failure: list[BaseException] = []
        thread = Thread(target=_fit, args=(trainer, failure), daemon=True)
        crew = cls(board, thread, failure)
        thread.start()
        return crew

    def train(self, order: dict[str, Any], reporter: Any) -> None:
        """Have one training done; its reports go through ``reporter``, which may end it."""
        ray.get(self.board.post.remote(order))
        while (news := ray.get(self.board.read.remote(_PATIENCE_S))) is not True:
            if self.failure:
                raise TrainingError(f"the workers are lost: {self.failure[0]}")
            if news is None:
                continue
            try:
                reporter.report(*news)
            except BaseException:
                ray.get(self.board.answer.remote(True))
                raise
            ray.get(self.board.answer.remote(False))


def _fit(trainer: TorchTrainer, failure: list[BaseException]) -> None:
    try:
        trainer.fit()
        failure.append(TrainingError("they ended by themselves"))
    except BaseException as error:
        failure.append(error)


@dataclass(frozen=True)
class _BoardReporter:
    """Reports to the trial; on its answer all ranks go on together or stop together."""

    board: Any
    number: int
    ranks: Ranks

    def report(self, step: int, scores: Mapping[str, float]) -> None:
        stop = False
        if self.ranks.leads:
            stop = ray.get(self.board.report.remote(self.number, step, dict(scores)))
        if self.ranks.agree(stop):
            raise Stopped


def _work(config: dict[str, Any]) -> None:
    """Do one order after another; every worker runs this, from the start after a loss."""
    job: Job = config["job"]
    board = config["board"]
    torch.set_num_threads(max(1, int(job.spec.resources.cpu)))
    ranks, device, number = Ranks.current(), get_device(), 0
    while True:
        number, order, begun = ray.get(board.take.remote(number, ranks.rank))
        spec, granted = TrialSpec.from_json(order["spec"]), Granted(**order["granted"])
        stored = read_result(job.trial_folder(spec.key))
        # An order that failed by an error would fail again; one that was cut off is taken up.
        # Rank 0 decides: the others may take the order before or after it is known.
        if not ranks.agree(begun and stored is not None and stored.status == "failed"):
            with suppress(Stopped):
                run_trial(spec, job, _BoardReporter(board, number, ranks), device, ranks, granted)
        ray.get(board.finish.remote(number, ranks.rank))
