"""Validators that compare with source labels or features, or look at all classes."""

import math

import numpy as np
import probes
import pytest
import torch
from probes import boxes, certain, labelled, looking, score, thresholding
from scipy.spatial.distance import jensenshannon

from uda_study import plugins
from uda_study.validator import Labelled, Probe, Validator
from uda_study.validators._frechet import frechet_distance
from uda_study.validators._importance import density_ratio, weighted_risk
from uda_study.validators.shape_fd import _shape

RIGHT = thresholding(50)
NOTHING = certain(lambda images: torch.zeros_like(images[:, 0]))
EVERYTHING = certain(lambda images: torch.ones_like(images[:, 0]))
MOVED = certain(lambda images: (images[:, 0] > 2).roll((7, 7), dims=(1, 2)))


def pooled(images):
    """Two features of an image: its mean and its deviation."""
    flat = images.flatten(1)
    return torch.stack([flat.mean(dim=1), flat.std(dim=1)], dim=1)


def importance_probe(target=None, validation=None, predict=RIGHT):
    return probes.probe(
        predict,
        boxes(2, 12) if target is None else target,
        look=looking(predict, pooled),
        look_source=looking(predict, pooled),
        training=labelled(boxes(2, 12)),
        validation=labelled(boxes(2, 12) if validation is None else validation),
    )


@pytest.mark.parametrize("name", plugins.names("validators"))
@pytest.mark.parametrize("dims", [2, 3])
def test_every_validator_is_defined_for_a_segmenter_with_features(name, dims):
    given = {"look": looking(RIGHT, pooled), "look_source": looking(RIGHT, pooled)}
    value = score(name, RIGHT, boxes(dims), step=5, **given)
    assert math.isfinite(value)
    assert value == score(name, RIGHT, boxes(dims), step=5, **given)


@pytest.mark.parametrize("name", plugins.names("validators"))
def test_every_docstring_says_what_is_assumed_and_when_it_fails(name):
    text = plugins.load("validators", name, Validator).__doc__ or ""
    assert "Assumes" in text or name == "last"
    assert "Fails" in text or "fails" in text or "cannot rank" in text or "rewards" in text


@pytest.mark.parametrize("name", ["size_w1", "shape_fd"])
def test_structures_as_in_the_source_score_zero_and_others_below(name):
    assert score(name, RIGHT) == pytest.approx(0, abs=1e-12)
    assert score(name, NOTHING) < -0.5
    assert score(name, EVERYTHING) < -0.5
    assert score(name, RIGHT, boxes(2, side=6)) < score(name, RIGHT, boxes(2, side=7)) < 0


def test_sizes_are_blind_to_place_and_the_atlas_is_not():
    assert score("size_w1", MOVED) == pytest.approx(0, abs=1e-12)
    assert score("shape_fd", MOVED) < -0.5
    assert score("atlas_l1", MOVED) < -0.5
    assert score("atlas_l1", RIGHT) == pytest.approx(0, abs=1e-12)
    assert score("atlas_l1", NOTHING) == -1


def test_sizes_are_in_units_of_the_mean_size():
    half = score("size_w1", RIGHT, boxes(2, side=8), training=labelled(boxes(2, side=16)))
    assert half == pytest.approx(-(256 - 64) / 256)


def test_a_shape_is_size_pieces_axes_and_place():
    mask = np.zeros((20, 20), bool)
    mask[4:8, 2:10] = True
    assert _shape(mask).tolist() == pytest.approx([32, 1, 2, 5.5, 5.5])
    mask[15, 15] = True
    assert _shape(mask)[:2].tolist() == [33, 2]
    assert _shape(np.zeros((4, 5, 6), bool)).tolist() == [0] * 6


def test_where_nothing_is_found_nor_known_the_atlas_is_worst():
    nothing = labelled(torch.zeros(3, 1, 24, 24))
    assert score("atlas_l1", NOTHING, training=nothing) == -1


def test_classes_that_are_used_alike_are_rewarded_however_wrong():
    left = certain(lambda images: (torch.arange(24) < 12).expand_as(images[:, 0]))
    for name in ("infomax", "bnm"):
        assert score(name, left) > score(name, RIGHT) > score(name, NOTHING)
    assert score("infomax", left) == pytest.approx(1)
    assert score("infomax", NOTHING) == pytest.approx(0)
    assert score("bnm", left) == pytest.approx(1)
    assert score("bnm", NOTHING) == pytest.approx(1 / math.sqrt(2))


