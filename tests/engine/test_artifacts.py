from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from uda_study.engine import artifacts
from uda_study.engine.artifacts import mean_scores, write_artifacts
from uda_study.method import Hyper, Method, Needs
from uda_study.training.evaluate import Evaluator

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


class Nothing(Method[Hyper]):
    """Finds nothing in any image."""

    Hyper = Hyper
    needs = Needs(target="images")
    paper = "none"

    def stages(self):
        return []

    def segment(self, image):
        return torch.zeros(len(image), self.task.num_classes, *image.shape[2:])


class There(Nothing):
    def translate(self, image):
        return 2 * image


class ThereAndBack(There):
    def restore(self, image):
        return image / 2 + 1


@pytest.fixture
def drawn(monkeypatch) -> dict[str, list]:
    """Keep the rows of the pictures instead of drawing them."""
    rows: dict[str, list] = {}
    for name in ("overlay_figure", "translations_figure"):

        def keep(given, *_, name=name):
            rows[name] = given
            return SimpleNamespace(save=lambda path: path.touch())

        monkeypatch.setattr(artifacts, name, keep)
    return rows


def write(method: type[Nothing], study, folder) -> set[str]:
    """Write the artifacts of an untrained method; return the names of the files."""
    (data,) = study.data.values()
    evaluator = Evaluator(method(Hyper(), data.task), data, torch.device("cpu"))
    outcomes = {role: evaluator.outcomes(role) for role in ("target_val", "target_test")}
    write_artifacts(folder, SimpleNamespace(curve=[]), outcomes, data.task.class_names)
    return {path.name for path in folder.iterdir()}


def test_a_method_that_translates_leaves_a_picture_of_it(study, tmp_path, drawn):
    files = {"cases.csv", "curves.csv", "overlays.png"}
    for method, expected in ((Nothing, files), (There, files | {"translations.png"})):
        folder = tmp_path / method.__name__
        folder.mkdir()
        assert write(method, study, folder) == expected


def test_translations_show_the_slices_of_the_overlays(study, tmp_path, drawn, monkeypatch):
    # The structures cover as much of every slice: any may be the widest, but for all the same.
    monkeypatch.setattr(artifacts, "widest_slice", lambda *_: 2)
    write(ThereAndBack, study, tmp_path)
    (data,) = study.data.values()
    overlays, rows = drawn["overlay_figure"], drawn["translations_figure"]
    assert len(rows) == len(data.split.roles["target_test"])
    for overlay, row in zip(overlays, rows, strict=True):
        assert row.name == overlay.name
        assert row.name.endswith("slice 2")
        assert row.source_name.endswith("slice 2")
        np.testing.assert_array_equal(row.image, overlay.image)
        np.testing.assert_array_equal(row.translated, 2 * row.image)
        np.testing.assert_array_equal(row.translated, overlay.translated)
        np.testing.assert_allclose(row.cycled, row.image + 1)
        np.testing.assert_array_equal(row.identity, 2 * row.source)
        assert (row.plane.spacing, row.plane.axes) == (overlay.spacing, overlay.axes)
        assert row.source_name.split(",")[0] in data.split.roles["source_val"]


def test_a_method_without_a_way_back_shows_no_cycle(study, tmp_path, drawn):
    write(There, study, tmp_path)
    assert {row.cycled for row in drawn["translations_figure"]} == {None}
