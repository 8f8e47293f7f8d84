"""Target labels reach no weight and no blind score of a method that must not see them."""

import hashlib
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from tiny import load_tiny

from uda_study import plugins
from uda_study.data.labels import LabelReader
from uda_study.errors import LabelsWithheld
from uda_study.method import Hyper, Method, Needs, Player, Stage, Trainable, Update
from uda_study.testing.method_run import tiny_hyper
from uda_study.training.blind import BlindScorer
from uda_study.training.checkpoint import CheckpointStore
from uda_study.training.reporter import MemoryReporter
from uda_study.training.stage_cache import StageCache
from uda_study.training.trainer import Settings, Trainer, Workplace


@pytest.fixture(scope="module")
def noisy_data(domains: Path, tmp_path_factory):
    """The same images, but what the target's labels say is noise."""
    root = tmp_path_factory.mktemp("noisy") / "domains"
    shutil.copytree(domains, root)
    for path in (root / "images").glob("ct*_label.nii.gz"):
        image = nib.load(path)
        rng = np.random.default_rng(len(path.name))
        noise = rng.integers(0, 3, image.shape).astype(np.uint8)
        nib.Nifti1Image(noise, image.affine).to_filename(path)
    return load_tiny(root, tmp_path_factory.mktemp("noisy_prepared"))


@pytest.fixture
def train(make_method, make_trainer, request):
    def run(name: str, data) -> tuple[str, list]:
        method, reporter = make_method(name), MemoryReporter()
        scorer = BlindScorer(method, data, torch.device("cpu"), 4, seed=0)

        def score(step: int) -> dict[str, float]:
            return scorer.scores(scorer.anchors(), step=step)

        place = f"{name}-{id(data)}"
        make_trainer(method, reporter, place=place, cache=place, data=data, score=score).train()
        digest = hashlib.sha256()
        for key, value in sorted(method.state_dict().items()):
            digest.update(key.encode() + value.numpy().tobytes())
        return digest.hexdigest(), reporter.reports

    return run


def no_scores(step: int) -> dict[str, float]:
    return {}


@pytest.mark.parametrize("name", ["dam", "no_adaptation"])
def test_target_labels_change_neither_weights_nor_blind_scores(train, data, noisy_data, name):
    assert train(name, data) == train(name, noisy_data)


@pytest.mark.methods
@pytest.mark.parametrize("name", plugins.names("methods"))
def test_the_labels_that_a_method_declares_are_all_that_shapes_it(data, noisy_data, tmp_path, name):
    plugin = plugins.load("methods", name, Method)
    weights = []
    for number, domain in enumerate((data, noisy_data)):
        # Adversarial networks need more than the tiny images of these tests; they are padded.
        seen = replace(domain, task=replace(domain.task, patch_size=(32, 32)))
        torch.manual_seed(0)
        method = plugin(tiny_hyper(plugin.Hyper), seen.task)
        place = Workplace(
            StageCache(tmp_path / f"cache{number}"),
            CheckpointStore(tmp_path / f"checkpoints{number}"),
            MemoryReporter(),
        )
        Trainer(method, seen, Settings(seed=0, report_every=100), place, no_scores).train()
        weights.append(method.state_dict())
    differs = any(not torch.equal(value, weights[1][key]) for key, value in weights[0].items())
    assert differs == (plugin.needs.target == "labels")


@pytest.fixture
def opened(monkeypatch) -> Counter:
    """How often the label of each case was opened, by whomever."""
    counts: Counter = Counter()
    original = LabelReader._open

    def counting(self, prepared, name):
        found = original(self, prepared, name)
        counts[prepared.case.id] += 1
        return found

    monkeypatch.setattr(LabelReader, "_open", counting)
    return counts


@pytest.mark.parametrize("sampling", ["uniform", "balanced"])
@pytest.mark.parametrize("name", ["dam", "no_adaptation", "target_supervised"])
def test_training_opens_the_labels_that_its_method_needs(train, data, opened, name, sampling):
    # As where the images that are adapted to are tested on: the upper bound has others.
    roles = {**data.split.roles, "target_bound": data.split.roles["target_val"]}
    split = replace(data.split, roles=roles)
    train(name, replace(data, split=split, sampling=sampling))
    target = {case for case in opened if case.startswith("ct")}
    assert set(opened) - target
    assert set(opened) - target <= {*roles["source_train"], *roles["source_val"]}
    if name == "target_supervised":
        assert target
        assert target <= set(roles["target_bound"])
    else:
        assert not target


class Curious(Method[Hyper], Trainable):
    """Declares that it reads images, and asks for labels."""

    Hyper = Hyper
    needs = Needs(target="images")
    paper = "none"

    def __init__(self, hyper: Hyper, task) -> None:
        super().__init__(hyper, task)
        self.layer = torch.nn.Conv2d(task.in_channels, task.num_classes, 1)

    def stages(self):
        return [Stage("adapt", self, steps=2, batch_size=2, target="images")]

    def players(self):
        return {"all": Player(torch.optim.SGD(self.parameters(), lr=0.1))}

    def updates(self, draw) -> Iterator[Update]:
        batch = draw()
        loss = torch.nn.functional.cross_entropy(self.layer(batch.target_image), batch.target_label)
        yield Update("all", {"cheat": loss})

    def segment(self, image):
        return self.layer(image)


def test_a_method_that_reaches_for_target_labels_is_refused(data, make_trainer):
    method = Curious(Hyper(), data.task)
    with pytest.raises(LabelsWithheld, match="may not read target labels"):
        make_trainer(method).train()


def test_a_stage_has_a_reader_of_its_own_cases_alone(data, make_method):
    stage = make_method("no_adaptation").stages()[0]
    batch = data.sampler(stage, seed=0).draw(stage.name, 0, 2)
    assert len(batch.target_image) == 0
    with pytest.raises(LabelsWithheld):
        _ = batch.target_label
