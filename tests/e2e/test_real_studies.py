"""The example studies run on real images of patients."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.ray

SPACES = Path(__file__).parents[2] / "search_spaces"


@pytest.mark.parametrize(
    ("pack", "direction", "subjects"),
    [("glioma", "flair->t1c", 3), ("cord", "milan->juntendo", 1)],
)
def test_a_study_of_real_images_runs_to_its_leaderboard(
    shell, real_images, pack, direction, subjects
):
    root = f"data.root={real_images / pack}"
    outcome = shell.json("run", str(SPACES / f"{pack}.yaml"), "--smoke", "--set", root, "--json")
    assert outcome["status"] == "complete"
    assert outcome["trials"]["failed"] == 0
    board = shell.json("leaderboard", outcome["study"], "--json")
    (table,) = board["tables"]
    assert (table["dataset"], table["direction"]) == ("manifest", direction)
    assert table["protocol"] == "transductive"
    assert {row["n_subjects"] for row in table["rows"]} == {subjects}
    for row in table["rows"]:
        assert 0 <= row["scores"]["dice"]["mean"] <= 1
        assert 0 <= row["scores"]["js"]["mean"] <= 1
