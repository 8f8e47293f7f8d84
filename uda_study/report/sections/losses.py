"""How the trainings behind the results went, step by step."""

from __future__ import annotations

import pandas as pd

from uda_study.report.loss_grid import courses, loss_figure
from uda_study.report.section import Exhibit, Material, Section
from uda_study.report.table_words import counted, row_names, table_title
from uda_study.study.board import Row, Table
from uda_study.study.leaderboard import scored_runs

CURVES = "curves.csv"


def section(material: Material) -> Section | None:
    """Show a figure per row whose trainings have curves."""
    exhibits = []
    for table in material.board.tables:
        rows = [row for row in table.rows if row.role == "method"]
        for row, name in zip(rows, row_names(rows), strict=True):
            exhibit = _exhibit(material, table, row, name)
            if exhibit is not None:
                exhibits.append(exhibit)
    if not exhibits:
        return None
    return Section(
        "Training",
        "Losses of the confirmed trainings over their steps, and the blind score beside them. A "
        "wide band says that seeds went different ways; losses of opponents are not to fall, but "
        "to stay in balance.",
        tuple(exhibits),
    )


def _exhibit(material: Material, table: Table, row: Row, name: str) -> Exhibit | None:
    runs = material.runs
    cell = runs[(runs["study"] == row.study) & (runs["cell"] == row.cell)]
    shown = _trainings(cell)
    frames, diverged, missing = [], [], 0
    for key, status in zip(shown["key"], shown["status"], strict=True):
        path = material.file(str(key), CURVES)
        frame = None if path is None or path.stat().st_size == 0 else pd.read_csv(path)
        if frame is None or frame.empty:
            missing += 1
            continue
        frames.append(frame)
        diverged.append(status == "diverged")
    found = courses(frames, diverged) if frames else []
    if not found:
        return None
    kind = "search trial" if row.provisional else "confirmed training"
    seeds = counted(int(shown["seed"].nunique()), "seed")
    title = f"{name}: {table_title(table)}"
    caption = f"{title}, {counted(len(frames), kind)} on {seeds}. "
    caption += (
        "Line: median over the trainings, each smoothed by a running median where it is long; "
        "band: from the lowest to the highest. Steps of a loss are its stage's."
        if len(frames) > 1
        else "One training, smoothed by a running median where it is long."
    )
    lost = int((shown["status"] == "diverged").sum())
    if lost:
        caption += f" {counted(lost, 'training')} diverged, marked where it has curves."
    if missing:
        caption += f" {counted(missing, 'training')} without curves."
    return Exhibit(caption, loss_figure(found, title, f"{counted(len(frames), kind)}, {seeds}"))


def _trainings(cell: pd.DataFrame) -> pd.DataFrame:
    """Return what stands for the cell, and the confirmations of the same setting that diverged."""
    scored = scored_runs(cell)
    confirmed = cell[cell["kind"] == "confirm"]
    lost = confirmed[confirmed["status"] == "diverged"]
    if len(scored):
        lost = lost[lost["params"].isin(scored["params"])]
    return pd.concat([scored, lost])