def test_information_is_the_entropy_of_the_mean_less_the_mean_entropy():
    p = probes.probe(thresholding(0.3)).probabilities.double().numpy()
    p = np.moveaxis(p, 1, -1).reshape(-1, 2)

    def entropy(q):
        return -(q * np.log2(q)).sum(axis=-1)

    expected = entropy(p.mean(axis=0)) - entropy(p).mean()
    assert score("infomax", thresholding(0.3)) == pytest.approx(expected, abs=1e-6)


def test_density_is_the_entropy_of_softened_cosines():
    images = torch.rand(2, 1, 5, 6, generator=torch.Generator().manual_seed(0)) * 4
    p = probes.probe(thresholding(1), images).probabilities.double().numpy()
    rows = np.moveaxis(p, 1, -1).reshape(-1, 2)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    entropies = []
    for i, row in enumerate(rows):
        near = np.exp(np.delete(rows, i, axis=0) @ row / 0.05)
        near /= near.sum()
        entropies.append(-(near * np.log(near)).sum())
    expected = np.mean(entropies) / np.log(len(rows) - 1)
    assert score("snd", thresholding(1), images) == pytest.approx(expected, abs=1e-6)


def test_nuclear_norm_equals_that_of_the_whole_matrix():
    seen = probes.probe(thresholding(0.3)).probabilities
    rows = seen.double().movedim(1, -1).reshape(-1, 2)
    expected = torch.linalg.matrix_norm(rows, "nuc") / math.sqrt(len(rows) * 2)
    assert score("bnm", thresholding(0.3)) == pytest.approx(float(expected))


def test_density_is_fooled_by_an_empty_prediction_as_its_docstring_says():
    assert score("snd", NOTHING) == pytest.approx(1)
    assert score("snd", RIGHT) < 1


def test_divergence_is_scipys_and_sees_translated_images():
    images, source = boxes(2, brightness=1.0) + torch.rand(3, 1, 24, 24), boxes(2)
    value = score("js", RIGHT, images, training=labelled(source))
    pool = np.sort(np.concatenate([source.numpy().ravel(), images.numpy().ravel()]).astype(float))
    low, high = pool[int(0.001 * (len(pool) - 1))], pool[int(0.999 * (len(pool) - 1))]
    edges = np.linspace(low, high, 65)
    shares = [
        [np.histogram(image.numpy().clip(low, high), edges)[0] / 576 for image in part]
        for part in (images, source)
    ]
    pairs = [jensenshannon(p, q, base=2) ** 2 for p in shares[0] for q in shares[1]]
    assert value == pytest.approx(-np.mean(pairs), abs=0.01)
    assert score("js", RIGHT, images, translate=lambda _: source) > value


def test_features_alike_score_zero_and_others_below():
    given = {"look": looking(RIGHT, pooled), "look_source": looking(RIGHT, pooled)}
    assert score("feat_fd", RIGHT, **given) == pytest.approx(0, abs=1e-6)
    assert score("feat_fd", RIGHT, boxes(2, side=12), **given) < -0.1
    assert math.isnan(score("feat_fd", RIGHT))
    of_another = looking(RIGHT, lambda images: pooled(images)[:, :1])
    assert math.isnan(score("feat_fd", RIGHT, **given | {"look_source": of_another}))


def test_the_distance_of_two_samples_is_that_of_normal_distributions():
    first = torch.tensor([[0.0], [2.0]])
    second = torch.tensor([[4.0], [8.0]])
    scale = torch.cat([first, second]).std(correction=0)
    expected = ((1 - 6) ** 2 + (1 - 2) ** 2) / scale**2
    assert frechet_distance(first, second) == pytest.approx(float(expected))


def test_the_density_ratio_is_that_of_two_normal_distributions():
    random = torch.Generator().manual_seed(0)
    source = torch.randn(4000, 1, generator=random)
    target = torch.randn(4000, 1, generator=random) + 1
    rows = torch.tensor([[-1.0], [0.5], [2.0]])
    truth = torch.exp(rows[:, 0] - 0.5)
    assert density_ratio(source, target, rows).tolist() == pytest.approx(truth.tolist(), rel=0.15)


