"""The model card: what a promoted model is for, what it was measured on, and what it is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from uda_study.study.board import Row, Table
from uda_study.training.package import ModelConfig


@dataclass(frozen=True)
class Gate:
    """One condition for a promotion, and what was found."""

    name: str
    passed: bool
    detail: str

    def __str__(self) -> str:
        return f"{'passed' if self.passed else 'FAILED'}: {self.name} ({self.detail})"


def model_card(
    config: ModelConfig, table: Table, row: Row, gates: Sequence[Gate], forced: str | None
) -> str:
    """Return the card as Markdown."""
    structures = ", ".join(config.task.class_names[1:])
    spacing = " x ".join(f"{value:g}" for value in config.task.spacing)
    lines = [
        f"# {config.method}, {config.direction}, {table.dataset}",
        "",
        "## Intended use",
        "",
        f"Research: segmentation of {structures} in {config.direction.partition('->')[2]} images "
        f"like those of {table.dataset}. Not a medical device; not for diagnosis or treatment.",
        "",
        "## Data",
        "",
        f"- Direction {config.direction}; supervision of the target domain: {table.supervision}.",
        f"- Protocol: {table.protocol}; {len(row.subjects)} test subjects.",
        f"- {config.task.spatial_dims}D patches of {' x '.join(map(str, config.task.patch_size))} "
        f"voxels, {spacing} mm; intensities: {config.preprocessing.intensity}.",
        "",
        "## Scores on the target's test subjects",
        "",
        f"Mean over subjects of {row.n_seeds} of {row.seeds_expected} seeds; the model is one of "
        "these trainings, chosen without labels.",
        "",
        "| metric | mean | 95% interval | sd over subjects | sd over seeds |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, score in row.scores.items():
        low, high = score.ci95
        interval = "-" if low is None or high is None else f"[{low:.3f}, {high:.3f}]"
        lines.append(
            f"| {name} | {score.mean:.3f} | {interval} | {_number(score.sd_subjects)} | "
            f"{_number(score.sd_seeds)} |"
        )
    worst = min(row.subjects.items(), key=lambda item: item[1], default=None)
    lines += ["", "## Limits", ""]
    if worst is not None:
        lines.append(f"- Worst test subject: {worst[0]}, Dice {worst[1]:.3f}.")
    if len(row.subjects) < 6:
        lines.append("- So few test subjects only describe; no test can reach .05.")
    if row.recovered is not None:
        lines.append(
            f"- It recovers {row.recovered:.0%} of the way from no adaptation to target labels."
        )
    lines += [
        "- Other scanners, protocols and pathologies than those of the data were not tested.",
        "",
        "## Gates",
        "",
        *(f"- {gate}" for gate in gates),
        *([f"- Promoted in spite of failed gates: {forced}"] if forced else []),
        "",
        "## Provenance",
        "",
        f"Study {config.study}, cell {row.cell}, training {config.trial}, "
        f"uda-study {config.uda_study}.",
    ]
    return "\n".join(lines) + "\n"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
