"""Pictures of the worst test cases and the best one, of a typical training of each row."""

from __future__ import annotations

from html import escape

from uda_study.report.page_style import folded, image
from uda_study.report.section import Exhibit, Material, Section
from uda_study.report.style import Picture
from uda_study.report.table_words import row_names, table_title
from uda_study.study.board import Row, Table
from uda_study.study.leaderboard import mean_dice, scored_runs

_PICTURES = {
    "overlays.png": "Test cases, the worst first and the best last: truth, before and after "
    "adaptation.",
    "translations.png": "The same cases and source cases as the method translates them.",
    "styles.png": "What the method renders of anatomy and appearance.",
}


def section(material: Material) -> Section | None:
    """Return the pictures of each row's training with the median seed; None if there are none."""
    exhibits = []
    for table in material.board.tables:
        methods = [row for row in table.rows if row.role == "method"]
        bounds = [row for row in table.rows if row.role != "method"]
        names = [*row_names(methods), *(f"{row.method} ({row.role})" for row in bounds)]
        blocks = [
            (name, _row(material, table, row, name))
            for name, row in zip(names, (*methods, *bounds), strict=True)
        ]
        found = [(name, html) for name, html in blocks if html]
        if not found:
            continue
        # The first is looked at most; the others would make a page of many screens.
        parts = [f"<h3>{escape(table_title(table))}, supervision {escape(table.supervision)}</h3>"]
        for place, (name, html) in enumerate(found):
            parts.append(html if place == 0 else folded(name, html))
        exhibits.append(Exhibit("", html="\n".join(parts)))
    if not exhibits:
        return None
    return Section(
        "Worst and best cases",
        "Of each row the training whose seed has the median test Dice, chosen after the fact so as "
        "to be neither lucky nor unlucky. Worst cases come first: a mean hides them.",
        tuple(exhibits),
    )


def shown_training(material: Material, table: Table, row: Row) -> str | None:
    """Return the key of the row's training with the median seed, of its first fold.

    With an even number of seeds it is the lower of the two in the middle.
    """
    runs = material.runs[(material.runs["study"] == row.study)]
    runs = runs.sort_values(["cell", "kind", "number", "seed", "fold", "key"])
    if row.role == "method":
        scored = scored_runs(runs[(runs["cell"] == row.cell) & (runs["kind"] != "baseline")])
    else:
        same = (runs["method"] == row.method) & (runs["direction"] == table.direction)
        scored = runs[(runs["kind"] == "baseline") & same & (runs["status"] == "complete")]
    dice = mean_dice(material.cases)
    scored = scored[scored["key"].isin(dice)]
    if not len(scored):
        return None
    by_seed = scored["key"].map(dice).groupby(scored["seed"]).mean().sort_values(kind="stable")
    seed = by_seed.index[(len(by_seed) - 1) // 2]
    return str(scored[scored["seed"] == seed].sort_values("fold")["key"].iloc[0])


def _row(material: Material, table: Table, row: Row, shown: str) -> str:
    key = shown_training(material, table, row)
    if key is None:
        return ""
    figures = []
    for name, caption in _PICTURES.items():
        path = material.file(key, name)
        if path is not None:
            alt = f"{shown}: {caption}"
            picture = image(Picture(path.read_bytes()), alt, photographs=True)
            figures.append(f"<figure>{picture}<figcaption>{escape(alt)}</figcaption></figure>")
    return "".join(figures)
