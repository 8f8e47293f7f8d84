"""LaTeX is checked by its rules: no engine is needed to run the tests."""

import re

import pytest
from test_leaderboard import BASE, Study

from uda_study.study.leaderboard_latex import escape, to_latex


@pytest.fixture
def text() -> str:
    study = Study()
    for cell, lift in (("a_b & 50% #1 {x} ~^\\", 0.1), ("[deep]", 0.0)):
        for seed in (1, 2, 3):
            study.add(cell, "confirm", 0, seed, BASE + lift + 0.01 * seed)
    study.add("n", "baseline", 0, 1, 0.4, method="no_adaptation")
    return to_latex(study.board())


def tabular(text: str) -> list[str]:
    (body,) = re.findall(r"\\toprule\n(.*?)\\bottomrule", text, re.DOTALL)
    return [line for line in body.splitlines() if line != r"\midrule"]


def unescaped(text: str, characters: str) -> list[str]:
    return re.findall(rf"(?<!\\)[{characters}]", text)


def test_every_row_has_a_cell_per_column(text: str):
    (columns,) = re.findall(r"\\begin\{tabular\}\{([lr]+)\}", text)
    lines = tabular(text)
    assert len(lines) == 4
    for line in lines:
        assert line.endswith(r" \\")
        assert len(unescaped(line, "&")) == len(columns) - 1


def test_braces_and_environments_are_closed(text: str):
    plain = text.replace(r"\{", "").replace(r"\}", "")
    assert plain.count("{") == plain.count("}")
    for name in ("table", "tabular"):
        assert text.count(rf"\begin{{{name}}}") == text.count(rf"\end{{{name}}}") == 1
    assert not len(unescaped(text, "$")) % 2


def test_special_characters_are_escaped(text: str):
    first = tabular(text)[1]
    assert r"a\_b \& 50\% \#1 \{x\} \textasciitilde{}\textasciicircum{}\textbackslash{}" in first
    assert not unescaped("\n".join(text.splitlines()[1:]).replace("{!}{%", ""), "%#_")
    assert escape("a<b>c|d ≈ ± −") == (
        r"a\textless{}b\textgreater{}c\textbar{}d $\approx$ $\pm$ $-$"
    )


def test_nothing_is_left_that_plain_latex_cannot_set(text: str):
    assert text.isascii()


def test_no_row_begins_with_what_would_be_an_option_of_the_line_break(text: str):
    assert not [line for line in tabular(text) if line.startswith("[")]
    assert "{[deep]}" in text


def test_the_first_row_is_bold_and_references_are_set_apart(text: str):
    lines = text.splitlines()
    assert [line for line in lines if r"\textbf{1}" in line] == [tabular(text)[1]]
    place = next(n for n, line in enumerate(lines) if "no\\_adaptation" in line)
    assert lines[place - 1] == r"\midrule"


def test_the_caption_says_what_is_compared(text: str):
    assert r"\caption{phantom mr$\to$ct, supervision images, 8 subjects, 3 seeds" in text
