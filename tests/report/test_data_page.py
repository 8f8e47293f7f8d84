import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from uda_study.data.check import Check
from uda_study.data.facts import CaseFacts, Glance
from uda_study.data.remarks import Remark
from uda_study.errors import Problem
from uda_study.metrics.js import JensenShannon
from uda_study.metrics.js_excess import JensenShannonExcess
from uda_study.report import data_page as module
from uda_study.report.data_page import Subject, data_page, shifts_of
from uda_study.report.domain_shift import domain_shift, intensity_figure, shift_figure
from uda_study.types import Case

SUBJECT = Subject("manifest", "cord", ("mr->ct",))


def voxels(mean: float, seed: int, count: int = 3000) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 1, count).astype(np.float32)


def facts(name: str, domain: str = "mr", mean: float = 0.0, **fields) -> CaseFacts:
    rng = np.random.default_rng(list(name.encode()))
    image = rng.normal(size=(20, 16)).astype(np.float32)
    label = np.zeros((20, 16), np.uint8)
    label[4:9, 4:9] = 1
    values = {
        "shape": (20, 16, 4), "spacing": (1.0, 1.0, 3.0), "orientation": "RAS",
        "percentiles": [(1.0, 2.0, 3.0, 4.0, 5.0)], "values": {0: 9, 1: 4}, "volumes": {"box": 4.2},
        "native": [voxels(mean, len(name))], "prepared": [voxels(mean / 9, len(name))],
        "glance": Glance(image, label, (1.0, 1.0), ("R", "A")),
    } | fields  # fmt: skip
    folder = Path("/data/hospital")
    case = case_of(name, domain, folder)
    return CaseFacts(case, **values)


def case_of(name: str, domain: str, folder: Path) -> Case:
    file = folder / f"Doe_Jane_{name}.nii.gz"
    return Case(name, f"s-{name}", domain, (file,), folder / f"Doe_Jane_{name}_label.nii.gz")


def check_of(*cases: CaseFacts, remarks: tuple[Remark, ...] = ()) -> Check:
    return Check(cases, remarks, ("box",))


def page(check: Check) -> str:
    return data_page(check, SUBJECT, shifts_of(check))


TWO = check_of(facts("a"), facts("bb"), facts("ccc", "ct", 40), facts("dddd", "ct", 40))


def remark(*cases: CaseFacts, text: str = "rule", fatal: bool = False) -> Remark:
    problem = Problem(f"{cases[0].case.id} image", text, "value", "remedy")
    return Remark(tuple(one.case for one in cases), "image", problem, fatal)


class Reader(HTMLParser):
    """Collects the tags that would load something, and checks that tags are closed."""

    def __init__(self):
        super().__init__()
        self.sources, self.open, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "img"):
            self.open.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def read(text: str) -> Reader:
    reader = Reader()
    reader.feed(text)
    assert reader.open == []
    return reader


def test_the_page_loads_nothing_and_names_no_file():
    bad = remark(TWO.cases[0], text="not a NIfTI file: Doe_Jane_a.nii.gz", fatal=True)
    text = page(replace(TWO, remarks=(bad,)))
    reader = read(text)
    assert len(reader.sources) == 4  # intensities, divergences, a sheet for each domain
    assert all(source.startswith("data:image/") for source in reader.sources)
    assert "default-src 'none'" in text
    assert "<script" not in text
    assert "Doe" not in text
    assert "/data" not in text
    assert "not a NIfTI file: its file, got value; remedy" in text


def test_every_case_domain_and_problem_is_there():
    remarks = (
        remark(TWO.cases[0], text="is broken & <b>bold</b>", fatal=True),
        remark(TWO.cases[1], TWO.cases[3], text="looks odd"),
    )
    text = page(replace(TWO, remarks=remarks))
    words = " ".join(read(text).text)
    for expected in (
        "a", "bb", "ccc", "dddd", "is broken & <b>bold</b>", "looks odd", "1 error, 1 warning",
        "20 × 16 × 4", "1 × 1 × 3", "box (ml)", "4.2", "mr->ct", "4 in 2 domains",
    ):  # fmt: skip
        assert expected in words
    rows = re.findall(
        r"<tr><td>(\w+)</td>.*?<td>([^<]*)</td></tr>", page(replace(TWO, remarks=remarks))
    )
    assert rows[2:] == [("a", "error"), ("bb", "warning"), ("ccc", "–"), ("dddd", "warning")]


