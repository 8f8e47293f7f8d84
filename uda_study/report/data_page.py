"""One HTML page about the images of a study, with nothing to fetch and no names but the cases'."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from uda_study.data.check import Check
from uda_study.data.facts import PERCENTILES, CaseFacts
from uda_study.data.outliers import usual_unnamed
from uda_study.data.remarks import Remark
from uda_study.report.contact_sheet import contact_sheet, describe
from uda_study.report.domain_shift import (
    Shift,
    Voxels,
    domain_shift,
    intensity_figure,
    shift_figure,
)
from uda_study.report.page_style import document, image, table
from uda_study.report.style import Picture

MOST_PICTURES = 60
"""Cases that are shown as pictures, over all domains."""


NATIVE, PREPARED = "as in the files", "as prepared"


@dataclass(frozen=True)
class Subject:
    """What the page is about: a dataset, and the study's name and directions if there is one."""

    dataset: str
    study: str | None = None
    directions: tuple[str, ...] = ()


def shifts_of(check: Check) -> dict[str, Shift]:
    """Return the divergences between the domains, of the files' intensities and as prepared."""
    return {name: domain_shift(domains) for name, domains in _stages(check).items()}


def data_page(check: Check, subject: Subject, shifts: Mapping[str, Shift]) -> str:
    """Return the page; files' names in messages are left out, since they may name patients."""
    parts = [
        f"<h1>Images of {escape(subject.study or subject.dataset)}</h1>",
        _summary(check, subject),
        "<h2>What was found</h2>",
        _remarks(check),
        "<h2>Domains</h2>",
        _domains(check),
    ]
    stages = _stages(check)
    if any(images for domains in stages.values() for images in domains.values()):
        parts += [
            "<h2>Intensities</h2>",
            _figure(
                intensity_figure(stages),
                "Histograms of the voxels inside each image's mask: the mean over the images of a "
                "domain, and what the middle 80 % of them have.",
            ),
            _figure(
                shift_figure(shifts),
                "Jensen–Shannon divergence in bits (0 equal, 1 disjoint). On the diagonal the mean "
                "over pairs of different images of a domain, beside it over pairs of two domains; "
                "the excess is what the second has beyond the mean of the first. A dash stands "
                "where a domain has too few images.",
            ),
        ]
    parts += ["<h2>Cases</h2>", *_pictures(check), _cases(check)]
    return document(f"Images of {subject.study or subject.dataset}", "\n".join(parts))


def _stages(check: Check) -> dict[str, dict[str, list[Voxels]]]:
    """Return the voxels by domain, of the cases that have as many channels as most."""
    counts = [len(facts.case.images) for facts in check.cases]
    usual = max(dict.fromkeys(counts), key=counts.count, default=0)
    domains = check.domains.items()
    return {
        NATIVE: {d: [f.native for f in own if len(f.native) == usual] for d, own in domains},
        PREPARED: {d: [f.prepared for f in own if len(f.prepared) == usual] for d, own in domains},
    }


def _summary(check: Check, subject: Subject) -> str:
    errors, warnings = len(check.errors), len(check.warnings)
    state = "bad" if errors else "odd" if warnings else "good"
    verdict = (
        f"{_count(errors, 'error')}, {_count(warnings, 'warning')}"
        if errors or warnings
        else "nothing wrong was found"
    )
    facts = [
        ("dataset", subject.dataset),
        ("directions", ", ".join(subject.directions) or "none: no study was given"),
        ("cases", f"{len(check.cases)} in {_count(len(check.domains), 'domain')}"),
        ("structures", ", ".join(check.structures)),
    ]
    rows = "".join(f"<dt>{name}</dt><dd>{escape(value)}</dd>" for name, value in facts)
    return f'<p class="verdict {state}">{verdict}</p><dl>{rows}</dl>'


def _remarks(check: Check) -> str:
    if not check.remarks:
        return "<p>Every file could be read, and no case stands out.</p>"
    items = "".join(
        f'<li class="{"bad" if remark.fatal else "odd"}">'
        f"<b>{'error' if remark.fatal else 'warning'}</b> {escape(_private(remark))}</li>"
        for remark in check.remarks
    )
    return f"<ul>{items}</ul>"


def _private(remark: Remark) -> str:
    """Return what a remark says without the names of the files it is about."""
    text = str(remark.problem)
    for case in remark.cases:
        files = {*case.images, *case.labels, *([case.mask] if case.mask else [])}
        for path in sorted(files, key=lambda path: -len(str(path))):
            text = text.replace(str(path), "its file").replace(path.name, "its file")
    return text


