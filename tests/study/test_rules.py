import numpy as np
import pandas as pd
import pytest

from uda_study.errors import InputError
from uda_study.study import rules, statistics
from uda_study.study.leaderboard import leaderboard, mean_dice

COLUMNS = ["blind/snd", "blind/score", "oracle/dice", "test/dice"]


def trial(number: int, cell: str = "a", **scores: float) -> dict[str, object]:
    return {
        "study": "s", "key": f"{cell}{number}", "cell": cell, "kind": "search", "number": number,
        "method": "dam", "dataset": "d", "direction": "mr->ct", "fold": 0, "seed": 0,
        "supervision": "images", "protocol": "strict", "selection": "blind/rank_avg", "seeds": 2,
        "status": "complete", "factors": "{}", "params": f'{{"lr": {number}}}',
        **{f"blind/{n}": scores[n] for n in ("snd", "entropy") if n in scores},
        "oracle/dice": scores.get("oracle", 0.0),
    }  # fmt: skip


TRIALS = [
    trial(0, snd=0.9, entropy=0.1, oracle=0.3),
    trial(1, snd=0.5, entropy=0.8, oracle=0.9),
    trial(2, snd=0.1, entropy=0.9, oracle=0.6),
]
DICE = {"a0": 0.30, "a1": 0.80, "a2": 0.70}


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("snd", "blind/snd"),
        ("blind/snd", "blind/snd"),
        ("rank_avg", "blind/rank_avg"),
        ("oracle", "oracle/dice"),
        ("published", "published"),
    ],
)
def test_rules_are_named_shortly_or_whole(text, rule):
    assert rules.rule_of(text, COLUMNS) == rule


def test_what_the_trainings_do_not_have_is_no_rule():
    with pytest.raises(InputError, match=r"no such rule or score, got 'sdn'; did you mean 'snd'"):
        rules.rule_of("sdn", COLUMNS)
    with pytest.raises(InputError, match="no such rule"):
        rules.rule_of("test", COLUMNS)


@pytest.mark.parametrize(
    ("rule", "key"),
    [("blind/snd", "a0"), ("blind/entropy", "a2"), ("oracle/dice", "a1"), ("published", "a0")],
)
def test_each_rule_chooses_by_its_own_score(rule, key):
    assert rules.choose(rule, TRIALS) == key


def test_a_failed_published_setting_is_not_chosen():
    failed = [{**TRIALS[0], "status": "failed"}, *TRIALS[1:]]
    assert rules.choose("published", failed) is None


def test_the_price_is_what_is_lost_against_the_oracle():
    found = {p.rule: p for p in rules.prices(pd.DataFrame(TRIALS), DICE)["mr->ct"]}
    assert found["blind/snd"].regret == pytest.approx(0.5)
    assert found["blind/snd"].spearman == pytest.approx(-0.5)
    assert found["blind/entropy"].regret == pytest.approx(0.1)
    assert found["published"].spearman is None
    assert next(iter(found)) == "blind/entropy"


def test_prices_are_means_over_cells_and_need_a_choice_in_each():
    other = [trial(n, cell="b", entropy=0.5 - n / 10, oracle=n / 10) for n in range(2)]
    dice = {**DICE, "b0": 0.2, "b1": 0.6}
    found = {p.rule: p for p in rules.prices(pd.DataFrame([*TRIALS, *other]), dice)["mr->ct"]}
    assert "blind/snd" not in found
    assert found["blind/entropy"].cells == 2
    assert found["blind/entropy"].dice == pytest.approx((0.7 + 0.2) / 2)
    assert found["blind/entropy"].regret == pytest.approx((0.8 + 0.6) / 2 - (0.7 + 0.2) / 2)


def confirmed_study() -> tuple[pd.DataFrame, pd.DataFrame]:
    confirm = [{**TRIALS[2], "key": f"c{seed}", "kind": "confirm", "seed": seed} for seed in (1, 2)]
    runs = pd.DataFrame([*TRIALS, *confirm])
    levels = {**DICE, "c1": 0.72, "c2": 0.74}
    cases = pd.DataFrame(
        {
            "key": key, "case": subject, "subject": subject, "role": "target_test",
            "structure": "organ", "metric": "dice", "phase": "after", "value": level,
        }
        for key, level in levels.items()
        for subject in "abcdef"
    )  # fmt: skip
    return runs, cases


def test_another_rule_shows_confirmations_only_where_it_chooses_the_same():
    runs, cases = confirmed_study()
    assert mean_dice(cases)["a1"] == pytest.approx(0.8)
    same = leaderboard(runs, cases, select="entropy").tables[0].rows[0]
    assert (same.dice, same.provisional) == (pytest.approx(0.73), False)
    board = leaderboard(runs, cases, select="snd")
    other = board.tables[0].rows[0]
    assert (other.dice, other.provisional) == (pytest.approx(0.3), True)
    assert other.oracle.gap == pytest.approx(-0.5)
    assert board.selected_by == "blind/snd"


def test_p_values_are_adjusted_for_all_pairs_of_rows():
    runs, cases = [], []
    random = np.random.default_rng(0)
    for cell in range(4):
        for seed in (1, 2, 3):
            run = trial(0, cell=f"m{cell}-{seed}-")
            runs.append({**run, "kind": "confirm", "cell": f"m{cell}", "seed": seed})
            cases += [
                {
                    "key": run["key"], "case": subject, "subject": subject, "role": "target_test",
                    "structure": "organ", "metric": "dice", "phase": "after",
                    "value": 0.5 + 0.05 * cell + random.normal(0, 0.05),
                }
                for subject in "abcdefghij"
            ]  # fmt: skip
    rows = leaderboard(pd.DataFrame(runs), pd.DataFrame(cases)).tables[0].rows
    compared = [statistics.compare(row.by_seed, rows[0].by_seed) for row in rows[1:]]
    expected = statistics.holm([one.p for one in compared], of=6)
    assert [row.against_first.p_holm for row in rows[1:]] == pytest.approx(expected)
    assert min(expected) < 1


def test_a_choice_with_target_labels_is_marked():
    runs, cases = confirmed_study()
    assert leaderboard(runs, cases, select="oracle").selected_by == "oracle/dice"