def test_where_the_domains_cannot_be_told_apart_all_weights_are_one():
    alike = torch.zeros(20, 3), torch.zeros(5, 3), torch.zeros(4, 3)
    assert density_ratio(*alike).tolist() == pytest.approx([1.0] * 4)


def test_the_risk_is_one_less_the_soft_dice_of_the_structures():
    def alike(images):
        return torch.zeros(len(images), 2)

    given = {"look": looking(NOTHING, alike), "look_source": looking(NOTHING, alike)}
    expected = -(1 - 1 / (8 * 8 + 1))
    assert score("iwcv", NOTHING, **given) == pytest.approx(expected)
    assert score("dev", NOTHING, **given) == pytest.approx(expected)


def test_the_weighted_risk_counts_images_that_look_like_the_target():
    # Large boxes are segmented wrongly; a target of large boxes makes them count.
    def only_small(images):
        small = (images[:, 0] > 2).flatten(1).sum(dim=1) < 100
        return (images[:, 0] > 2) & small[:, None, None]

    validation = torch.cat([boxes(2, 6), boxes(2, 6, side=12)])
    near = importance_probe(boxes(2, 12), validation, certain(only_small))
    far = importance_probe(boxes(2, 12, side=12), validation, certain(only_small))
    for name in ("iwcv", "dev"):
        validator = plugins.load("validators", name, Validator)()
        assert validator.score(near) > validator.score(far) + 0.05


def test_the_control_variate_is_that_of_the_paper():
    def only_small(images):
        small = (images[:, 0] > 2).flatten(1).sum(dim=1) < 100
        return (images[:, 0] > 2) & small[:, None, None]

    validation = torch.cat([boxes(2, 3), boxes(2, 3, side=11)])
    given = importance_probe(boxes(2, 12, side=9), validation, certain(only_small))
    weights, risks = (part.numpy() for part in weighted_risk(given))
    assert abs(np.corrcoef(risks, weights)[0, 1]) > 0.1
    eta = -np.cov(risks, weights, bias=True)[0, 1] / np.var(weights)
    expected = -(risks.mean() + eta * weights.mean() - eta)
    assert plugins.load("validators", "dev", Validator)().score(given) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["iwcv", "dev"])
def test_without_features_there_is_no_weighted_risk(name):
    assert math.isnan(score(name, RIGHT))


def test_right_predictions_teach_a_classifier_that_is_right_at_home():
    assert score("rca", RIGHT) > 0.9
    assert score("rca", MOVED) < 0.6
    assert score("rca", NOTHING) == 0
    inverted = 4 - boxes(2)
    right = certain(lambda images: images[:, 0] < 2)
    assert score("rca", right, inverted) < 0.6
    assert score("rca", right, inverted, translate=lambda images: 4 - images) > 0.9


def test_the_reverse_classifier_can_single_out_a_middle_brightness():
    def striped(count):
        images = torch.zeros(count, 1, 24, 24)
        for n, image in enumerate(images):
            image[0, 4 + n : 10 + n] = 2
            image[0, 12 + n : 20] = 4
        return images

    def middle(images):
        return (images[:, 0] - 2).abs() < 1

    images = striped(3)
    training = Labelled(images, middle(images).long())
    assert score("rca", certain(middle), images, training=training) > 0.85


def test_source_dice_is_of_the_segmenter_that_was_started_from():
    assert score("source", NOTHING, look_source=looking(RIGHT)) == 1
    assert score("source", RIGHT, look_source=looking(NOTHING)) == 0


def test_source_dice_is_of_validation_images_and_labels():
    def only_small(images):
        small = (images[:, 0] > 2).flatten(1).sum(dim=1) < 100
        return (images[:, 0] > 2) & small[:, None, None]

    large = labelled(boxes(2, side=12))
    assert score("source", certain(only_small), training=large) == 1
    assert score("source", certain(only_small), validation=large) == 0


def test_the_latest_of_two_checkpoints_wins():
    assert score("last", RIGHT, step=20) > score("last", RIGHT, step=10)


def test_what_the_model_makes_of_the_images_is_computed_once():
    calls = []

    def counting(images):
        calls.append(len(images))
        return RIGHT(images)

    seen: Probe = probes.probe(counting)
    for name in ("entropy", "entropy_fg", "infomax", "bnm", "snd", "size_w1", "atlas_l1"):
        plugins.load("validators", name, Validator)().score(seen)
    assert calls == [3]
