import multiprocessing
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from uda_study.errors import StoreError
from uda_study.training import stage_cache
from uda_study.training.stage_cache import StageCache, stage_key

FACTS = {"stage": "source_segmenter", "steps": 4, "data": {"source": [["a", "b"]]}}


def layer(value: float) -> nn.Linear:
    module = nn.Linear(2, 2)
    nn.init.constant_(module.weight, value)
    return module


def test_weights_come_back(tmp_path):
    cache = StageCache(tmp_path)
    assert "key" not in cache
    cache.save("key", layer(3.0), FACTS)
    assert "key" in cache
    module = layer(0.0)
    cache.load("key", module)
    assert torch.equal(module.weight, torch.full((2, 2), 3.0))


def test_modules_that_share_a_tensor_can_be_stored(tmp_path):
    shared = layer(1.0)
    StageCache(tmp_path).save("key", nn.Sequential(shared, shared), FACTS)
    module = nn.Sequential(layer(0.0), layer(0.0))
    StageCache(tmp_path).load("key", module)
    assert torch.equal(module[1].weight, torch.full((2, 2), 1.0))


def test_the_key_depends_on_every_fact_and_on_the_code(monkeypatch):
    keys = {
        stage_key(facts)
        for facts in (
            FACTS,
            {**FACTS, "stage": "other"},
            {**FACTS, "steps": 5},
            {**FACTS, "data": {"source": [["a", "c"]]}},
            {**FACTS, "more": None},
        )
    }
    assert len(keys) == 5
    monkeypatch.setattr(stage_cache, "code_sha", lambda: "another version")
    assert stage_key(FACTS) not in keys


def test_the_key_does_not_depend_on_the_order_of_facts():
    assert stage_key(dict(reversed(FACTS.items()))) == stage_key(FACTS)


def test_a_shared_stage_has_a_key_of_its_settings_seed_and_data(make_method, make_trainer, data):
    def key(name: str = "dam", seed: int = 0, data=data, **hyper) -> str:
        method = make_method(name, **hyper)
        trainer = make_trainer(method, data=data)
        trainer.settings = replace(trainer.settings, seed=seed)
        return stage_key(trainer.shared_facts(method.stages()[0]))

    roles = dict(data.split.roles)
    fewer = {**roles, "source_train": roles["source_train"][:1]}
    other_target = {**roles, "target_adapt": roles["target_test"]}
    same = key()
    assert same == key("no_adaptation")  # the method that asks for it does not count
    assert same == key(batch_size=5, depth="g3", steps=7)  # nor do later stages
    assert same == key(data=replace(data, split=replace(data.split, roles=other_target)))
    others = [
        key(seed=1),
        key(segmenter__lr=0.5),
        key(segmenter__steps=5),
        key(segmenter__batch_size=3),
        key(data=replace(data, split=replace(data.split, roles=fewer))),
        key(data=replace(data, sampling="balanced")),
        key(data=replace(data, adjacent_slices=3)),
        key(data=replace(data, task=replace(data.task, patch_size=(16, 32)))),
    ]
    assert len({same, *others}) == len(others) + 1


def test_an_entry_without_its_last_file_does_not_exist(tmp_path, monkeypatch):
    cache = StageCache(tmp_path)

    def crash(*_: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", crash)
        with pytest.raises(OSError, match="no space"):
            cache.save("key", layer(1.0), FACTS)
    assert "key" not in cache
    cache.save("key", layer(1.0), FACTS)
    assert "key" in cache


def test_damaged_weights_are_named_with_the_remedy(tmp_path):
    cache = StageCache(tmp_path)
    cache.save("key", layer(1.0), FACTS)
    (cache.path("key") / "weights.safetensors").write_bytes(b"half")
    with pytest.raises(StoreError, match="remove the folder"):
        cache.load("key", layer(0.0))


def train_once(folder: str, barrier) -> None:
    cache = StageCache(Path(folder))
    barrier.wait()
    with cache.claim("key"):
        if "key" not in cache:
            with (Path(folder) / "trained").open("a") as file:
                file.write("x")
            time.sleep(0.2)
            cache.save("key", layer(2.0), FACTS)
    module = layer(0.0)
    cache.load("key", module)
    assert module.weight[0, 0] == 2.0


def test_of_two_processes_one_trains_and_the_other_reads(tmp_path):
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    other = context.Process(target=train_once, args=(str(tmp_path), barrier))
    other.start()
    train_once(str(tmp_path), barrier)
    other.join(60)
    assert other.exitcode == 0
    assert (tmp_path / "trained").read_text() == "x"
