import pandas as pd
import pytest

from uda_study.engine.artifacts import mean_scores

COLUMNS = ["case", "subject", "role", "structure", "metric", "phase", "value"]


def table(*rows) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=COLUMNS)


def test_structures_are_averaged_in_a_case_then_cases_in_a_subject_then_subjects():
    cases = table(
        ("a1", "a", "target_test", "box", "dice", "after", 0.2),
        ("a1", "a", "target_test", "core", "dice", "after", 0.4),  # a1: 0.3
        ("a2", "a", "target_test", "box", "dice", "after", 0.9),  # a2: 0.9, a: 0.6
        ("b1", "b", "target_test", "box", "dice", "after", 1.0),
        ("b1", "b", "target_test", "core", "dice", "after", 1.0),  # b: 1.0
    )
    assert mean_scores(cases) == {"test/dice": pytest.approx(0.8)}


def test_role_metric_and_phase_name_the_score():
    cases = table(
        ("a", "a", "target_test", "box", "dice", "after", 0.1),
        ("a", "a", "target_test", "box", "dice", "before", 0.2),
        ("a", "a", "target_test", "image", "js", "after", 0.3),
        ("a", "a", "target_val", "box", "dice", "after", 0.4),
        ("a", "a", "target_val", "image", "js", "before", 0.5),
    )
    assert mean_scores(cases) == {
        "test/dice": 0.1, "test/dice_before": 0.2, "test/js": 0.3,
        "oracle/dice": 0.4, "oracle/js_before": 0.5,
    }  # fmt: skip


def test_without_cases_there_are_no_scores():
    assert mean_scores(table()) == {}
