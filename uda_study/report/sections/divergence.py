"""What translation does to intensities, and how little that says about usefulness."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from uda_study.data.divergence import BINS
from uda_study.report.js_plots import Box, Dot, js_against_dice, js_boxes
from uda_study.report.rank_correlation import HOW, spearman
from uda_study.report.section import Exhibit, Material, Section
from uda_study.report.table_words import counted, row_names
from uda_study.study.leaderboard import scored_runs, subject_values

SAME = 1e-6
"""Divergences that agree so far belong to images that were left as they are."""


def section(material: Material) -> Section | None:
    """Show both figures where at least one finished training translates images."""
    values = subject_values(material.cases)
    wide = values.pivot_table(index=["key", "subject"], columns="metric", values="value")
    if not {"js", "js_before"} <= set(wide.columns):
        return None
    wide = wide.dropna(subset=["js", "js_before"])
    moved = (wide["js"] - wide["js_before"]).abs().groupby(level="key").max() > SAME
    finished = material.runs[material.runs["status"] == "complete"]
    translating = set(moved.index[moved]) & set(finished["key"])
    if not translating:
        return None
    exhibits = [*_boxes(material, wide, translating)]
    exhibits += _against_dice(finished, wide, translating)
    return Section(
        "Intensities",
        "The Jensen-Shannon divergence compares histograms of intensities inside the body. A small "
        "one says that intensities agree, not that anatomy survived: matching histograms brings it "
        "down and segments nothing. It is shown and never used to choose.",
        tuple(exhibits),
    )


def _boxes(material: Material, wide: pd.DataFrame, translating: set[str]) -> Iterator[Exhibit]:
    runs = material.runs
    if "blind/score" not in runs:
        runs = runs.assign(**{"blind/score": np.nan})
    for dataset, direction in sorted({(t.dataset, t.direction) for t in material.board.tables}):
        tables = [
            table
            for table in material.board.tables
            if (table.dataset, table.direction) == (dataset, direction)
        ]
        rows = [row for table in tables for row in table.rows if row.role == "method"]
        boxes, seeds = [], 0
        here = runs[(runs["dataset"] == dataset) & (runs["direction"] == direction)]
        shown: set[str] = set()
        for name, row in zip(row_names(rows), rows, strict=True):
            cell = here[(here["cell"] == row.cell) & (here["study"] == row.study)]
            keys = set(scored_runs(cell[cell["kind"] != "baseline"])["key"]) & translating
            if keys:
                shown |= keys
                seeds = max(seeds, row.n_seeds)
                label = f"{name} (provisional)" if row.provisional else name
                boxes.append(Box(label, _of(wide, keys, "js"), _of(wide, keys, "js_excess")))
        if not boxes:
            continue
        boxes.sort(key=lambda box: float(np.mean(box.js)))
        before = Box(
            "before: target as it is",
            _of(wide, shown, "js_before"),
            _of(wide, shown, "js_excess_before"),
        )
        within = _of(wide, shown, "js_within_before")
        if within:
            boxes.append(Box("reference: within the target", within, (), reference=True))
        title = f"{dataset} {direction.replace('->', ' → ')}"
        subjects = counted(len(before.js), "test subject")
        caption = (
            f"{title}: divergence of the target's test images from the source images, before and "
            f"after translation by each method that translates, averaged over the pairs of an "
            f"image and over up to {counted(seeds, 'seed')}; in bit, {BINS} bins. Reference: the "
            "divergence among target images. On the right what exceeds the divergence within the "
            "domains, which depends less on the number of bins."
        )
        yield Exhibit(caption, js_boxes([before, *boxes], f"Intensities: {title}", subjects))


def _against_dice(
    finished: pd.DataFrame, wide: pd.DataFrame, translating: set[str]
) -> Iterator[Exhibit]:
    if "dice" not in wide.columns:
        return
    means = wide[["js", "dice"]].groupby(level="key").mean().dropna()
    known = finished[(finished["kind"] != "baseline") & finished["key"].isin(means.index)]
    panels: dict[str, list[Dot]] = {}
    remarks, sentences = {}, []
    for (dataset, direction), part in known.groupby(["dataset", "direction"], sort=True):
        title = f"{dataset} {direction}"
        dots = [
            Dot(
                str(method) if key in translating else None,
                float(means.loc[key, "js"]),
                float(means.loc[key, "dice"]),
            )
            for key, method in zip(part["key"], part["method"], strict=True)
        ]
        moved = [dot for dot in dots if dot.method is not None]
        found = spearman([dot.js for dot in moved], [dot.dice for dot in moved])
        panels[title] = dots
        remarks[title] = f"Spearman {found or '–'}, n = {len(moved)}"
        if found is not None:
            inside = spearman(
                [dot.js for dot in moved],
                [dot.dice for dot in moved],
                [dot.method for dot in moved],
            )
            sentences.append(
                f"{title.replace('->', ' → ')}: Spearman {found} over "
                f"{counted(found.n, 'training')} that translate, "
                f"{inside or 'unknown'} within methods."
            )
    if not panels:
        return
    caption = (
        "Divergence after translation against test Dice, one dot per finished training, searches "
        f"included. {' '.join(sentences)} The {HOW}, takes trainings for independent, which those "
        "of one method are not. Small JS is not usefulness: a dot low on the left has intensities "
        "that agree and a segmentation that does not."
    )
    yield Exhibit(caption, js_against_dice(dict(panels), remarks))


def _of(wide: pd.DataFrame, keys: set[str], metric: str) -> list[float]:
    """Return the value of every test subject, averaged over the trainings."""
    if metric not in wide.columns:
        return []
    mine = wide[wide.index.get_level_values("key").isin(keys)][metric].dropna()
    return [float(value) for value in mine.groupby(level="subject").mean()]
