"""One HTML page that compares two rows of leaderboards, with nothing to fetch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from uda_study.report.page_style import document, image, table
from uda_study.report.pair_overlays import PairOverlay, pair_overlays
from uda_study.report.pair_plot import pair_figure
from uda_study.report.style import Picture
from uda_study.study import pair_text
from uda_study.study.case_pairs import Pairing


@dataclass(frozen=True)
class Overlays:
    """The cases that are shown as images and the names of the classes; or why there are none."""

    cases: Sequence[PairOverlay] = ()
    class_names: Sequence[str] = ()
    missing: str = ""


def compare_page(pairing: Pairing, overlays: Overlays) -> str:
    """Return the page: verdict, plot, metrics, structures, images, and every case."""
    title = f"{pairing.first.name} against {pairing.second.name}"
    warnings = "".join(
        f'<li class="odd">{escape(text)}</li>' for text in pair_text.warnings(pairing)
    )
    explained = "<br>".join(map(escape, pair_text.explanations(pairing)))
    facts = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>"
        for name, value in pair_text.facts(pairing)
    )
    parts = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="verdict {_mood(pairing)}">{escape(pair_text.headline(pairing))}</p>',
        f"<dl>{facts}</dl>",
        f'<p class="note">{escape(pair_text.probabilities(pairing))}</p>',
        *([f"<ul>{warnings}</ul>"] if warnings else []),
        "<h2>Subjects</h2>",
        _figure(pair_figure(pairing), "Dice of every subject on both sides, and the difference."),
        "<h2>Metrics</h2>",
        table(
            pair_text.MEASURE_COLUMNS, [pair_text.measure_cells(one) for one in pairing.measures]
        ),
        f'<p class="note">Means over subjects; Dice is what rows are ranked by.<br>{explained}</p>',
        *_structures(pairing),
        "<h2>Where they differ most</h2>",
        *_overlays(overlays),
        "<h2>Cases</h2>",
        table(pair_text.CASE_COLUMNS, [pair_text.case_cells(case) for case in pairing.cases]),
        '<p class="note">Dice, means over seeds; the largest difference first. By seed: the '
        "smallest and the largest A - B of a seed that both have.</p>",
    ]
    return document(title, "\n".join(parts))


def _mood(pairing: Pairing) -> str:
    """Return the colour of the verdict: whether something may be said, not for whom."""
    return (
        "good" if pairing.dice.verdict in ("better", "worse", "practically equivalent") else "odd"
    )


def _structures(pairing: Pairing) -> list[str]:
    if not pairing.structures:
        return []
    rows = [pair_text.structure_cells(one) for one in pairing.structures]
    return [
        "<h2>Structures</h2>",
        table(pair_text.STRUCTURE_COLUMNS, rows),
        '<p class="note">Of single structures no verdict is given: each would be one of many.</p>',
    ]


def _overlays(overlays: Overlays) -> list[str]:
    if overlays.missing:
        return [f"<p>No images: {escape(overlays.missing)}</p>"]
    if not overlays.cases:
        return ["<p>No images: the sides have the same Dice in every case.</p>"]
    caption = (
        "The cases where A leads most, then those where B does, on the slice where most voxels "
        "differ between them. Of each side the training is shown whose Dice on the case is nearest "
        "its mean over seeds."
    )
    picture = pair_overlays(overlays.cases, overlays.class_names)
    return [_figure(picture, caption, photographs=True)]


def _figure(picture: Picture, caption: str, *, photographs: bool = False) -> str:
    shown = image(picture, caption, photographs=photographs)
    return f"<figure>{shown}<figcaption>{escape(caption)}</figcaption></figure>"
