"""Two kinds of importance side by side, for two scores: bars per hyperparameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from uda_study.errors import InputError
from uda_study.report import style
from uda_study.report.frame import MARGIN, Heading, Mark, shortened, text_width
from uda_study.study.importance import Importance, Share

_CHANCE = "#C3D3DF"
_MEASURES = (
    ("variance", "fANOVA", "what explains the variance"),
    ("reach", "PED-ANOVA", "what reaches the top"),
)

# Inches.
_WIDTH, _PITCH, _BETWEEN, _TITLES, _HEAD, _BELOW, _NUMBER = 1.45, 0.25, 0.34, 0.26, 0.5, 0.5, 0.3


def importance_figure(
    scores: Mapping[str, Sequence[Importance]], title: str, facts: str
) -> style.Picture:
    """Draw fANOVA's and PED-ANOVA's shares, two columns of bars for each score by its name.

    Parameters stand in one order in all columns, by the first score's fANOVA. Raises `InputError`
    where there is nothing to draw.
    """
    given = {name: rows for name, rows in scores.items() if rows}
    if not given:
        raise InputError.of("importance", "needs at least one parameter")
    by_name = {name: {row.parameter: row for row in rows} for name, rows in given.items()}
    order = sorted(
        dict.fromkeys(parameter for rows in by_name.values() for parameter in rows),
        key=lambda parameter: (-_value(next(iter(by_name.values())).get(parameter)), parameter),
    )
    labels = [shortened(name, 36) for name in order]
    names = MARGIN + max(text_width(label, style.LABEL) for label in labels) + 0.12
    columns = [(score, *measure) for score in given for measure in _MEASURES]
    width = names + len(columns) * (_WIDTH + _NUMBER + _BETWEEN) - _BETWEEN + MARGIN
    heading = Heading(
        title,
        facts,
        [
            Mark("█", style.METHOD, "more than chance alone did"),
            Mark("█", _CHANCE, "chance alone did as much"),
        ],
    )
    start = heading.height(width)
    body = _PITCH * len(order)
    with style.styled():
        figure = style.new_figure(width, start + _TITLES + _HEAD + body + _BELOW)
        heading.draw(figure, width)
        for place, (score, field, measure, meaning) in enumerate(columns):
            left = names + place * (_WIDTH + _NUMBER + _BETWEEN)
            if place % len(_MEASURES) == 0:
                style.write(figure, left, start, score, size=style.TITLE, weight="bold")
            style.write(figure, left, start + _TITLES, measure, weight="bold")
            style.write(
                figure, left, start + _TITLES + 0.18, meaning, size=style.SMALL,
                colour=style.QUIET,
            )  # fmt: skip
            axes = style.place(figure, left, start + _TITLES + _HEAD, _WIDTH, body)
            shares = [_share(by_name[score].get(name), field) for name in order]
            _draw(axes, shares, labels if place == 0 else [""] * len(labels))
        return style.render(figure)


def _draw(axes: Axes, shares: Sequence[Share | None], labels: Sequence[str]) -> None:
    axes.set_ylim(len(shares) - 0.5, -0.5)
    axes.set_yticks(range(len(shares)), labels, size=style.LABEL)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", ".5", "1"])
    axes.grid(axis="x")
    axes.set_xlabel("share", size=style.SMALL, labelpad=2)
    for y, share in enumerate(shares):
        if share is not None:
            colour = style.METHOD if share.stands_out else _CHANCE
            axes.barh(y, share.value, height=0.62, color=colour, linewidth=0)
        axes.text(
            1.03, y, "–" if share is None else f"{share.value:.2f}", size=style.SMALL,
            color=style.INK if share is not None and share.stands_out else style.QUIET,
            va="center_baseline", transform=axes.get_yaxis_transform(),
        )  # fmt: skip


def _share(row: Importance | None, field: str) -> Share | None:
    if row is None:
        return None
    return row.variance if field == "variance" else row.reach


def _value(row: Importance | None) -> float:
    return -1.0 if row is None or row.variance is None else row.variance.value
