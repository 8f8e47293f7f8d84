"""Whether the values of a study make sense together; needs no data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from math import prod
from pathlib import Path

from uda_study import plugins
from uda_study.errors import InputError, Problem
from uda_study.method import AdaptsSegmenter, Criticises
from uda_study.metric import Metric
from uda_study.study import duration
from uda_study.study.cells import factor_text, study_methods
from uda_study.study.data_section import check_data
from uda_study.study.hyper import load_method
from uda_study.study.limits import check_limits
from uda_study.study.model import StudySpec
from uda_study.study.postprocess_section import check_postprocess
from uda_study.study.ranges import check_names, check_ranges
from uda_study.study.schema_errors import nearest, shown
from uda_study.study.source import SourcedStudy, parse_study
from uda_study.study.yaml_places import Finding, KeyPath, dotted
from uda_study.types import Direction

MAX_CELLS = 1000


def load_study(path: Path, overrides: Sequence[str] = ()) -> SourcedStudy:
    """Read and validate a study file; raises `InputError` with all problems of form and sense."""
    study, findings = parse_study(path, overrides)
    # A value that could not be read stands at its default: what follows from that is no finding.
    unread = {finding.at[:2] for finding in findings}
    names = {
        name
        for finding in findings
        if finding.at[:1] == ("parameters",)
        for name in finding.at[1:2]
    }
    sense = [
        found
        for found in check(study.spec)
        if not {found.at[:1], found.at[:2]} & unread and found.at[-1] not in names
    ]
    if findings or sense:
        raise study.error([*findings, *sense])
    return study


def validate(sourced: SourcedStudy) -> None:
    """Raise `InputError` listing everything in a study that makes no sense, with file and line."""
    findings = list(check(sourced.spec))
    if findings:
        raise sourced.error(findings)


def check_directions(
    spec: StudySpec, domains: Iterable[str], where: Callable[[KeyPath], str] = dotted
) -> None:
    """Raise `InputError` for directions between domains that the data do not have.

    ``where`` names the place of a path; `SourcedStudy.where` gives file and line.
    """
    known = list(domains)
    problems = []
    for at, text in _written_directions(spec):
        direction = Direction.parse(text)
        for name in (direction.source, direction.target):
            if name not in known:
                remedy = nearest(name, known)
                problems.append(Problem(where(at), f"unknown domain {name!r}", text, remedy))
    if problems:
        raise InputError(problems)


def check(spec: StudySpec) -> Iterator[Finding]:
    """Yield everything in a study that makes no sense."""
    yield from _check_matrix(spec)
    yield from _check_directions(spec)
    methods, missing = _loadable(_written_methods(spec))
    baselines, no_baselines = _loadable(
        (("baselines", number), name) for number, name in enumerate(spec.baselines)
    )
    yield from [*_check_method(spec), *missing, *no_baselines]
    yield from _check_dimensions(spec, [*methods, *baselines])
    yield from check_data(spec)
    yield from check_postprocess(spec)
    yield from _check_selection(spec)
    yield from _check_scored(spec, methods)
    yield from _check_schedule(spec)
    names = list(check_names(spec, methods, baselines)) if methods else []
    ranges = list(check_ranges(spec, methods)) if methods else []
    yield from [*names, *ranges]
    if methods and _num_cells(spec) <= MAX_CELLS:
        yield from check_limits(_sound(spec, [*names, *ranges], methods, baselines))


def _sound(
    spec: StudySpec,
    findings: Iterable[Finding],
    methods: Collection[str],
    baselines: Collection[str],
) -> StudySpec:
    """Return the part of the study of which cells can be built: the rest has findings already."""
    wrong = {found.at[1] for found in findings if found.at[0] in {"matrix", "parameters"}}
    matrix = {name: values for name, values in spec.matrix.items() if name not in wrong}
    matrix["direction"] = ("source->target",)
    if "method" in matrix:
        matrix["method"] = tuple(methods)
    return spec.model_copy(
        update={
            "matrix": matrix,
            "parameters": {n: given for n, given in spec.parameters.items() if n not in wrong},
            "fixed": {n: value for n, value in spec.fixed.items() if n not in wrong},
            "baselines": tuple(baselines),
        }
    )


def _check_matrix(spec: StudySpec) -> Iterator[Finding]:
    for name, values in spec.matrix.items():
        for number, value in enumerate(values):
            if factor_text(value) in map(factor_text, values[:number]):
                yield Finding(("matrix", name, number), "is given twice", shown(value), "keep one")
    if _num_cells(spec) > MAX_CELLS:
        rule = f"must not have more than {MAX_CELLS} cells"
        yield Finding(("matrix",), rule, str(_num_cells(spec)), "compare fewer values")


def _num_cells(spec: StudySpec) -> int:
    return prod(map(len, spec.matrix.values()))


def _written_directions(spec: StudySpec) -> Iterator[tuple[KeyPath, str]]:
    for number, text in enumerate(spec.matrix.get("direction", ())):
        yield ("matrix", "direction", number), str(text)
    if "direction" in spec.fixed:
        yield ("parameters", "direction"), str(spec.fixed["direction"])


def _check_directions(spec: StudySpec) -> Iterator[Finding]:
    written = list(_written_directions(spec))
    for at, text in written:
        try:
            Direction.parse(text)
        except InputError as error:
            problem = error.problems[0]
            yield Finding(at, problem.rule, problem.value, problem.remedy)
    if not written:
        remedy = "write for example direction: [mr->ct]"
        yield Finding(("matrix", "direction"), "is required", None, remedy)


def _written_methods(spec: StudySpec) -> Iterator[tuple[KeyPath, str]]:
    if spec.method is not None:
        yield ("method",), spec.method
    for number, name in enumerate(spec.matrix.get("method", ())):
        yield ("matrix", "method", number), str(name)


def _check_method(spec: StudySpec) -> Iterator[Finding]:
    if spec.method is not None and "method" in spec.matrix:
        yield Finding(("method",), "is also a factor of the matrix", None, "keep one")
    if not study_methods(spec):
        remedy = f"choose from {', '.join(plugins.names('methods'))}"
        yield Finding(("method",), "is required", None, remedy)
    for number, name in enumerate(spec.baselines):
        if name in spec.baselines[:number]:
            yield Finding(("baselines", number), "is given twice", shown(name), "keep one")


def _loadable(written: Iterable[tuple[KeyPath, str]]) -> tuple[list[str], list[Finding]]:
    names: list[str] = []
    findings = []
    for at, name in written:
        try:
            load_method(name)
            names.append(name)
        except InputError as error:
            findings += [Finding(at, p.rule, p.value, p.remedy) for p in error.problems]
    return list(dict.fromkeys(names)), findings


def _check_dimensions(spec: StudySpec, methods: Iterable[str]) -> Iterator[Finding]:
    for name in dict.fromkeys(methods):
        supported = load_method(name).needs.spatial_dims
        if spec.data.spatial_dims not in supported:
            rule = f"must be {' or '.join(map(str, supported))} for the method {name}"
            yield Finding(("data", "spatial_dims"), rule, str(spec.data.spatial_dims))


def _check_selection(spec: StudySpec) -> Iterator[Finding]:
    kind, _, name = spec.metric.partition("/")
    if kind == "oracle" and not spec.allow_oracle_selection:
        rule = "must be a blind/ score: an oracle/ score sees target labels"
        remedy = "choose blind/score, or set allow_oracle_selection: true"
        yield Finding(("metric",), rule, shown(spec.metric), remedy)
    elif kind not in {"blind", "oracle"} or not name:
        rule = "must be a blind/ score"
        yield Finding(("metric",), rule, shown(spec.metric), "choose blind/score")
    elif kind == "blind":
        known = [f"blind/{score}" for score in ("score", "critic_w", *plugins.names("validators"))]
        if spec.metric not in known:
            yield Finding(
                ("metric",), "unknown blind score", shown(spec.metric), nearest(spec.metric, known)
            )
    elif spec.metric not in (known := [f"oracle/{name}" for name in _rising_metrics(spec)]):
        rule = "must be an oracle/ score that is better when higher"
        yield Finding(("metric",), rule, shown(spec.metric), nearest(spec.metric, known))


def _rising_metrics(spec: StudySpec) -> Iterator[str]:
    """Yield the metrics that trainings of the study measure and that are better when higher."""
    for name in plugins.names("metrics"):
        metric = plugins.load("metrics", name, Metric)
        if metric.higher_is_better and (metric.default or name in spec.evaluation.metrics):
            yield name


def _check_scored(spec: StudySpec, methods: Iterable[str]) -> Iterator[Finding]:
    """Yield methods that lack what the blind score that a search maximises is made of."""
    asked: dict[str, tuple[type, str]] = {
        "blind/score": (AdaptsSegmenter, "starts from a source segmenter"),
        "blind/critic_w": (Criticises, "has a critic"),
    }
    if spec.metric in asked:
        protocol, quality = asked[spec.metric]
        for name in methods:
            if not issubclass(load_method(name), protocol):
                rule = f"needs a method that {quality}, which {name} does not"
                yield Finding(("metric",), rule, shown(spec.metric), "choose blind/entropy")


def _check_schedule(spec: StudySpec) -> Iterator[Finding]:
    if spec.mode != "max":
        yield Finding(("mode",), "must be max: all scores are better when higher", spec.mode)
    longest, grace = spec.scheduler.max_t, spec.scheduler.grace_period
    if longest is not None and grace is not None and grace > longest:
        rule = f"must not be greater than max_t = {longest}"
        yield Finding(("scheduler", "grace_period"), rule, str(grace))
    for number, seed in enumerate(spec.confirm.seeds):
        if seed in spec.confirm.seeds[:number]:
            yield Finding(("confirm", "seeds", number), "is given twice", str(seed), "keep one")
    if spec.confirm.top_k > spec.search.num_samples:
        rule = f"must not be greater than search.num_samples = {spec.search.num_samples}"
        yield Finding(("confirm", "top_k"), rule, str(spec.confirm.top_k))
    if spec.budget.time is not None:
        try:
            duration.seconds(spec.budget.time)
        except InputError as error:
            problem = error.problems[0]
            yield Finding(("budget", "time"), problem.rule, problem.value)
    if spec.budget.gpu_hours is not None and spec.resources.gpu == 0:
        rule = "counts nothing, since resources.gpu is 0"
        remedy = "give budget.time, or resources.gpu"
        yield Finding(("budget", "gpu_hours"), rule, shown(spec.budget.gpu_hours), remedy)
