r"""A leaderboard as LaTeX tables; they need the packages booktabs and graphicx.

Columns that repeat others, those before adaptation and the cost are left to JSON and CSV. A table
that is wider than the text is shrunk to it by ``\resizebox``.
"""

from __future__ import annotations

import re

from uda_study.study.board import Leaderboard
from uda_study.study.leaderboard_text import TableView, brief_views
from uda_study.study.spelling import MISSING

LEFT_OUT = ("js_excess", "oracle", "trials", "hours")
_NAMES = {
    "#": r"\#", "": "", "p (Holm)": "$p$ (Holm)",
    "hd95": "HD95 (mm)", "assd": "ASSD (mm)", "js": "JS",
}  # fmt: skip
_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "%": r"\%",
    "#": r"\#", "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "->": r"$\to$", "→": r"$\to$", "≈": r"$\approx$", "±": r"$\pm$", "−": r"$-$", "²": "$^2$",
    "–": "--", "×": r"$\times$", "…": r"\dots{}",
}  # fmt: skip
_ANY = re.compile("|".join(re.escape(text) for text in sorted(_SPECIAL, key=len, reverse=True)))


def to_latex(board: Leaderboard) -> str:
    """Return one ``table`` environment per table, its notes below the rows."""
    blocks = [_block(view) for view in brief_views(board, LEFT_OUT)]
    return "% \\usepackage{booktabs,graphicx}\n\n" + "\n\n".join(blocks) + "\n"


def escape(text: str) -> str:
    r"""Return plain text as LaTeX shows it.

    >>> escape("mr->ct, 95% of a_b")
    'mr$\\to$ct, 95\\% of a\\_b'
    """
    return _ANY.sub(lambda found: _SPECIAL[found[0]], text)


def _block(view: TableView) -> str:
    align = "".join("l" if name in ("cell", "setting", "") else "r" for name in view.columns)
    head = " & ".join(_NAMES.get(name, escape(name)) for name in view.columns)
    lines = []
    standings = view.standings or ("other",) * len(view.rows)
    for number, (row, standing) in enumerate(zip(view.rows, standings, strict=True)):
        if number and standing == "reference" != standings[number - 1]:
            lines.append(r"\midrule")
        cells = [_cell(cell) for cell in row]
        if standing == "first":
            cells = [f"\\textbf{{{cell}}}" if cell else "" for cell in cells]
        lines.append(" & ".join(cells) + r" \\")
    notes = [f"{escape(note.rstrip('.'))}.\\par" for note in view.notes]
    return "\n".join(
        [
            r"\begin{table}[htbp]",
            r"\centering",
            rf"\caption{{{escape(view.title)}.}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{{align}}}",
            r"\toprule",
            rf"{head} \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}}",
            *(
                [r"\par\smallskip", r"{\footnotesize\raggedright", *notes, r"\par}"]
                if notes
                else []
            ),
            r"\end{table}",
        ]
    )


def _cell(text: str) -> str:
    # A row that begins with a bracket would be taken for the option of the line break before it.
    if text == MISSING:
        return "--"
    return f"{{{escape(text)}}}" if text.startswith("[") else escape(text)
