"""``report.html``: everything about a finished study on one page, without a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from importlib.resources import files

from uda_study.report import volume_viewer
from uda_study.report.page_style import document, folded, image
from uda_study.report.section import Exhibit, Material, Section
from uda_study.report.sections import (
    budget,
    checks,
    differences,
    divergence,
    factors,
    importance,
    losses,
    mixed,
    overlays,
    parallel,
    protocol,
    provenance,
    ranks,
    summary,
    tables,
    validators,
    volumes,
)
from uda_study.report.sections.volumes import Volumes

_SHOWN = 6
"""Exhibits of a section that are seen at once; a study of many rows has dozens."""

_Sections = tuple[tuple[str, Callable[[Material], Section | None]], ...]

_RESULTS: _Sections = (
    ("summary", summary.section),
    ("tables", tables.section),
    ("ranks", ranks.section),
    ("differences", differences.section),
    ("mixed", mixed.section),
    ("factors", factors.section),
    ("overlays", overlays.section),
)
_HOW_IT_CAME_ABOUT: _Sections = (
    ("divergence", divergence.section),
    ("validators", validators.section),
    ("budget", budget.section),
    ("parallel", parallel.section),
    ("importance", importance.section),
    ("losses", losses.section),
    ("protocol", protocol.section),
    ("checks", checks.section),
    ("provenance", provenance.section),
)


def study_report(material: Material, shown: Volumes, question: str = "") -> str:
    """Return the page; ``question`` is what the study asks, in plain text."""
    found = [
        *((anchor, make(material)) for anchor, make in _RESULTS),
        ("volumes", volumes.section(shown)),
        *((anchor, make(material)) for anchor, make in _HOW_IT_CAME_ABOUT),
    ]
    sections = [(anchor, section) for anchor, section in found if section is not None]
    asked = f'<p class="question">{escape(question)}</p>\n' if question else ""
    body = (
        f'<div class="page">\n{_contents(sections)}\n<main>\n'
        f"<h1>Study {escape(material.study)}</h1>\n{asked}"
        + "\n".join(_section(anchor, section) for anchor, section in sections)
        + "\n</main>\n</div>"
    )
    css = (files("uda_study.report") / "assets" / "study_report.css").read_text(encoding="utf-8")
    # The viewer weighs 2.3 MB, which a page without volumes does not need.
    scripts = volume_viewer.scripts() if volumes.visible(shown) else ()
    return document(f"Study {material.study}", body, css, scripts)


def _contents(sections: Sequence[tuple[str, Section]]) -> str:
    items = "".join(
        f'<li><a href="#{anchor}">{escape(section.title)}</a></li>' for anchor, section in sections
    )
    return f'<nav aria-label="Contents"><b>Contents</b><ol>{items}</ol></nav>'


def _section(anchor: str, section: Section) -> str:
    title = escape(section.title)
    shown = [_exhibit(exhibit) for exhibit in section.exhibits]
    if more := shown[_SHOWN:]:
        shown = [*shown[:_SHOWN], folded(f"{len(more)} more", "\n".join(more))]
    return (
        f'<section id="{anchor}">\n<h2><a href="#{anchor}">{title}</a></h2>\n'
        f"<p>{escape(section.lead)}</p>\n" + "\n".join(shown) + "\n</section>"
    )


def _exhibit(exhibit: Exhibit) -> str:
    if exhibit.picture is None and not exhibit.caption:
        return exhibit.html
    picture = "" if exhibit.picture is None else image(exhibit.picture, exhibit.caption)
    caption = f"<figcaption>{escape(exhibit.caption)}</figcaption>" if exhibit.caption else ""
    return f"<figure>{picture}{exhibit.html}{caption}</figure>"
