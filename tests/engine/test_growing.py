"""A study on a cluster that has not grown yet plans for the whole of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from uda_study.engine.growing import FILE, grown_machine
from uda_study.engine.packing import Machine
from uda_study.errors import InputError

TWO_KINDS: dict[str, Any] = {
    "max_workers": 5,
    "head_node_type": "head",
    "available_node_types": {
        "head": {"resources": {"CPU": 0}, "min_workers": 0, "max_workers": 0},
        "large": {"resources": {"CPU": 8, "GPU": 4}, "min_workers": 0, "max_workers": 2},
        "small": {"resources": {"CPU": 4, "GPU": 1, "memory": 7}, "min_workers": 0},
    },
}


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(FILE, "~/ray_bootstrap_config.yaml")
    return tmp_path / "ray_bootstrap_config.yaml"


def test_all_workers_count_up_to_the_most_that_the_cluster_may_have(file: Path) -> None:
    file.write_text(json.dumps(TWO_KINDS))
    assert grown_machine() == Machine.of([(0, 0), (8, 4), (8, 4), (4, 1), (4, 1), (4, 1)])


def test_a_head_that_trains_counts_beside_its_workers(file: Path) -> None:
    kinds = TWO_KINDS["available_node_types"]
    head = {**kinds["head"], "resources": {"CPU": 16, "GPU": 1}}
    config = {**TWO_KINDS, "max_workers": 2, "available_node_types": {**kinds, "head": head}}
    file.write_text(json.dumps(config))
    assert grown_machine() == Machine.of([(16, 1), (8, 4), (8, 4)])


def test_without_a_launchers_file_what_is_there_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FILE, raising=False)
    assert grown_machine() is None


@pytest.mark.parametrize("text", [None, "", "[]", "{}", '{"max_workers": "many"}', "no json"])
def test_a_file_that_says_nothing_of_machines_is_refused(file: Path, text: str | None) -> None:
    if text is not None:
        file.write_text(text)
    with pytest.raises(InputError, match=f"{FILE}: must name the file"):
        grown_machine()
