"""Metrics of images, on methods whose translation is known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from uda_study import plugins
from uda_study.method import Hyper, Method, Needs
from uda_study.metric import Metric
from uda_study.metrics.ssim import StructuralSimilarity
from uda_study.training import features
from uda_study.training.evaluate import WHOLE_SET, Evaluator, default_metrics
from uda_study.training.features import PlaneFeatures
from uda_study.training.image_metrics import applies
from uda_study.training.stage_cache import StageCache

CPU = torch.device("cpu")
ROLE = "target_test"
SENSITIVITIES = ("sensitivity_mse", "sensitivity_ssim")


class Still(Method[Hyper]):
    """Segments nothing and translates nothing."""

    Hyper = Hyper
    needs = Needs(target="images")
    paper = "none"

    def __init__(self, task) -> None:
        super().__init__(Hyper(), task)
        self.segmented = 0

    def stages(self):
        return []

    def segment(self, image):
        self.segmented += 1
        return torch.zeros(len(image), self.task.num_classes, *image.shape[2:])


class Inverting(Still):
    """One way: the tiny target is the negative of the source."""

    def translate(self, image):
        return -image


class Identity(Still):
    """Both ways, and neither does anything."""

    def translate(self, image):
        return image

    def restore(self, image):
        return image


class Forgetful(Identity):
    """Restores the same whatever it is given."""

    def restore(self, image):
        return torch.zeros_like(image)


@pytest.fixture(autouse=True)
def short_training(monkeypatch):
    monkeypatch.setattr(features, "EPOCHS", (8, 8))


def rows_of(method, data, *metrics, cache=None):
    return Evaluator(method, data, CPU, metrics=metrics, cache=cache).rows(ROLE)


def test_the_costly_metrics_are_measured_only_when_named(data):
    costly = {"fid", "kid", *SENSITIVITIES}
    assert not costly & set(default_metrics())
    outcomes = list(Evaluator(Identity(data.task), data, CPU).outcomes(ROLE))
    found = {row.metric for outcome in outcomes for row in outcome.rows}
    assert found >= {"dice", "js", "js_within", "js_excess", "ssim"}
    assert not found & costly


@pytest.mark.parametrize(
    ("metric", "method", "expected"),
    [
        ("fid", Still, True), ("js", Still, True), ("dice", Still, True),
        ("ssim", Still, False), ("ssim", Inverting, True),
        ("sensitivity_mse", Inverting, False), ("sensitivity_mse", Identity, True),
    ],
)  # fmt: skip
def test_what_needs_a_translation_is_left_to_methods_that_have_one(data, metric, method, expected):
    assert applies(plugins.load("metrics", metric, Metric), method) is expected
    rows = rows_of(method(data.task), data, metric)
    assert bool(rows) is expected
    assert {row.metric for row in rows} <= {metric}


def test_a_restoration_that_copies_its_input_passes_the_noise_on(data):
    rows = rows_of(Identity(data.task), data, *SENSITIVITIES)
    errors = [row.value for row in rows if row.metric == "sensitivity_mse"]
    similar = [row.value for row in rows if row.metric == "sensitivity_ssim"]
    assert len(errors) == len(similar) == len(data.cases(ROLE))
    # The mean of s² over s in [0, 1/2]; the noise is drawn for some hundred voxels alone.
    assert np.mean(errors) == pytest.approx(1 / 12, rel=0.1)
    assert 0.1 < np.mean(similar) < 0.9
    assert {(row.structure, row.phase) for row in rows} == {("image", "after")}


def test_a_restoration_that_ignores_its_input_is_not_sensitive(data):
    rows = rows_of(Forgetful(data.task), data, *SENSITIVITIES)
    assert {(row.metric, round(row.value, 9)) for row in rows} == {
        ("sensitivity_mse", 0.0), ("sensitivity_ssim", 1.0),
    }  # fmt: skip


def test_a_translation_that_changes_nothing_keeps_all_structure(data):
    kept = [row.value for row in rows_of(Identity(data.task), data, "ssim")]
    assert kept == pytest.approx([1.0] * len(data.cases(ROLE)))


def test_similarity_counts_intensities_from_the_low_end_of_both_domains(data):
    fitted = data.cases("source_train") + data.cases("target_adapt")
    pool = np.concatenate([case.image[0][case.mask] for case in fitted])
    low, high = np.percentile(pool, (0.1, 99.9))
    expected = [
        StructuralSimilarity().measure(-c.image[0] - low, c.image[0] - low, c.mask, high - low)
        for c in data.cases(ROLE)
    ]
    found = [row.value for row in rows_of(Inverting(data.task), data, "ssim")]
    assert found == pytest.approx(expected, rel=1e-4)


def test_distances_of_sets_have_one_row_for_each_phase_and_fall_with_the_right_translation(data):
    found = {}
    for row in rows_of(Inverting(data.task), data, "kid"):
        assert (row.case, row.subject, row.structure) == (WHOLE_SET, WHOLE_SET, "image")
        found[row.phase] = row.value
    assert found["after"] < found["before"] / 2
    still = {row.phase: row.value for row in rows_of(Still(data.task), data, "kid")}
    assert still["after"] == still["before"] == pytest.approx(found["before"])


def test_a_distance_of_too_few_planes_is_kept_as_undefined(data):
    rows = rows_of(Still(data.task), data, "fid")
    assert [row.phase for row in rows] == ["before", "after"]
    assert np.isnan([row.value for row in rows]).all()


def test_rows_of_the_set_come_with_the_first_case(data):
    outcomes = list(Evaluator(Still(data.task), data, CPU, metrics=["kid"]).outcomes(ROLE))
    cases = [{row.case for row in outcome.rows} for outcome in outcomes]
    assert cases == [{WHOLE_SET}] + [set()] * (len(outcomes) - 1)


def test_only_what_is_asked_for_is_computed(data, monkeypatch):
    method = Identity(data.task)
    rows_of(method, data, "js")
    assert method.segmented == 0
    monkeypatch.setattr(Identity, "translate", None)
    assert {row.metric for row in rows_of(Identity(data.task), data, "dice")} == {"dice"}


def test_rulers_are_fitted_on_what_is_adapted_to_and_not_on_what_is_tested(data):
    measured = rows_of(Still(data.task), data, "js")
    kept = data.split.roles[ROLE][:1]
    fewer = replace(data, split=replace(data.split, roles={**data.split.roles, ROLE: kept}))
    assert rows_of(Still(data.task), fewer, "js") == [r for r in measured if r.case in kept]


def test_features_are_trained_once_for_all_methods_and_on_no_test_image(
    data, tmp_path, monkeypatch
):
    trained = []
    original = PlaneFeatures._train

    def counted(self, *domains):
        trained.append({case.case.id for cases in domains for case in cases})
        return original(self, *domains)

    monkeypatch.setattr(PlaneFeatures, "_train", counted)
    cache = StageCache(tmp_path)
    first = rows_of(Still(data.task), data, "kid", cache=cache)
    assert rows_of(Still(data.task), data, "kid", cache=cache) == first
    roles = data.split.roles
    assert trained == [{*roles["source_train"], *roles["target_adapt"]}]
    # Without a cache the same network is trained again.
    assert rows_of(Still(data.task), data, "kid") == first


def test_training_features_leaves_the_random_numbers_of_others_alone(data):
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    PlaneFeatures(data, CPU, None)
    assert torch.equal(torch.rand(2), expected)


def test_the_network_learns_to_tell_the_domains_apart(data, monkeypatch):
    monkeypatch.setattr(features, "EPOCHS", (30, 30))
    features_of = PlaneFeatures(data, CPU, None)
    features_of.network.requires_grad_(False)
    for role, own in (("source_train", 0.0), ("target_adapt", 1.0)):
        planes = features_of._sample(data.cases(role))
        losses = [
            float(features_of.network.losses(planes, torch.full((len(planes),), domain))["domain"])
            for domain in (own, 1 - own)
        ]
        assert losses[0] < losses[1]


def test_planes_are_cut_to_one_size_and_scaled_to_the_largest_edge(data, monkeypatch):
    found = PlaneFeatures(data, CPU, None)
    assert found.size == found.cut_size == (16, 16)
    (case, *_) = data.cases(ROLE)
    image = np.pad(np.asarray(case.image), ((0, 0), (3, 3), (0, 0), (0, 1)))
    mask = np.zeros(image.shape[1:], bool)
    mask[4, 4, :2] = True
    assert found(image, mask).shape == (2, 32)
    monkeypatch.setattr(features, "LARGEST_EDGE", 8)
    assert PlaneFeatures(data, CPU, None).size == (8, 8)
