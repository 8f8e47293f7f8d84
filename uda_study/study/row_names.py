"""One side of a comparison, named as people do: by a cell, some of its words, or a method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from uda_study.errors import InputError, Problem
from uda_study.study.board import Leaderboard, Row, Table
from uda_study.study.leaderboard import scored_runs
from uda_study.study.schema_errors import nearest


@dataclass(frozen=True)
class Side:
    """A row of a leaderboard and what it stands on.

    ``trainings`` are the seeds of the complete trainings that its values come from, by key;
    ``ranked`` is how many rows its table ranks, 0 for a row that is in no ranking.
    """

    row: Row
    dataset: str
    direction: str
    supervision: str
    protocol: str
    selected_by: str
    trainings: Mapping[str, int]
    ranked: int

    @property
    def name(self) -> str:
        """What is unique among the rows of a study."""
        return self.row.cell

    @property
    def words(self) -> set[str]:
        """The words that may name it: of its cell, their values, its method, direction and role."""
        of_cell = self.row.cell.split()
        values = {word.partition("=")[2] for word in of_cell if "=" in word}
        role = set() if self.row.role == "method" else set(self.row.role.split())
        return {*of_cell, *values, self.row.method, self.direction, *role}


def sides(board: Leaderboard, runs: pd.DataFrame) -> list[Side]:
    """Return the rows of one study's leaderboard by cell, references once, with their trainings.

    ``runs`` is the runs' table that the leaderboard was computed from.
    """
    found: dict[str, Side] = {}
    for table in board.tables:
        for row in table.rows:
            found.setdefault(row.cell, _side(board, table, row, runs))
    return list(found.values())


def _side(board: Leaderboard, table: Table, row: Row, runs: pd.DataFrame) -> Side:
    mine = runs[runs["cell"] == row.cell]
    if row.role == "method":
        scored = scored_runs(mine.assign(**{"blind/score": mine.get("blind/score")}))
    else:
        scored = mine[mine["status"] == "complete"]
    return Side(
        row=row,
        dataset=table.dataset,
        direction=table.direction,
        supervision=str(mine["supervision"].iloc[0]),
        protocol=table.protocol,
        selected_by=board.selected_by,
        trainings=dict(zip(scored["key"], scored["seed"].astype(int).tolist(), strict=True)),
        ranked=sum(other.rank is not None for other in table.rows) if row.role == "method" else 0,
    )


def find_pair(first: Sequence[Side], second: Sequence[Side], a: str, b: str) -> tuple[Side, Side]:
    """Return the only pair of rows of one dataset and direction that the two texts name.

    A text is a row's cell, or words of it in any order. What one text leaves open the other may
    settle, since rows of different directions are never compared. Raises `InputError` with the
    candidates for names that fit no row, several, one row twice, or rows that are not comparable.
    """
    left, right = _named(first, a), _named(second, b)
    problems = [*_unknown("A", a, first, left), *_unknown("B", b, second, right)]
    if problems:
        raise InputError(problems)
    pairs = [(x, y) for x in left for y in right if _place(x) == _place(y)]
    if not pairs:
        raise InputError.of(
            "A and B",
            "must be rows of one dataset and one direction",
            f"{_listed(left, places=True)} and {_listed(right, places=True)}",
        )
    problems = [*_several("A", a, [x for x, _ in pairs]), *_several("B", b, [y for _, y in pairs])]
    if problems:
        raise InputError(problems)
    ((x, y),) = pairs
    if (x.row.study, x.name) == (y.row.study, y.name):
        raise InputError.of("A and B", "must be two rows", f"{x.name!r} twice", _choices(second))
    for where, side in (("A", x), ("B", y)):
        if side.row.dice is None:
            raise InputError.of(where, "has no finished training", repr(side.name))
    return x, y


def _named(known: Sequence[Side], text: str) -> list[Side]:
    whole = [side for side in known if side.name == text.strip()]
    # As the leaderboard shows references: no_adaptation (lower bound).
    words = set(text.replace("(", " ").replace(")", " ").split())
    return whole or [side for side in known if words and words <= side.words]


def _place(side: Side) -> tuple[str, str]:
    return side.dataset, side.direction


def _unknown(
    where: str, text: str, known: Sequence[Side], named: Sequence[Side]
) -> Iterator[Problem]:
    if not named:
        words = sorted({word for side in known for word in side.words})
        near = nearest(text, words, offer_all=False)
        yield Problem(where, "no row has these words", repr(text), near or _choices(known))


def _several(where: str, text: str, named: Sequence[Side]) -> Iterator[Problem]:
    if len({side.name for side in named}) > 1:
        yield Problem(where, "names more than one row", repr(text), _choices(named))


def _choices(known: Sequence[Side]) -> str:
    return f"choose from {_listed(known)}" if known else "the study has no rows"


def _listed(known: Sequence[Side], *, places: bool = False) -> str:
    names = (
        f"{side.name!r} ({side.dataset} {side.direction})" if places else repr(side.name)
        for side in known
    )
    return ", ".join(dict.fromkeys(names))
