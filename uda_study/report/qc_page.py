"""``qc.html``: one page to look through segmentations, the most doubtful first, without network.

It holds the names of cases, numbers, and small pictures; no header and no path of this machine.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import nibabel as nib
import numpy as np

from uda_study.data.grid import resample_to_native
from uda_study.data.postprocess import count_components, slice_axis
from uda_study.files import write_whole
from uda_study.report import qc_flags, style
from uda_study.report.qc_flags import Flag, Structure
from uda_study.report.qc_picture import overlay_picture
from uda_study.training.predict import Segmented

PAGE = "qc.html"

# Axial, coronal, sagittal, whatever the order of a volume's axes.
_ORDER = {"S": 0, "I": 0, "A": 1, "P": 1, "R": 2, "L": 2}

_STYLE = f"""
:root {{ color-scheme: light; }}
body {{ margin: 2rem auto; max-width: 78rem; padding: 0 1rem; color: {style.INK};
  background: #F6F7F8; font: 15px/1.45 "DejaVu Sans", system-ui, sans-serif; }}
h1 {{ font-size: 1.35rem; margin: 0 0 .3rem; }}
h2 {{ font-size: 1rem; margin: 0; overflow-wrap: anywhere; }}
p {{ margin: .2rem 0 1rem; color: {style.QUIET}; max-width: 58rem; }}
table {{ border-collapse: collapse; font-size: .85rem; }}
th {{ font-weight: normal; color: {style.QUIET}; }}
th, td {{ padding: .1rem .9rem .1rem 0; text-align: right; white-space: nowrap; }}
th:first-child, td:first-child {{ text-align: left; }}
main {{ display: grid; gap: 1rem; margin-top: 1rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr)); }}
main.wide {{ grid-template-columns: 1fr; }}
section {{ background: {style.PAPER}; border: 1px solid {style.FAINT}; border-left-width: 4px;
  border-radius: 4px; padding: .8rem 1rem; min-width: 0; }}
section.flagged {{ border-left-color: {style.LOWER}; }}
.row {{ display: flex; flex-wrap: wrap; gap: .8rem 1.6rem; margin-top: .6rem;
  align-items: flex-start; }}
img {{ display: block; width: 20rem; max-width: 100%; }}
.wide img {{ width: 48rem; }}
ul {{ margin: .25rem 0 0; padding: 0; list-style: none; color: {style.LOWER}; }}
i {{ display: inline-block; width: 1.1rem; height: 0; margin-right: .5rem;
  vertical-align: middle; border-top: 3px solid; }}
"""


@dataclass(frozen=True)
class _Entry:
    """One case: its structures by name and its picture as PNG, wide if it has three planes."""

    name: str
    structures: dict[str, Structure]
    picture: bytes
    wide: bool


class QcPage:
    """Collects segmentations one by one, of each only its numbers and one picture."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []

    def add(self, segmented: Segmented) -> None:
        """Measure one segmentation and draw it: three planes in 3D, else the slice networks see."""
        names, labels, grid = segmented.task.class_names, segmented.labels, segmented.grid
        structures = {
            names[k]: Structure(
                segmented.millilitres[names[k]],
                count_components(labels, k),
                segmented.confidence[k],
            )
            for k in range(1, len(names))
        }
        affine = np.asarray(grid.native_affine)
        axis = slice_axis(grid, segmented.task)
        image = resample_to_native(segmented.image, grid, 1, float(segmented.image.min()))
        codes = [str(code) for code in nib.aff2axcodes(affine)]
        picture = overlay_picture(
            image,
            labels,
            [float(edge) for edge in nib.affines.voxel_sizes(affine)],
            codes,
            sorted(range(3), key=lambda each: _ORDER[codes[each]]) if axis is None else [axis],
        )
        self._entries.append(_Entry(segmented.name, structures, picture.png, axis is None))

    def write(self, path: Path) -> list[str]:
        """Write the page, and return the names of those to look at, the most doubtful first."""
        found = qc_flags.find_flags([entry.structures for entry in self._entries])
        ordered = sorted(zip(self._entries, found, strict=True), key=_urgency)
        write_whole(path, _page(ordered))
        return [entry.name for entry, flags in ordered if flags]


