"""What a study will train, and about how long and how much disk that takes; nothing runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from uda_study.data.limits import show_bytes
from uda_study.study.cells import (
    baseline_cells,
    baseline_trials,
    confirm_trials,
    num_trials,
    search_trial,
    study_id,
)
from uda_study.study.disk import Disk, Sizes, disk
from uda_study.study.duration import readable, seconds
from uda_study.study.hyper import flatten_hyper, load_method, resolve_hyper, spelled
from uda_study.study.model import SchedulerSpec, StudySpec
from uda_study.study.schema_errors import shown
from uda_study.study.space import cell_space, space_of
from uda_study.study.trial import Cell, TrialSpec
from uda_study.types import JSON

_SHARED_LENGTH = "segmenter.steps"
_OWN_LENGTHS = ("steps", "critic.warm_up")


@dataclass(frozen=True)
class Plan:
    """What is trained, and forecasts where the costs of a step and a checkpoint are known.

    ``shared_stages`` counts the segmenters that trainings start from or are; ``steps`` is the total
    over all trainings with early stopping as expected; ``seconds`` is wall time on the given
    cores and GPUs; ``disk`` what is on disk at the peak.
    """

    cells: int
    search_trials: int
    confirmations: int
    baselines: int
    shared_stages: int
    parallel: int
    steps: int
    seconds: float | None
    disk: Disk | None
    notes: tuple[str, ...]

    def lines(self) -> tuple[str, ...]:
        """Return the plan as lines for people."""
        trained = (
            f"plan  {self.cells} cells, {self.search_trials} search trials"
            f" + {self.confirmations} confirmations + {self.baselines} baselines,"
            f" {self.shared_stages} segmenters"
        )
        time = "time unknown" if self.seconds is None else f"about {readable(self.seconds)}"
        disk = "disk unknown" if self.disk is None else show_bytes(self.disk.total)
        cost = f"      {self.steps} steps, {self.parallel} trainings at once, {time}, {disk}"
        return (trained, cost, *(f"note  {note}" for note in self.notes))

    def to_json(self) -> dict[str, JSON]:
        """Return plain values."""
        total = None if self.disk is None else self.disk.total
        return {**asdict(self), "disk_bytes": total, "notes": list(self.notes)}


@dataclass(frozen=True)
class _Training:
    """One training of the plan; equal ``shared`` stages are trained once."""

    method: str
    own_steps: float
    shared: tuple[str, ...]
    shared_steps: int


def plan(
    spec: StudySpec,
    cells: Sequence[Cell],
    seconds_per_step: Mapping[str, float] | None = None,
    cores: int = 1,
    sizes: Mapping[str, Sizes] | None = None,
    gpus: int = 0,
) -> Plan:
    """Return the plan of a validated study.

    ``seconds_per_step`` is keyed by method, and by ``segmenter`` for the source segmenter's
    training; ``sizes`` by method.
    """
    study = study_id(spec.to_json())
    searches: dict[str, list[TrialSpec]] = {}
    confirmations: list[TrialSpec] = []
    for cell in cells:
        first = space_of(spec, cell)[1][0]
        trials = [search_trial(spec, study, cell, n, first) for n in range(num_trials(spec, cell))]
        searches[cell.key] = trials
        chosen = trials[: spec.confirm.top_k] or [search_trial(spec, study, cell, 0, first)]
        confirmations += confirm_trials(spec, study, cell, chosen)
    baselines = [t for cell in baseline_cells(spec) for t in baseline_trials(spec, cell, study)]
    searched = [trial for trials in searches.values() for trial in trials]
    trainings = [_training(spec, trial) for trial in (*searched, *confirmations, *baselines)]
    shared = {training.shared: training for training in trainings if training.shared}
    parallel = _parallel(spec, cores, gpus)
    by_cost = _steps_by_cost(trainings, list(shared.values()))
    time = _time(by_cost, seconds_per_step or {}, parallel)
    return Plan(
        cells=len(cells),
        search_trials=len(searched),
        confirmations=len(confirmations),
        baselines=len(baselines),
        shared_stages=len(shared),
        parallel=parallel,
        steps=round(sum(by_cost.values())),
        seconds=time,
        disk=disk(
            spec.checkpoint,
            searches,
            [*confirmations, *baselines],
            Counter(training.method for training in shared.values()),
            sizes or {},
            parallel,
        ),
        notes=tuple(_notes(spec, cells, time)),
    )


def _training(spec: StudySpec, trial: TrialSpec) -> _Training:
    method = load_method(trial.method)
    hyper = flatten_hyper(resolve_hyper(method, trial.params))
    own = sum(int(str(hyper[name])) for name in _OWN_LENGTHS if name in hyper)
    share = _expected_share(spec.scheduler, own) if trial.kind == "search" and own else 1.0
    if _SHARED_LENGTH not in hyper:
        return _Training(trial.method, own * share, (), 0)
    segmenter = {name: value for name, value in hyper.items() if name.startswith("segmenter.")}
    # Where the segmenter itself is searched, every trial of the search has another one.
    searched = trial.kind == "search" and bool(
        set(segmenter) & set(spelled(trial.method, spec.parameters))
    )
    shared = (
        "target" if method.needs.target == "labels" else "source",
        trial.direction,
        str(trial.fold),
        str(trial.seed),
        str(sorted(segmenter.items())),
        trial.key if searched else "",
    )
    return _Training(trial.method, own * share, shared, int(str(hyper[_SHARED_LENGTH])))


def _expected_share(scheduler: SchedulerSpec, steps: int) -> float:
    """Return the share of its steps that an average trial trains, were halving synchronous."""
    if scheduler.type == "none":
        return 1.0
    last = scheduler.max_t or steps
    start: float = min(scheduler.grace_period or max(1, last // 5), last)
    total, alive = start, 1.0
    while start < last:
        alive /= scheduler.reduction_factor
        end = min(start * scheduler.reduction_factor, last)
        total += alive * (end - start)
        start = end
    return total / last


def _parallel(spec: StudySpec, cores: int, gpus: int) -> int:
    processes = max(1, spec.resources.num_workers)
    fitting = max(1, int(cores // (spec.resources.cpu * processes)))
    # What trainings take of a GPU is measured later; until then each of its processes has one.
    share = 1.0 if spec.resources.gpu == "auto" else spec.resources.gpu
    if gpus and share:
        held = gpus * int(1 / share + 1e-6) if share < 1 else int(gpus // share)
        fitting = max(1, min(fitting, held // processes))
    allowed = spec.search.max_concurrent_trials
    return fitting if allowed == "auto" else min(fitting, allowed)


def _steps_by_cost(trainings: Sequence[_Training], shared: Sequence[_Training]) -> dict[str, float]:
    """Return how many steps of each kind are trained: a method's own, and the segmenter's."""
    steps = {"segmenter": float(sum(training.shared_steps for training in shared))}
    for training in trainings:
        steps[training.method] = steps.get(training.method, 0.0) + training.own_steps
    return {kind: count for kind, count in steps.items() if count}


def _time(
    steps: Mapping[str, float], seconds_per_step: Mapping[str, float], parallel: int
) -> float | None:
    if not set(steps) <= set(seconds_per_step):
        return None
    return sum(count * seconds_per_step[kind] for kind, count in steps.items()) / parallel


def _notes(spec: StudySpec, cells: Sequence[Cell], time: float | None) -> Iterator[str]:
    if not spec.metric.startswith("blind/"):
        yield f"settings are selected by {spec.metric}, which sees target labels"
    if spec.data.split.protocol == "transductive":
        yield "transductive: the images that are adapted to are the ones tested on"
    if spec.data.split.protocol == "paper" and spec.data.split.val == 0:
        yield "the paper had no validation: an oracle chooses by the very cases of the test"
    if spec.budget.time is not None and time is not None and time > seconds(spec.budget.time):
        yield f"the budget of {spec.budget.time} ends the study before it is done"
    constant = [cell.key for cell in cells if not cell_space(spec, cell).parameters]
    if constant:
        yield (
            f"nothing is searched in {len(constant)} of {len(cells)} cells: "
            "the one setting of each is confirmed at once"
        )
    outside: dict[str, None] = {}
    for cell in cells:
        space = cell_space(spec, cell)
        for name, value in space.outside(load_method(cell.method)).items():
            outside[f"{name}: the published {shown(value)} of {cell.method} is out of range"] = None
    yield from outside
