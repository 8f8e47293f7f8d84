"""``uda-study report`` on a study of which one setting is confirmed."""

import shutil

import pytest
from one_training import make_home

from uda_study.study.cells import confirm_trials


@pytest.fixture(scope="module")
def home(study_file, tmp_path_factory):
    """A home with one confirmation; the tests read it."""

    def first(study):
        return confirm_trials(study.spec, study.id, study.cells[0], study.first_trials[:1])[0]

    def asking(study):
        return (
            f"# yaml-language-server: $schema=x\n# Which depth\n# is best?\n{study.text}# not this"
        )

    return make_home(tmp_path_factory.mktemp("reported"), study_file, first, asking)


def test_the_page_shows_the_study_its_question_and_volumes(call, home, tmp_path):
    ended = call("report", "tiny", "-o", tmp_path / "page.html", "--home", home)
    assert (ended.code, ended.out) == (0, "")
    assert "reading study tiny-" in ended.err
    assert "page.html   2." in ended.err
    page = (tmp_path / "page.html").read_text()
    assert '<p class="question">Which depth is best?</p>' in page
    assert page.count('id="viewer-cases"') == 1
    assert '"structures": ["box", "core"]' in page
    assert str(home) not in page
    assert str(tmp_path) not in page
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_without_volumes_the_page_is_small_and_one_document_tells_of_it(call, home, tmp_path):
    ended = call("report", "tiny", "--no-volumes", "--json", "--home", home)
    page = tmp_path / "report.html"
    assert ended.json == {
        "study": next((home / "studies").iterdir()).name,
        "page": "report.html", "bytes": page.stat().st_size, "volumes": 0,
    }  # fmt: skip
    assert page.stat().st_size < 1_000_000
    assert "viewer" not in page.read_text().partition("</style>")[2]


def test_where_the_models_are_gone_the_page_is_made_without_volumes(call, home, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(home, copy)
    shutil.rmtree(next((copy / "studies").iterdir()) / "trials")
    ended = call("report", "tiny", "--home", copy)
    assert ended.code == 0
    assert "without volumes: " in ended.err
    page = (tmp_path / "report.html").read_text()
    assert "were not at hand when this page was made" in page
    assert str(tmp_path) not in page


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("other",), "unknown study, got 'other'"),
        (("tiny", "-o", "nowhere/page.html"), "-o: must be a file in a folder that exists"),
        (("tiny", "-o", "."), "-o: must be a file in a folder that exists"),
    ],
)
def test_what_is_unknown_or_cannot_be_written_is_invalid_input(call, home, words, message):
    ended = call("report", *words, "--home", home)
    assert ended.code == 2
    assert message in ended.err
    assert "Traceback" not in ended.err
