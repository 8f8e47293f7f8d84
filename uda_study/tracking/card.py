"""The model card: what a promoted model is for, what it was measured on, and what it is not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from uda_study import plugins
from uda_study.dataset import Dataset
from uda_study.method import Method
from uda_study.study.board import Row, Summary, Table
from uda_study.study.rules import RANK_AVERAGE
from uda_study.study.statistics import SMALLEST_TESTABLE
from uda_study.tracking.gates import Gate
from uda_study.training.package import ModelConfig

_ORIGIN = "Sections as in Mitchell et al., Model cards for model reporting, FAT* 2019."


def model_card(
    config: ModelConfig,
    table: Table,
    row: Row,
    gates: Sequence[Gate],
    forced: str | None,
    selection: str,
) -> str:
    """Return the card as Markdown; ``selection`` is the rule that chose the setting."""
    lines = [
        f"# {config.method}, {config.direction}, {table.dataset}",
        *_use(config, table),
        *_data(config, table, row),
        *_choice(row, selection),
        *_scores(table, row),
        *_limits(table, row),
        *_section("Gates"),
        *(f"- {gate}" for gate in gates),
        *([f"- Promoted in spite of failed gates: {forced}"] if forced else []),
        *_section("Provenance"),
        f"Study {config.study}, cell {row.cell}, training {config.trial}, "
        f"uda-study {config.uda_study}. {_ORIGIN}",
    ]
    return "\n".join(lines) + "\n"


def _section(title: str) -> tuple[str, ...]:
    return "", f"## {title}", ""


def _use(config: ModelConfig, table: Table) -> Iterator[str]:
    yield from _section("Intended use")
    structures = ", ".join(config.task.class_names[1:])
    yield (
        f"Research: segmentation of {structures} in {config.direction.partition('->')[2]} images "
        f"like those of {table.dataset}. Not a medical device; not for diagnosis or treatment."
    )
    method: type[Method[Any]] = plugins.load("methods", config.method, Method)
    yield ""
    yield f"Method: {method.paper}."


def _data(config: ModelConfig, table: Table, row: Row) -> Iterator[str]:
    yield from _section("Data")
    spacing = " x ".join(f"{value:g}" for value in config.task.spacing)
    patch = " x ".join(map(str, config.task.patch_size))
    yield f"- Direction {config.direction}; supervision of the target domain: {table.supervision}."
    yield f"- Protocol: {table.protocol}; {len(row.subjects)} test subjects."
    yield (
        f"- {config.task.spatial_dims}D patches of {patch} voxels, {spacing} mm; "
        f"intensities: {config.preprocessing.intensity}."
    )
    if table.dataset in plugins.names("datasets"):
        info = plugins.load("datasets", table.dataset, Dataset).info
        yield f"- Images: {info.summary}. Licence: {info.licence}. Citation: {info.citation}."


def _choice(row: Row, selection: str) -> Iterator[str]:
    yield from _section("How it was chosen")
    rule = selection.replace(RANK_AVERAGE, "the average rank of scores without target labels")
    tried = sum(row.trial_counts.values())
    yield (
        f"Its hyperparameters are those of the search trial, of {tried}, that is best by {rule}. "
        f"They were trained anew on {row.n_seeds} seeds; of these trainings the model is the one "
        "with the highest blind score, and not the one with the highest Dice."
    )


def _scores(table: Table, row: Row) -> Iterator[str]:
    yield from _section("Scores on the target's test subjects")
    yield f"Mean over subjects of {row.n_seeds} of {row.seeds_expected} seeds, not of this one."
    yield ""
    bounds = [other for other in table.rows if other.role in ("lower bound", "upper bound")]
    names = [f"{other.method} ({other.role})" for other in bounds]
    head = ["metric", "mean", "95% interval", "sd over subjects", "sd over seeds", *names]
    yield f"| {' | '.join(head)} |"
    yield f"| {' | '.join(['---'] * len(head))} |"
    for name, score in row.scores.items():
        others = [_mean(other.scores.get(name)) for other in bounds]
        spreads = [_number(score.sd_subjects), _number(score.sd_seeds)]
        yield f"| {' | '.join([name, _mean(score), _interval(score), *spreads, *others])} |"


def _limits(table: Table, row: Row) -> Iterator[str]:
    yield from _section("Limits")
    worst = min(row.subjects.items(), key=lambda item: item[1], default=None)
    if worst is not None:
        yield f"- Worst test subject: {worst[0]}, Dice {worst[1]:.3f}."
    if len(row.subjects) < SMALLEST_TESTABLE:
        yield "- So few test subjects only describe; no test can reach .05."
    if row.recovered is not None:
        yield f"- It recovers {row.recovered:.0%} of the way from no adaptation to target labels."
    if row.against_first is not None:
        yield f"- Against the first row of its table: {row.against_first.verdict}."
    if "transductive" in table.protocol:
        yield "- It was adapted to the very images that it was tested on, without their labels."
    yield "- Other scanners, protocols and pathologies than those of the data were not tested."


def _mean(score: Summary | None) -> str:
    return "-" if score is None else f"{score.mean:.3f}"


def _interval(score: Summary) -> str:
    low, high = score.ci95
    return "-" if low is None or high is None else f"[{low:.3f}, {high:.3f}]"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
