"""Seconds, parameters and peak memory of a training step of every installed method, on the CPU.

    python benchmarks/method_steps.py [--size paper] [--method NAME ...] [--set KEY=VALUE ...]

A method has a process of its own, so the peak of its resident memory is its own, imports included.
``--size paper`` takes the published hyperparameters, ``small`` those of the study methods_phantom
in search_spaces/ or of the method's own, and ``--set`` replaces some; images are random. The steps
are those of the method's own stages, and those of the segmenter's training that all methods share
only where there are no others. Warm-ups are skipped, so every step trains all players; of a
schedule it is the first step.

Where the method's own stage is a published step, that step as plain_steps.py writes it is measured
in turn with it, always in fp32; ``plain / own`` says how many times the processor time it takes.
"""

import argparse
import itertools
import json
import multiprocessing
import os
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from plain_steps import PLAIN
from rich.console import Console
from rich.table import Table
from ruamel.yaml import YAML
from torch import nn

from uda_study import plugins
from uda_study.method import Batch, Hyper, Stage
from uda_study.study.cells import baseline_cells, cells
from uda_study.study.hyper import hyper_names, load_method, resolve_hyper
from uda_study.study.trial import Cell
from uda_study.study.validate import load_study
from uda_study.testing.method_run import RandomDraws
from uda_study.training.memory import ALLOCATOR
from uda_study.training.step import Precision, Stepper, begin_stage
from uda_study.types import Task

STUDIES = Path(__file__).parents[1] / "search_spaces"
SMALL = STUDIES / "methods_phantom.yaml"
CLASSES = ("background", "organ", "lesion")
SIDES = {2: 128, 3: 32}
BATCHES = 4  # drawn beforehand; the steps see them in turn


@dataclass(frozen=True)
class Settings:
    """What all methods are measured with."""

    size: Literal["small", "paper"]
    dims: Literal[2, 3]
    side: int
    steps: int
    precision: Precision
    threads: int
    changed: tuple[str, ...]

    @property
    def task(self) -> Task:
        """The segmentation problem: one channel, three classes."""
        return Task(self.dims, 1, CLASSES, (self.side,) * self.dims, (1.0,) * self.dims)


class Cost(NamedTuple):
    """Seconds of a step by the clock and of the processor, which other load hardly touches."""

    wall: float
    cpu: float


def measure(name: str, settings: Settings) -> dict[str, Any]:
    """Return what a method costs; to be run in a process of its own."""
    torch.set_num_threads(settings.threads)
    torch.manual_seed(0)
    hyper = hyperparameters(name, settings)
    method = load_method(name)(hyper, settings.task)
    stages = method.stages()
    measured: list[dict[str, Any]] = []
    for stage in [stage for stage in stages if stage.shared is None] or stages:
        begin_stage(stage, seed=0)
        stepper = Stepper(stage.trainable, stage.name, precision=settings.precision)
        draw = draws(stage, settings.task)
        own = partial(stepper.step, draw)
        (cost,) = alternate([own], settings.steps)
        sizes = {player: trained(p.optimiser) for player, p in stepper.players.items()}
        measured.append(
            {
                "stage": stage.name,
                "batch": stage.batch_size,
                "seconds": cost.wall,
                "cpu_seconds": cost.cpu,
                "players": sizes,
            }
        )
    found = {"parameters": count(method), "peak_mib": peak_mib(), "stages": measured}
    if name in PLAIN:
        plain = PLAIN[name](hyper, settings.task)
        assert count(plain.networks) == sum(sizes.values()), "the plain step has other networks"
        ours, theirs = alternate([own, lambda: plain.step(draw())], settings.steps)
        found["plain"] = {
            "cpu_seconds": theirs.cpu,
            "own_cpu_seconds": ours.cpu,
            "ratio": theirs.cpu / ours.cpu,
        }
    return found


def hyperparameters(name: str, settings: Settings) -> Hyper:
    """Return the published or the small hyperparameters, without warm-up."""
    method = load_method(name)
    constants = dict(small_cell(name).constants) if settings.size == "small" else {}
    skipped = {key: 0 for key in hyper_names(method) if key.rpartition(".")[2] == "warm_up"}
    changed = dict(text.split("=", 1) for text in settings.changed)
    return resolve_hyper(method, constants | skipped | YAML(typ="safe").load(_flow(changed)))


