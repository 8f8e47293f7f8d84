"""The page on datasets says what the datasets are."""

import json
import re
from pathlib import Path

import pytest
from pydantic_core import to_jsonable_python

from uda_study import plugins
from uda_study.dataset import Dataset
from uda_study.study.validate import load_study

PAGE = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text()
SECTIONS = dict(re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
STUDY = "version: 1\nname: example\nmethod: no_adaptation\n"
PUBLISHED = ("bids", "ixi", "lits", "mmwhs", "msseg2016", "wmh2017")


@pytest.mark.parametrize("name", SECTIONS)
def test_every_option_is_documented_with_its_default(name):
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", SECTIONS[name], re.MULTILINE)
    fields = plugins.load("datasets", name, Dataset).Options.model_fields
    if name == "phantom":
        assert rows == []
        return
    assert dict(rows) == {
        option: "required"
        if field.is_required()
        else f"`{json.dumps(to_jsonable_python(field.default))}`"
        for option, field in fields.items()
    }


@pytest.mark.parametrize("name", PUBLISHED)
def test_tree_and_citation_are_those_of_the_dataset(name):
    info = plugins.load("datasets", name, Dataset).info
    assert f"```\n{info.tree}\n```" in SECTIONS[name]
    flowing = " ".join(SECTIONS[name].split())
    assert info.citation in flowing
    assert f"[`{name}`](#{name})" in PAGE


@pytest.mark.parametrize("name", ["lits", "mmwhs", "msseg2016", "wmh2017"])
def test_the_values_of_the_preset_are_named(name, tmp_path):
    plugin = plugins.load("datasets", name, Dataset)
    preset = plugin(plugin.Options(), tmp_path, tmp_path).preprocessing()
    for structure, values in preset.labels.items():
        assert f"`{structure}`" in SECTIONS[name]
        assert all(str(value) in SECTIONS[name] for value in values)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_examples_are_valid_study_files(tmp_path, example):
    file = tmp_path / "study.yaml"
    file.write_text(STUDY + example)
    assert load_study(file).spec.data.dataset in SECTIONS
