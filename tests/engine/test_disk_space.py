"""What a study will take of a disk, and what is said when it does not fit."""

import os
import shutil
from collections import namedtuple
from dataclasses import replace

import pytest
import torch
from driving import keeping

from uda_study.api.forecast import forecast, planned, refuse_full
from uda_study.engine import artifacts
from uda_study.engine.disk_space import MARGIN, bytes_of
from uda_study.engine.footprint import sizes
from uda_study.engine.job import Home
from uda_study.engine.trial import run_trial
from uda_study.errors import InputError
from uda_study.training import accelerator
from uda_study.training.checkpoint import CheckpointStore
from uda_study.training.reporter import MemoryReporter

Usage = namedtuple("Usage", "total used free")


class Figure:
    def save(self, path):
        """Draw nothing."""


def with_free(monkeypatch, free):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**15, 0, free))


def test_the_sizes_are_those_of_what_a_training_writes(study, job, monkeypatch):
    monkeypatch.setattr(artifacts, "curves_figure", lambda _: Figure())
    monkeypatch.setattr(artifacts, "overlay_figure", lambda *_: Figure())
    written = []
    save = CheckpointStore.save

    def saving(store, number, state):
        save(store, number, state)
        # Tensors alone: the tiny networks here are smaller than the names in a file.
        tensors = [*state["method"].values()]
        for player in state["stepper"]["players"].values():
            for kept in player["optimiser"]["state"].values():
                tensors += [v for v in kept.values() if isinstance(v, torch.Tensor)]
        written.append(sum(t.nbytes for t in tensors if t.dim()))

    monkeypatch.setattr(CheckpointStore, "save", saving)
    spec = study.first_trials[0]
    run_trial(spec, job, MemoryReporter(), torch.device("cpu"))
    found = sizes([spec], next(iter(study.data.values())).task)["dam"]
    assert found.checkpoint == pytest.approx(max(written), rel=0.02)
    weights = job.trial_folder(spec.key) / "model" / "model.safetensors"
    assert found.model < weights.stat().st_size < found.model + 20_000
    (stage,) = (job.home.cache / "stages").glob("*/weights.safetensors")
    assert found.stage < stage.stat().st_size < found.stage + 20_000


def test_a_study_that_does_not_fit_is_refused_with_what_it_needs(study, job, monkeypatch):
    home = job.home
    home.create()
    needed = forecast(study, home).needed
    assert needed == round(planned(study).disk.total * (1 + MARGIN))
    with_free(monkeypatch, needed)
    refuse_full(study, home)
    with_free(monkeypatch, needed - 1)
    with pytest.raises(InputError) as raised:
        refuse_full(study, home)
    said = str(raised.value)
    for part in ("20% of them a margin", str(home.path), "study_top_k", "--home", "clean --yes"):
        assert part in said
    assert not home.study(study.id).exists()
    refuse_full(replace(study, spec=keeping(job, disk_check=False).spec), home)


def test_what_a_study_has_already_is_not_needed_again(study, job, monkeypatch):
    home = job.home
    fresh = 10 * planned(study).disk.total
    home.study(study.id).mkdir(parents=True)
    before = forecast(study, home).needed
    (home.study(study.id) / "blob").write_bytes(bytes(4096 * 20))
    assert before - forecast(study, home).needed == round(4096 * 20 * (1 + MARGIN))
    (home.study(study.id) / "blob").write_bytes(bytes(fresh))
    assert forecast(study, home).needed == 0


def test_fewer_models_take_less(study, job):
    def models(keep):
        spec = keeping(job, study_top_k=keep).spec
        return planned(replace(study, spec=spec)).disk.models

    assert models(0) < models(1) < models(2) == models(None)  # a search has four trials


def test_a_file_of_two_names_is_counted_once(tmp_path):
    (tmp_path / "a").write_bytes(bytes(8192))
    os.link(tmp_path / "a", tmp_path / "b")
    assert bytes_of(tmp_path) == 8192


def test_prepared_images_are_told_apart(study, tmp_path):
    found = forecast(study, Home(tmp_path))
    assert found.prepared > 0
    assert "prepared images" in str(found)
    assert found.to_json()["free"] == shutil.disk_usage(tmp_path).free


@pytest.mark.parametrize("gpu", [True, False])
def test_a_plan_says_where_gpu_hours_count_nothing(study, monkeypatch, gpu):
    monkeypatch.setattr(accelerator, "count", lambda: int(gpu))
    budget = study.spec.budget.model_copy(update={"gpu_hours": 2.0})
    limited = replace(study, spec=study.spec.model_copy(update={"budget": budget}))
    assert any("gpu_hours" in note for note in planned(limited).notes) is not gpu
    assert not any("gpu_hours" in note for note in planned(study).notes)