def _domains(check: Check) -> str:
    head = ["domain", "cases", "subjects", "labelled", "size", "spacing (mm)", "axes"]
    head += [f"percentile {q}" for q in (PERCENTILES[0], 50, PERCENTILES[-1])]
    head += [f"{name} (ml)" for name in check.structures]
    head += ["other label values"]
    rows = []
    for domain, members in check.domains.items():
        read = [facts for facts in members if facts.shape]
        cells = [
            domain,
            str(len(members)),
            str(len({facts.case.subject for facts in members})),
            str(sum(facts.case.label is not None for facts in members)),
            _spread([_times(facts.shape) for facts in read]),
            _spread([_spacing(facts) for facts in read]),
            _spread([facts.orientation for facts in read]),
        ]
        for column in (0, PERCENTILES.index(50), -1):
            cells.append(_median([f.percentiles[0][column] for f in read if f.percentiles]))
        for name in check.structures:
            cells.append(_median([f.volumes[name] for f in read if f.volumes]))
        rows.append([*cells, ", ".join(map(str, usual_unnamed(members))) or "–"])
    note = "<p class=note>Sizes and spacings are the commonest; the other numbers are medians."
    note += " Label values that no structure has are background."
    note += " Percentiles are of the files' own values inside the mask, first channel.</p>"
    return table(head, rows) + note


def _cases(check: Check) -> str:
    head = ["case", "domain", "size", "spacing (mm)", "axes"]
    head += [f"p{q}" for q in PERCENTILES] + [f"{name} (ml)" for name in check.structures]
    head += ["label values", "found"]
    rows = []
    for facts in check.cases:
        own = [r for r in check.remarks if facts.case in r.cases]
        level = "error" if any(r.fatal for r in own) else "warning" if own else "–"
        numbers = facts.percentiles[0] if facts.percentiles else ()
        rows.append(
            [
                facts.case.id,
                facts.case.domain,
                _times(facts.shape),
                _spacing(facts),
                facts.orientation,
                *([f"{n:.4g}" for n in numbers] or [""] * len(PERCENTILES)),
                *(
                    f"{facts.volumes[name]:.4g}" if name in facts.volumes else ""
                    for name in check.structures
                ),
                _values(facts),
                level,
            ]
        )
    return table(head, rows)


def _pictures(check: Check) -> Iterable[str]:
    """Yield a sheet per domain; cases with remarks come first where not all can be shown."""
    each = MOST_PICTURES // max(len(check.domains), 1)
    noted = {case.id for remark in check.remarks for case in remark.cases}
    for domain, members in check.domains.items():
        seen = [facts for facts in members if facts.glance is not None]
        shown = sorted(seen, key=lambda facts: facts.case.id not in noted)[: max(each, 1)]
        pictures = [(f.case.id, f.glance) for f in seen if f in shown and f.glance is not None]
        yield f"<h3>{escape(domain)}</h3>"
        if not pictures:
            yield "<p>No image of this domain could be read.</p>"
            continue
        caption = describe()
        if len(shown) < len(seen):
            caption = (
                f"{len(shown)} of {len(seen)} cases, those with remarks before others. {caption}"
            )
        yield _figure(contact_sheet(pictures, check.structures), caption, photographs=True)


def _figure(picture: Picture, caption: str, *, photographs: bool = False) -> str:
    shown = image(picture, caption, photographs=photographs)
    return f"<figure>{shown}<figcaption>{escape(caption)}</figcaption></figure>"


def _values(facts: CaseFacts) -> str:
    values = [str(value) for value in facts.values]
    return ", ".join(values[:8]) + (", …" if len(values) > 8 else "")


def _times(shape: Sequence[int]) -> str:
    return " × ".join(map(str, shape))


def _spacing(facts: CaseFacts) -> str:
    return " × ".join(f"{edge:.3g}" for edge in facts.spacing)


def _spread(texts: Sequence[str]) -> str:
    """Return the commonest text, and how many others there are."""
    if not texts:
        return "–"
    commonest = max(dict.fromkeys(texts), key=texts.count)
    others = len(set(texts)) - 1
    return f"{commonest} and {others} more" if others else commonest


def _median(values: Sequence[float]) -> str:
    return f"{np.median(values):.4g}" if values else "–"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")
