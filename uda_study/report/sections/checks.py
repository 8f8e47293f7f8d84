"""The checks that stand between training and test labels."""

from __future__ import annotations

from html import escape

from uda_study.report.section import Exhibit, Material, Section


def section(material: Material) -> Section | None:
    """Return what was checked before the study began; None where nothing was written down."""
    if not material.checks:
        return None
    failed = sum(not check.passed for check in material.checks)
    state, words = ("bad", f"{failed} of {len(material.checks)} checks did not hold")
    if not failed:
        state, words = "good", f"all {len(material.checks)} checks held"
    items = "".join(
        f'<li class="{"good" if check.passed else "bad"}"><b>{escape(check.name)}</b> '
        f"{'' if check.passed else 'did not hold: '}{escape(check.detail)}</li>"
        for check in material.checks
    )
    return Section(
        "Leak checks",
        "Looked at before anything was trained: subjects in two roles, images twice, labels within "
        "reach of code that has no right to them.",
        (
            Exhibit(
                "", html=f'<p class="verdict {state}">{words}</p><ul class="words">{items}</ul>'
            ),
        ),
    )
