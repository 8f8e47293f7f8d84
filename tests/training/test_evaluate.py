from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest
import torch
from tiny import PREPROCESSING

from uda_study.data.labels import LabelReader
from uda_study.data.postprocess import PostprocessSpec
from uda_study.data.prepare import prepare
from uda_study.datasets.manifest import Manifest, ManifestOptions
from uda_study.method import Hyper, Method, Needs
from uda_study.training.evaluate import Evaluator

CPU = torch.device("cpu")
ROLE = "target_test"


class ByIntensity(Method[Hyper]):
    """Segments the noiseless phantom without error, before its adaptation not at all."""

    Hyper = Hyper
    needs = Needs(target="images")
    paper = "none"
    levels = (0.0, -2.0, -4.0)

    def stages(self):
        return []

    def segment(self, image):
        return torch.cat([-((image - level) ** 2) for level in self.levels], dim=1)

    def segment_source(self, image):
        nothing = torch.zeros_like(image)
        return torch.cat([nothing + 1, nothing, nothing], dim=1)


class Inverting(ByIntensity):
    def translate(self, image):
        return -image


@pytest.fixture(scope="module")
def clean(tmp_path_factory, data):
    """Target cases without noise, on a grid of half the native size along one axis."""
    root = tmp_path_factory.mktemp("clean")
    rows = ["subject,domain,image,label"]
    for domain, sign in (("mr", 1), ("ct", -1)):
        for n in range(5):
            label = np.zeros((16, 16, 4), np.uint8)
            label[3 : 9 + n, 4:12] = 1
            label[5:8, 6:9] = 2
            # Not one value outside, which would be taken for a stripped background.
            ripple = 0.1 * (np.arange(16) % 3)[:, None, None]
            image = (sign * (2.0 * label + ripple)).astype(np.float32)
            for kind, array in (("image", image), ("label", label)):
                nib.Nifti1Image(array, np.diag([1.0, 1.0, 2.0, 1.0])).to_filename(
                    root / f"{domain}{n}_{kind}.nii"
                )
            rows.append(f"{domain}{n},{domain},{domain}{n}_image.nii,{domain}{n}_label.nii")
    (root / "manifest.csv").write_text("\n".join(rows))
    cases = Manifest(ManifestOptions(), root, root / "cache").cases()
    preset = PREPROCESSING.model_copy(update={"intensity": "none", "spacing": (1.0, 1.0, 4.0)})
    return replace(data, prepared=prepare(cases, preset, root / "cache"))


def rows_of(outcomes, metric: str) -> list:
    return [row for outcome in outcomes for row in outcome.rows if row.metric == metric]


def test_a_perfect_prediction_has_dice_one_after_and_none_before(clean):
    outcomes = list(Evaluator(ByIntensity(Hyper(), clean.task), clean, CPU).outcomes(ROLE))
    rows = rows_of(outcomes, "dice")
    assert {row.case for row in rows} == set(clean.split.roles[ROLE])
    for phase, value in (("after", 1.0), ("before", 0.0)):
        found = [row for row in rows if row.phase == phase]
        assert {row.structure for row in found} == {"box", "core"}
        assert {row.value for row in found} == {value}
        assert len(found) == 2 * len(outcomes)
        assert all(row.role == ROLE for row in found)
        assert all(row.subject == clean.prepared[row.case].case.subject for row in found)


def test_distances_are_in_mm_of_the_native_grid(clean):
    outcomes = list(Evaluator(ByIntensity(Hyper(), clean.task), clean, CPU).outcomes(ROLE))
    rows = rows_of(outcomes, "hd95")
    assert {row.value for row in rows if row.phase == "after"} == {0.0}
    diagonal = pytest.approx(np.hypot(16 * np.sqrt(2), 4 * 2))
    assert {row.phase for row in rows} == {"before", "after"}
    assert all(row.value == diagonal for row in rows if row.phase == "before")


def test_a_value_of_all_structures_together_has_one_row(clean):
    for outcome in Evaluator(ByIntensity(Hyper(), clean.task), clean, CPU).outcomes(ROLE):
        found = {row.phase: row for row in outcome.rows if row.metric == "n_missed"}
        assert (found["before"].value, found["after"].value) == (2, 0)
        assert {row.structure for row in found.values()} == {"all"}


def test_labels_lie_on_the_native_grid(clean):
    for outcome in Evaluator(ByIntensity(Hyper(), clean.task), clean, CPU).outcomes(ROLE):
        assert outcome.prepared.grid.shape == (16, 16, 2)
        assert outcome.truth.shape == outcome.after.shape == outcome.before.shape == (16, 16, 4)
        assert np.array_equal(outcome.after, outcome.truth)


def test_post_processing_is_done_before_anything_is_measured(clean):
    class WithIslands(ByIntensity):
        """Sees a box in two corners as well, before its adaptation and after."""

        def segment(self, image):
            logits = super().segment(image)
            for corner in (0, -1):
                logits[:, 0, corner, corner] = logits[:, 2, corner, corner] = -99
            return logits

        def segment_source(self, image):
            return self.segment(image)

    def dice(rules):
        method = WithIslands(Hyper(), clean.task)
        outcomes = Evaluator(method, clean, CPU, PostprocessSpec(**rules)).outcomes(ROLE)
        rows = rows_of(outcomes, "dice")
        return {
            (phase, name): {
                row.value for row in rows if (row.phase, row.structure) == (phase, name)
            }
            for phase in ("before", "after")
            for name in ("box", "core")
        }

    kept = dice({})
    assert all(max(kept[phase, "box"]) < 1 for phase in ("before", "after"))
    removed = dice({"largest_component": ["box"]})
    assert set(map(tuple, removed.values())) == {(1.0,)}


def test_divergences_are_the_same_before_and_after_without_translation(clean):
    outcomes = Evaluator(ByIntensity(Hyper(), clean.task), clean, CPU).outcomes(ROLE)
    for outcome in outcomes:
        found = {row.phase: row for row in outcome.rows if row.metric == "js"}
        assert set(found) == {"before", "after"}
        assert found["before"].value == found["after"].value > 0.1
        assert found["after"].structure == "image"


def test_a_translation_shows_in_the_divergence_after(clean):
    outcomes = list(Evaluator(Inverting(Hyper(), clean.task), clean, CPU).outcomes(ROLE))
    for outcome in outcomes:
        found = {row.phase: row.value for row in outcome.rows if row.metric == "js"}
        # Mirrored intensities are the source's, up to the size of the structures.
        assert found["after"] < 0.1 < found["before"]


def test_a_method_without_a_source_segmenter_has_no_row_before(data, make_method):
    outcomes = list(Evaluator(make_method("target_supervised"), data, CPU).outcomes(ROLE))
    assert all(outcome.before is None for outcome in outcomes)
    assert {row.phase for row in rows_of(outcomes, "dice")} == {"after"}


def test_labels_of_other_roles_stay_closed(data, make_method, monkeypatch):
    readers = []
    original = LabelReader.__init__

    def remembering(self, allowed, purpose):
        original(self, allowed, purpose)
        readers.append(self)

    monkeypatch.setattr(LabelReader, "__init__", remembering)
    list(Evaluator(make_method(), data, CPU).outcomes("target_val"))
    (reader,) = readers
    assert reader.allowed == set(data.split.roles["target_val"])
    assert set(reader.counts) == set(data.split.roles["target_val"])
    assert reader.purpose == "evaluation on target_val"
