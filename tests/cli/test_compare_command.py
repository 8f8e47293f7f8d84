"""``uda-study compare`` on a tracked study, whose models are there or gone."""

import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from uda_study.engine import revisit
from uda_study.study.trial import Cell, TrialResult, TrialSpec
from uda_study.tracking.log import MlflowRunLog
from uda_study.tracking.store import open_store
from uda_study.types import Direction

SUBJECTS = "abcdefg"
LEAD = {"g2": 0.0, "g5": 0.2}


def write_study(home, folder, study, depths=("g2", "g5"), subjects=SUBJECTS, seeds=(0, 1)):
    """Log the confirmations of some depths; the deeper leads on all subjects but the first."""
    cells = [
        Cell(f"depth={d} direction=mr->ct", "dam", Direction("mr", "ct"), {"depth": d}, {})
        for d in depths
    ]
    log = MlflowRunLog(home)
    tags = {
        "dataset": "manifest",
        "protocol": "strict",
        "seeds": "0,1",
        "selection": "blind/rank_avg",
    }
    log.open(study, folder, cells, tags)
    keys = {}
    for depth, cell in zip(depths, cells, strict=True):
        for seed in seeds:
            spec = TrialSpec(study, "confirm", cell.key, 0, "dam", "mr->ct", 0, seed, {})
            place = folder / spec.key
            place.mkdir(parents=True)
            lines = ["case,subject,role,structure,metric,phase,value"]
            for number, subject in enumerate(subjects):
                value = 0.5 + 0.01 * number + LEAD[depth] * (1 if number else -1) + 0.02 * seed
                lines.append(f"{subject}1,{subject},target_test,heart,dice,after,{value}")
            (place / "cases.csv").write_text("\n".join(lines) + "\n")
            log.trial_started(spec, {"depth": depth})
            log.trial_finished(
                spec, TrialResult(spec.key, "complete", 3, {"blind/score": 0.5}), place
            )
            keys[depth, seed] = spec.key
    log.close("complete")
    return keys


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    """A home with two studies, the second of one depth and with one subject fewer."""
    home = tmp_path_factory.mktemp("home")
    folder = tmp_path_factory.mktemp("folders")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        open_store(home)
        keys = write_study(home, folder, "tiny-1")
        write_study(home, folder, "later-2", depths=("g5",), subjects=SUBJECTS[1:])
    return home, keys


@pytest.fixture
def home(studies):
    return studies[0]


def test_the_terminal_shows_verdict_metrics_and_cases(call, home):
    ended = call("compare", "tiny", "g5", "g2", "--home", home)
    assert ended.code == 0
    assert "depth=g5 direction=mr->ct   (tiny-1, supervision" in ended.out
    assert "paired over  7 subjects, 7 cases, seeds 0, 1" in ended.out
    assert "A and B are not distinguishable: A - B = +0.143 Dice" in ended.out
    cases = [line.split()[0] for line in ended.out.splitlines() if line[1:3] == "1 "]
    assert cases == [f"{subject}1" for subject in SUBJECTS]
    assert ended.err == ""


def test_json_is_one_document_and_format_csv_the_cases(call, home):
    found = call("compare", "tiny", "g5", "g2", "--json", "--home", home).json
    assert found["metrics"][0]["difference"] == pytest.approx(1 / 7)
    assert len(found["cases"]) == 7
    assert call("compare", "tiny", "g5", "g2", "--format", "json", "--home", home).json == found
    table = call("compare", "tiny", "g5", "g2", "--format", "csv", "--home", home).out
    assert table.splitlines()[0].startswith("case,subject,dice.a")
    assert len(table.splitlines()) == 8


