import json

import pytest
import torch

from uda_study import plugins
from uda_study.data.labels import LabelReader
from uda_study.nets.segmenter import Segmenter
from uda_study.training.blind import Anchors, BlindScorer
from uda_study.training.ranks import Ranks
from uda_study.training.task_data import Batches

CPU = torch.device("cpu")


@pytest.fixture
def trained(make_method, make_trainer):
    """A source segmenter that is surer on its own domain than on the other."""
    method = make_method("no_adaptation", segmenter__steps=40, segmenter__width=4)
    make_trainer(method).train()
    return method


def test_no_adaptation_scores_exactly_zero(trained, data):
    scorer = BlindScorer(trained, data, CPU, images=6, seed=0)
    anchors = scorer.anchors()
    assert any(anchors.upper[name] > anchors.lower[name] + 1e-3 for name in anchors.upper)
    assert scorer.scores(anchors)["blind/score"] == 0.0


def test_the_source_model_on_source_validation_would_score_one(trained, data):
    scorer = BlindScorer(trained, data, CPU, images=6, seed=0)
    anchors = scorer.anchors()
    scorer._target = scorer._validation.images
    assert scorer.scores(anchors)["blind/score"] == pytest.approx(1.0)


def test_every_validator_has_a_score_of_its_own(trained, data):
    scores = BlindScorer(trained, data, CPU, images=4, seed=0).scores(None, step=7)
    assert set(scores) == {f"blind/{name}" for name in plugins.names("validators")}
    assert scores["blind/last"] == 7
    assert not trained.training


def test_the_probe_is_fixed_by_the_seed(trained, data):
    def probe(seed: int):
        return BlindScorer(trained, data, CPU, images=4, seed=seed)._target

    assert torch.equal(probe(0), probe(0))
    assert not torch.equal(probe(0), probe(1))
    assert probe(0).shape == (4, 1, 16, 16)


def test_a_method_without_a_source_segmenter_has_no_anchors(make_method, data):
    scorer = BlindScorer(make_method("target_supervised"), data, CPU, images=2, seed=0)
    assert scorer.anchors() is None


def test_a_critic_adds_its_distance(make_method, data):
    method = make_method("dam")
    scorer = BlindScorer(method, data, CPU, images=2, seed=0)
    assert "blind/critic_w" not in scorer.scores(None)
    stage = method.stages()[-1]
    batch = Batches(data.sampler(stage, 0), stage, Ranks(), CPU)()
    scores = scorer.scores(None, batch)
    with torch.no_grad():
        assert scores["blind/critic_w"] == -float(method.critic_distance(batch))


def test_stored_anchors_are_read_back_and_not_computed_again(tmp_path):
    path = tmp_path / "anchors" / "key.json"
    computed = []

    def compute() -> Anchors:
        computed.append(1)
        return Anchors({"entropy": -0.5}, {"entropy": -0.1})

    first = Anchors.cached(path, compute)
    assert Anchors.cached(path, compute) == first
    assert len(computed) == 1
    assert [p.name for p in path.parent.iterdir()] == ["key.json"]


@pytest.mark.parametrize("text", ["", "{}", '{"lower": {}'])
def test_damaged_anchors_are_computed_again(tmp_path, text):
    path = tmp_path / "key.json"
    path.write_text(text)
    anchors = Anchors({"entropy": 0.0}, {"entropy": 1.0})
    assert Anchors.cached(path, lambda: anchors) == anchors
    assert json.loads(path.read_text())["upper"] == {"entropy": 1.0}


def test_no_anchors_are_stored_where_there_are_none(tmp_path):
    assert Anchors.cached(tmp_path / "key.json", lambda: None) is None
    assert list(tmp_path.iterdir()) == []


def test_features_are_those_of_the_network_that_segments_last(make_method, data):
    method = make_method("dam")
    scorer = BlindScorer(method, data, CPU, images=3, seed=0)
    heads = [m.groups[-1] for m in method.modules() if isinstance(m, Segmenter)]
    seen = scorer._probe(0).seen
    assert seen.features.shape == (
        3,
        heads[0].in_channels if hasattr(heads[0], "in_channels") else seen.features.shape[1],
    )
    assert not any(head._forward_pre_hooks for head in heads)


def test_scores_that_are_not_defined_are_left_out(make_method, data, monkeypatch):
    scorer = BlindScorer(make_method("no_adaptation"), data, CPU, images=2, seed=0)
    monkeypatch.setattr("uda_study.training.blind.Segmenter", type("NoSegmenter", (), {}))
    assert not {"blind/feat_fd", "blind/dev", "blind/iwcv"} & set(scorer.scores(None))


def test_labels_of_the_target_are_never_opened(make_method, data, monkeypatch):
    opened = []
    original = LabelReader.read
    monkeypatch.setattr(
        LabelReader, "read", lambda self, case: opened.append(case.case.id) or original(self, case)
    )
    scorer = BlindScorer(make_method("dam"), data, CPU, images=4, seed=0)
    scorer.scores(scorer.anchors())
    allowed = {*data.split.roles["source_train"], *data.split.roles["source_val"]}
    assert opened
    assert set(opened) <= allowed


def test_validators_see_what_the_method_and_its_source_segmenter_make(make_method, data):
    method = make_method("dam").eval()
    with torch.no_grad():
        for parameter in method.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    scorer = BlindScorer(method, data, CPU, images=3, seed=0)
    probe = scorer._probe(0)
    with torch.no_grad():
        adapted = method.segment(probe.images).softmax(dim=1)
        started = method.segment_source(probe.validation.images).softmax(dim=1)
    torch.testing.assert_close(probe.probabilities, adapted)
    torch.testing.assert_close(probe.seen_validation.probabilities, started)
    assert not torch.equal(method.segment(probe.validation.images).softmax(dim=1), started)
    assert probe.translate is None


def test_validators_see_translated_images_of_methods_that_translate(make_method, data):
    method = make_method("no_adaptation")
    method.translate = lambda image: 2 * image
    probe = BlindScorer(method, data, CPU, images=9, seed=0)._probe(0)
    assert torch.equal(probe.translate(probe.images), 2 * probe.images)