def _urgency(case: tuple[_Entry, tuple[Flag, ...]]) -> tuple[float, float]:
    """Order by the weight of the flags, then by the least sure structure."""
    entry, flags = case
    sure = [s.confidence for s in entry.structures.values() if not math.isnan(s.confidence)]
    return -sum(flag.weight for flag in flags), min(sure, default=0.0)


def _page(cases: Sequence[tuple[_Entry, tuple[Flag, ...]]]) -> str:
    flagged = sum(bool(flags) for _, flags in cases)
    compared = (
        f"Volumes are compared with each other: more than {qc_flags.FAR} robust deviations off"
        if len(cases) >= qc_flags.ENOUGH
        else f"Fewer than {qc_flags.ENOUGH} cases: volumes are not compared with each other"
    )
    head = (
        f"{len(cases)} segmentations, {flagged} to look at",
        "The most doubtful first. Flagged are structures that are empty, in more than "
        f"{qc_flags.MANY} pieces or of a mean probability below {qc_flags.UNSURE}. {compared}. "
        "No flag knows the truth: a network can be sure and wrong, above all on images unlike "
        "those it was adapted to. The patient's right is on the left.",
    )
    return "\n".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
            "img-src data:; style-src 'unsafe-inline'\">",
            '<meta name="viewport" content="width=device-width">',
            f"<title>{head[0]}</title><style>{_STYLE}</style></head><body>",
            f"<h1>{head[0]}</h1><p>{head[1]}</p>",
            _summary([entry for entry, _ in cases]),
            f"<main{' class=wide' if any(entry.wide for entry, _ in cases) else ''}>",
            *(_card(entry, flags) for entry, flags in cases),
            "</main></body></html>\n",
        )
    )


def _summary(entries: Sequence[_Entry]) -> str:
    """Return the table of the volumes of all cases."""
    names = list(entries[0].structures) if entries else []
    rows = []
    for k, name in enumerate(names, 1):
        volumes = [entry.structures[name].millilitres for entry in entries]
        cells = [np.median(volumes), min(volumes), max(volumes)]
        empty = sum(volume == 0 for volume in volumes)
        rows.append([_named(k, name), *map(_number, cells), str(empty)])
    return _table(["structure", "median ml", "least", "most", "empty"], rows)


def _card(entry: _Entry, flags: Sequence[Flag]) -> str:
    rows = [
        [
            _named(k, name),
            _number(found.millilitres),
            str(found.components),
            "–" if math.isnan(found.confidence) else f"{found.confidence:.2f}",
        ]
        for k, (name, found) in enumerate(entry.structures.items(), 1)
    ]
    reasons = "".join(f"<li>{escape(flag.structure)}: {escape(flag.reason)}</li>" for flag in flags)
    picture = base64.b64encode(entry.picture).decode("ascii")
    return (
        f"<section{' class=flagged' if flags else ''}><h2>{escape(entry.name)}</h2>"
        f"{f'<ul>{reasons}</ul>' if reasons else ''}"
        f'<div class="row"><img alt="outlines on slices" src="data:image/png;base64,{picture}">'
        f"{_table(['structure', 'ml', 'pieces', 'mean probability'], rows)}</div></section>"
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of cells that are HTML already."""
    cells = "".join(f"<th>{name}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{cells}</tr>{body}</table>"


def _named(k: int, name: str) -> str:
    """Return a structure's name beside the look of its outline."""
    colour, pattern = style.contour(k)
    line = {"-": "solid", "--": "dashed", ":": "dotted"}[pattern]
    return f'<i style="border-top: 3px {line} {colour}"></i>{escape(name)}'


def _number(value: float) -> str:
    return f"{value:.3g}" if value < 1000 else f"{value:.0f}"
