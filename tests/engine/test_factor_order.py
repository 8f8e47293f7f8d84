"""Cells of a study that has begun keep their names, whatever order their factors have."""

from dataclasses import replace

import pytest
from ruamel.yaml import YAML

from uda_study.api.beginning import begun
from uda_study.engine import records
from uda_study.engine.factor_order import stored_spec
from uda_study.study.cells import cells
from uda_study.study.source import read_study
from uda_study.testing.fakes import STUDY, write_tiny_study

FACTORS = "  dam.depth: [g2, g4]\n  direction: [mr->ct]\n"
TURNED = STUDY.replace(FACTORS, "  direction: [mr->ct]\n  dam.depth: [g2, g4]\n")


@pytest.fixture
def folder(study, tmp_path):
    """A study whose factors are not in the order of the alphabet."""
    sourced = read_study(write_tiny_study(tmp_path / "files", TURNED))
    turned = replace(study, spec=sourced.spec, resolved=sourced.resolved, text=sourced.text)
    place = tmp_path / "home" / "studies" / study.id
    place.mkdir(parents=True)
    records.write_study_files(place, turned.resolved, turned.text, turned.data)
    return place


def keys(spec):
    return [cell.key for cell in cells(spec)]


def test_the_stored_file_keeps_the_order(folder):
    expected = ["direction=mr->ct depth=g2", "direction=mr->ct depth=g4"]
    assert keys(read_study(folder / "study.yaml").spec) == expected


def test_a_file_that_was_written_sorted_is_read_in_the_order_of_the_first(folder):
    values = YAML(typ="safe", pure=True).load((folder / "study.yaml").read_text())
    with (folder / "study.yaml").open("w") as file:
        YAML(typ="safe", pure=True).dump(values, file)  # this sorts
    assert keys(read_study(folder / "study.yaml").spec)[0] == "depth=g2 direction=mr->ct"
    assert keys(stored_spec(folder))[0] == "direction=mr->ct depth=g2"
    resumed = begun(folder.parents[1], folder.name)
    assert keys(resumed.spec)[0] == "direction=mr->ct depth=g2"
    (folder / "original.yaml").unlink()
    assert keys(stored_spec(folder))[0] == "depth=g2 direction=mr->ct"