def test_a_clean_dataset_is_said_to_be_clean():
    assert "nothing wrong was found" in page(TWO)


def test_pictures_are_bounded_and_those_with_remarks_come_first(monkeypatch):
    drawn = []
    sheet = module.contact_sheet

    def noted(glances, structures):
        drawn.append([name for name, _ in glances])
        return sheet(glances, structures)

    monkeypatch.setattr(module, "contact_sheet", noted)
    monkeypatch.setattr(module, "MOST_PICTURES", 2)
    cases = [facts(name) for name in ("a", "bb", "ccc")]
    text = page(check_of(*cases, remarks=(remark(cases[2]),)))
    assert drawn == [["a", "ccc"]]
    assert "2 of 3 cases, those with remarks before others" in text


def test_a_page_is_made_where_no_image_could_be_read():
    broken = [CaseFacts(facts(name, domain).case) for name, domain in (("a", "mr"), ("b", "ct"))]
    text = page(check_of(*broken, remarks=(remark(broken[0], fatal=True),)))
    assert "No image of this domain could be read." in text
    assert read(text).sources == []


def test_one_sound_case_among_broken_ones_still_makes_a_page():
    text = page(check_of(facts("a"), CaseFacts(facts("b", "ct").case)))
    assert len(read(text).sources) == 3


def test_divergences_agree_with_those_of_the_leaderboard():
    source = [voxels(0, 1), voxels(0.3, 2)]
    target = [voxels(1, 3), voxels(1.5, 4), voxels(2, 5)]
    shift = domain_shift({"mr": [[v] for v in source], "ct": [[v] for v in target]})
    expected = np.mean(JensenShannon().measure(target, source, target))
    assert shift.divergence[0, 1] == shift.divergence[1, 0] == pytest.approx(expected)
    expected = np.mean(JensenShannonExcess().measure(target, source, target))
    assert shift.excess[1, 0] == pytest.approx(expected)
    assert np.isnan(np.diag(shift.excess)).all()
    assert 0 < shift.divergence[0, 0] < shift.divergence[0, 1]


def test_divergences_average_the_channels_and_lack_what_one_image_cannot_give():
    near, far = voxels(0, 1), voxels(90, 2)
    shift = domain_shift({"a": [[near, near]], "b": [[near, far]], "c": []})
    assert shift.divergence[0, 1] == pytest.approx(0.5, abs=1e-3)
    assert np.isnan(shift.divergence[[0, 1, 2, 0], [0, 1, 2, 2]]).all()
    assert np.isnan(shift.excess).all()


def pixels(picture) -> np.ndarray:
    with Image.open(io.BytesIO(picture.png)) as opened:
        return np.asarray(opened.convert("L")).astype(int)


def test_far_domains_are_darker_than_near_ones():
    images = {name: [[voxels(mean, 1)], [voxels(mean, 2)]] for name, mean in (("a", 0), ("b", 5))}
    near = {**images, "b": images["a"]}
    dark = [(pixels(shift_figure({"x": domain_shift(one)})) < 100).sum() for one in (images, near)]
    assert dark[0] > 2 * dark[1]


def test_each_channel_has_its_own_histograms():
    one = {"mr": [[voxels(0, 1)]], "ct": [[voxels(1, 2)]]}
    two = {"mr": [[voxels(0, 1)] * 2], "ct": [[voxels(1, 2)] * 2]}
    small, tall = (pixels(intensity_figure({"x": stage})).shape for stage in (one, two))
    assert tall[0] > 1.7 * small[0]
    assert tall[1] == small[1]
