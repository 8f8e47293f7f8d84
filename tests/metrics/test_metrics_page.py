"""The page about metrics says what the metrics do."""

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
from measuring import SPACING, measure

from uda_study import plugins
from uda_study.metric import ALL, CaseMetric, Comparison, Metric

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()


def case_metrics() -> dict[str, type[CaseMetric]]:
    loaded = {name: plugins.load("metrics", name, Metric) for name in plugins.names("metrics")}
    return {name: kind for name, kind in loaded.items() if issubclass(kind, CaseMetric)}


def rows_below(heading: str) -> list[list[str]]:
    section = PAGE.split(f"{heading}\n", 1)[1].split("\n#", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines[2:]]


def test_every_metric_of_label_maps_is_listed_and_no_other():
    rows = rows_below("## Label maps")
    listed = {name for row in rows for name in re.findall(r"`(\w+)`", row[0])}
    assert listed == set(case_metrics())
    named = {name for row in rows if "*named*" in row[0] for name in re.findall(r"`(\w+)`", row[0])}
    assert named == {name for name, kind in case_metrics().items() if not kind.default}


def test_the_units_are_those_of_the_metrics():
    for row in rows_below("## Label maps"):
        (name,) = re.findall(r"`(\w+)`", row[0])
        unit = case_metrics()[name].unit
        if unit in ("mm", "%"):
            assert row[2].strip() == unit


def test_the_table_of_empty_structures_is_true():
    nothing, something = np.zeros((2, 3, 4, 5), np.uint8)
    something[1, 1, 1] = 1
    diagonal = math.hypot(*(n * edge for n, edge in zip((3, 4, 5), SPACING, strict=True)))
    words = {"the image's diagonal": diagonal, "undefined": math.nan}
    pairs = ((nothing, nothing), (nothing, something), (something, nothing))
    for row in rows_below("### Empty structures"):
        expected = [words.get(cell.strip()) or float(cell) for cell in row[1:]]
        for name in re.findall(r"`(\w+)`", row[0]):
            found = [measure(name, *pair)[1] for pair in pairs]
            np.testing.assert_allclose(found, expected, err_msg=name)


def test_the_example_is_a_metric():
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    module: dict[str, Any] = {"__name__": "my_package.sensitivity"}
    exec(compile(code, "metrics.md", "exec", dont_inherit=True), module)
    prediction, truth = np.array([[[0, 1, 2]], [[1, 1, 2]]], np.uint8)
    metric = module["Sensitivity"]()
    assert metric.measure(Comparison(prediction, truth, (1.0, 1.0)), (1, 2)) == {ALL: 2 / 3}
