import dataclasses
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up_study import MadeUpStudy, crowd
from test_figures import pixels

from uda_study.errors import InputError
from uda_study.report.loss_grid import courses, loss_figure
from uda_study.report.sections.losses import section


def curves(values=(3.0, 2.0, 1.0), name="critic/loss", stage="adapt") -> pd.DataFrame:
    loss = {"stage": stage, "step": range(1, len(values) + 1), "name": name, "value": values}
    score = {"stage": "own", "step": [len(values)], "name": "blind/score", "value": [0.5]}
    return pd.concat([pd.DataFrame(loss), pd.DataFrame(score)], ignore_index=True)


def with_curves(study: MadeUpStudy, folder: Path, frames=None):
    """Return the material; every training has the same curves, or its own by key."""
    made = study.material

    def file(key: str, name: str) -> Path | None:
        frame = curves() if frames is None else frames.get(key)
        if name != "curves.csv" or frame is None:
            return None
        path = folder / f"{key.replace('/', '_')}.csv"
        frame.to_csv(path, index=False)
        return path

    return dataclasses.replace(made, file=file)


def confirmed(**other) -> MadeUpStudy:
    study = MadeUpStudy()
    study.confirm("g3", 0.5, **other)
    return study


def test_every_row_has_its_trainings(tmp_path):
    study = confirmed()
    study.confirm("g7", 0.4)
    study.bounds()
    found = section(with_curves(study, tmp_path))
    assert [e.caption.split(".")[0] for e in found.exhibits] == [
        "depth g3: phantom mr → ct, 3 confirmed trainings on 3 seeds",
        "depth g7: phantom mr → ct, 3 confirmed trainings on 3 seeds",
    ]
    assert all(pixels(exhibit.picture).std() > 5 for exhibit in found.exhibits)


def test_unconfirmed_cells_show_their_chosen_trial(tmp_path):
    study = MadeUpStudy()
    study.search("g3", [(0.2, {"entropy": 0.1}), (0.3, {"entropy": 0.2})])
    (exhibit,) = section(with_curves(study, tmp_path)).exhibits
    assert "1 search trial on 1 seed" in exhibit.caption


def test_divergence_is_marked_where_it_happened(tmp_path):
    study = confirmed(seeds=(1, 2))
    study.train("g3", "confirm", seed=3, status="diverged")
    keys = [str(run["key"]) for run in study.runs]
    frames = dict.fromkeys(keys[:2], curves((3.0, 2.0, 1.0, 0.5))) | {keys[2]: curves((3.0, 90.0))}
    (marked,) = section(with_curves(study, tmp_path, frames)).exhibits
    assert "1 training diverged" in marked.caption
    assert "3 confirmed trainings on 3 seeds" in marked.caption
    (whole,) = section(with_curves(study, tmp_path, dict(list(frames.items())[:2]))).exhibits
    assert "1 training without curves" in whole.caption
    shown = courses([frames[key] for key in keys], [False, False, True])
    assert {course.name: list(course.ended) for course in shown} == {
        "blind/score": [2],
        "critic/loss": [2],
    }


def test_without_files_or_rows_there_is_no_section(tmp_path):
    study = confirmed()
    assert section(study.material) is None
    empty = curves().iloc[:0]
    frames = {str(run["key"]): empty for run in study.runs}
    assert section(with_curves(study, tmp_path, frames)) is None


def test_all_failed_and_odd_names_are_borne(tmp_path):
    failed = confirmed()
    failed.train("g5", "search", status="failed")
    assert len(section(with_curves(failed, tmp_path)).exhibits) == 1
    assert len(section(with_curves(crowd(2), tmp_path)).exhibits) == 2


def test_values_are_medians_and_ranges_over_trainings():
    tables = [curves((v, v + 1)) for v in (1.0, 2.0, 9.0)]
    score, loss = courses(tables, [False] * 3)
    assert (score.name, loss.name) == ("blind/score", "critic/loss")
    assert loss.values.median(axis=1).tolist() == [2.0, 3.0]
    assert loss.values.shape == (2, 3)


def test_values_that_are_not_finite_are_counted_and_left_out():
    _, loss = courses([curves((1.0, math.inf, math.nan, 2.0))], [False])
    assert loss.lost == 2
    assert np.isfinite(loss.values.to_numpy()).all()
    (only,) = courses([curves((math.nan, math.nan)).iloc[:2]], [False])
    assert pixels(loss_figure([only], "t", "f")).std() > 5


def test_stages_are_named_where_there_are_several():
    two = pd.concat([curves(stage="adapt"), curves(stage="retrain")])
    assert [course.name for course in courses([two], [False])] == [
        "blind/score", "adapt · critic/loss", "retrain · critic/loss",
    ]  # fmt: skip


def test_a_band_and_a_mark_change_the_picture():
    one = courses([curves()], [False])
    two = courses([curves(), curves((9.0, 8.0, 7.0))], [False, False])
    lost = courses([curves(), curves((9.0, 8.0, 7.0))], [False, True])
    pictures = {loss_figure(shown, "t", "f").png for shown in (one, two, lost)}
    assert len(pictures) == 3


def test_no_curve_cannot_be_drawn():
    with pytest.raises(InputError, match="at least one curve"):
        loss_figure([], "t", "f")