def _flow(values: dict[str, str]) -> str:
    return "{" + ", ".join(f"{key}: {value}" for key, value in values.items()) + "}"


def small_cell(name: str) -> Cell:
    """Return the cell of the method in the study of the small sizes, or else in its own."""
    for file in (SMALL, STUDIES / f"{name}.yaml"):
        spec = load_study(file).spec
        for cell in (*cells(spec), *baseline_cells(spec)):
            if cell.method == name:
                return cell
    raise ValueError(f"no small sizes of {name!r} in {STUDIES}")


def draws(stage: Stage, task: Task) -> Callable[[], Batch]:
    """Return a draw that costs nothing."""
    draw = RandomDraws(task, stage, stage.batch_size)
    return itertools.cycle([draw() for _ in range(BATCHES)]).__next__


def alternate(actions: Sequence[Callable[[], object]], repeats: int) -> list[Cost]:
    """Return what each action costs; they take turns, and the first turn is left out."""
    costs: list[list[Cost]] = [[] for _ in actions]
    for turn in range(repeats + 1):
        for action, known in zip(actions, costs, strict=True):
            start = Cost(time.perf_counter(), time.process_time())
            action()
            if turn > 0:
                known.append(
                    Cost(time.perf_counter() - start.wall, time.process_time() - start.cpu)
                )
    return [
        Cost(statistics.median(c.wall for c in known), statistics.median(c.cpu for c in known))
        for known in costs
    ]


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def trained(optimiser: torch.optim.Optimizer) -> int:
    """Return how many parameters an optimiser has."""
    return sum(p.numel() for group in optimiser.param_groups for p in group["params"])


def peak_mib() -> float:
    """Return the highest resident memory of this process; unlike getrusage not its parent's."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def main() -> int:
    """Measure the methods one after another and print them."""
    options = arguments()
    settings = Settings(
        options.size,
        options.dims,
        options.side or SIDES[options.dims],
        options.steps,
        options.precision,
        options.threads,
        tuple(options.set),
    )
    os.environ |= ALLOCATOR  # as in a study
    results: dict[str, dict[str, Any]] = {}
    for name in options.method or plugins.names("methods"):
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn) as process:
            try:
                results[name] = process.submit(measure, name, settings).result()
            except Exception as error:  # one method's failure must not hide the others' figures
                results[name] = {"error": f"{type(error).__name__}: {error}"}
        print(name, file=sys.stderr, flush=True)
    if options.json:
        print(json.dumps({"settings": asdict(settings), "methods": results}, indent=2))
    else:
        show(settings, results)
    return int(any("error" in result for result in results.values()))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--method", nargs="+", choices=plugins.names("methods"), help="default all")
    parser.add_argument("--size", choices=("small", "paper"), default="small")
    parser.add_argument("--dims", type=int, choices=(2, 3), default=2)
    parser.add_argument("--side", type=int, help="voxels; default 128 in 2D, 32 in 3D")
    parser.add_argument("--steps", type=int, default=5, help="the median is over so many")
    parser.add_argument("--precision", choices=("fp32", "bf16"), default="fp32")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--set", nargs="+", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


def show(settings: Settings, results: dict[str, Any]) -> None:
    """Print one line per stage."""
    side = "x".join([str(settings.side)] * settings.dims)
    table = Table(
        title=f"{settings.size} sizes, {side}, 1 channel, {settings.precision}, "
        f"{settings.threads} thread(s), median of {settings.steps}"
    )
    table.add_column("method")
    table.add_column("stage")
    for heading in ("batch", "s/step", "CPU s", "parameters", "peak MiB", "plain / own"):
        table.add_column(heading, justify="right")
    table.add_column("by player")
    for name, result in results.items():
        if "error" in result:
            table.add_row(name, result["error"])
            continue
        plain = f"{result['plain']['ratio']:.2f}" if "plain" in result else ""
        for number, stage in enumerate(result["stages"]):
            whole = [f"{result['parameters']:,}", f"{result['peak_mib']:.0f}", plain]
            table.add_row(
                name if number == 0 else "",
                stage["stage"],
                str(stage["batch"]),
                f"{stage['seconds']:.3f}",
                f"{stage['cpu_seconds']:.3f}",
                *(whole if number == 0 else ("", "", "")),
                ", ".join(f"{player} {size:,}" for player, size in stage["players"].items()),
            )
    Console(width=None if sys.stdout.isatty() else 160).print(table)


if __name__ == "__main__":
    sys.exit(main())