def test_another_studys_row_is_paired_over_shared_subjects(call, home):
    ended = call("compare", "tiny-1", "g5", "g5", "--with", "later", "--home", home)
    assert ended.code == 0
    assert "(later-2, supervision" in ended.out
    assert "paired over  6 subjects" in ended.out
    assert "left out: 1 subjects that only A was tested on" in ended.out
    assert "same images could not be checked" in ended.out


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (("same", "same"), None),
        (("same", "other"), "1 of 6 cases were prepared otherwise"),
    ],
)
def test_cases_of_other_files_are_counted(call, home, files, expected):
    for study, value in zip(("tiny-1", "later-2"), files, strict=True):
        folder = home / "studies" / study
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "data.json").write_text(f'{{"cases": {{"b1": "{value}", "a1": "{study}"}}}}')
    ended = call("compare", "tiny-1", "g5", "g5", "--with", "later", "--home", home)
    shutil.rmtree(home / "studies")
    assert "could not be checked" not in ended.out
    if expected is None:
        assert "prepared otherwise" not in ended.out
    else:
        assert expected in ended.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("tiny", "g5", "g7"), "B: no row has these words, got 'g7'"),
        (("tiny", "dam", "g5"), "A: names more than one row, got 'dam'; choose from"),
        (("tyni", "g5", "g2"), "study: unknown study, got 'tyni'"),
        (("tiny", "g5", "g2", "--with", "nope"), "study: unknown study, got 'nope'"),
        (("tiny", "g5", "g2", "-o", "no/page.html"), "--output: must be a file in a folder that"),
        (("tiny", "g5", "g2", "--picture", "."), "--picture: must be a file in a folder that"),
    ],
)
def test_what_cannot_be_compared_or_written_is_invalid_input(call, home, words, message):
    ended = call("compare", *words, "--home", home)
    assert ended.code == 2
    assert message in ended.err
    assert ended.out == ""


def test_a_page_without_models_says_so_and_has_everything_else(call, home, tmp_path):
    ended = call(
        "compare", "tiny", "g5", "g2", "--home", home, "-o", "page.html", "--picture", "plot.png",
        "--csv", "cases.csv",
    )  # fmt: skip
    assert ended.code == 0
    assert "! no images on the page: the models of 2 of 2 trainings are not on this" in ended.err
    page = (tmp_path / "page.html").read_text()
    assert "No images: the models of 2 of 2 trainings are not on this disk." in page
    assert str(home) not in page
    assert (tmp_path / "plot.png").read_bytes().startswith(b"\x89PNG")
    assert len((tmp_path / "cases.csv").read_text().splitlines()) == 8
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "cases.csv",
        "page.html",
        "plot.png",
    ]


@pytest.fixture
def models(studies):
    """Folders of models for all trainings of the first study."""
    home, keys = studies
    trials = home / "studies" / "tiny-1" / "trials"
    for key in keys.values():
        (trials / key / "model").mkdir(parents=True)
    yield keys
    shutil.rmtree(home / "studies")


def test_a_study_that_cannot_be_opened_gives_a_page_without_images(call, home, models, tmp_path):
    ended = call("compare", "tiny", "g5", "g2", "--home", home, "-o", "page.html")
    assert ended.code == 0
    assert "! no images on the page: study: unknown study" in ended.err
    page = (tmp_path / "page.html").read_text()
    assert "No images: the studies could not be opened again." in page


def test_the_cases_that_differ_most_are_segmented_again_by_typical_trainings(
    call, home, models, monkeypatch, tmp_path
):
    asked = []

    class Opened:
        def __init__(self, study, *_):
            self.study = study

        def segmented(self, key, cases):
            for case in cases:
                asked.append((key, case))
                labels = np.zeros((8, 8, 3), np.uint8)
                labels[2:6, 2:6, asked.index((key, case)) % 3] = 1
                yield SimpleNamespace(
                    case=case, image=labels.astype(np.float32), truth=labels, after=labels,
                    affine=np.diag([1.0, 1.0, 4.0, 1.0]),
                )  # fmt: skip

    preprocessing = SimpleNamespace(class_names=("background", "heart"))
    monkeypatch.setattr(
        revisit,
        "reopen",
        lambda *_: SimpleNamespace(preprocessing=preprocessing),
    )
    monkeypatch.setattr(revisit, "Revisit", Opened)
    ended = call("compare", "tiny", "g5", "g2", "--home", home, "-o", "page.html")
    assert (ended.code, ended.err) == (0, "written: page.html\n")
    page = (tmp_path / "page.html").read_text()
    assert page.count("<img") == 2
    # Three of the six in which A leads, and the one in which B does; both seeds are as near.
    assert [case for _, case in asked[::2]] == ["b1", "c1", "d1", "a1"]
    assert {key for key, _ in asked[::2]} == {models["g5", 0]}
    assert {key for key, _ in asked[1::2]} == {models["g2", 0]}
