import platform
from importlib.metadata import version

import pytest

from uda_study.clusters.checks import Asked, findings_of
from uda_study.clusters.diagnosis import compare_versions, parse
from uda_study.clusters.findings import Finding, software
from uda_study.clusters.node_facts import Facts, facts, marks

PINS = {"numpy": "2.1.0", "torch": "2.13.0"}


def bad(packages=PINS, trouble="", clock=100.0, error="", ray=None, python=None) -> list[str]:
    """Return what is found wrong with a machine whose answer came between 99.9 and 100.1 s."""
    python, ray = python or platform.python_version(), ray or version("ray")
    found = None if error else Facts("node7", python, ray, packages, trouble, clock)
    asked = Asked("10.0.0.7", 2.0, found, error, 99.9, 100.1)
    return [f"{f.what}: {f.value}" for f in findings_of(asked, PINS) if not f.good]


def test_a_machine_like_the_driver_is_good():
    assert bad() == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"packages": {**PINS, "numpy": "2.0.0"}}, "packages: numpy 2.0.0 for 2.1.0"),
        ({"packages": {**PINS, "numpy": None}}, "packages: numpy missing for 2.1.0"),
        ({"trouble": "Read-only file system"}, "home: Read-only file system"),
        ({"clock": 97.0}, "clock: 2.9 s off"),
        ({"clock": 103.0}, "clock: 2.9 s off"),
        ({"ray": "2.59.0"}, "Ray 2.59.0"),
        ({"python": "3.10.4"}, "Python 3.10"),
        ({"error": "ModuleNotFoundError: uda_study"}, "ModuleNotFoundError"),
    ],
)
def test_what_differs_is_named_with_the_machine(given, expected):
    (line,) = bad(**given)
    assert "10.0.0.7" in line
    assert expected in line


def test_a_slow_answer_is_no_wrong_clock():
    found = Facts("node7", platform.python_version(), version("ray"), PINS, "", 160.0)
    asked = Asked("10.0.0.7", 0.0, found, "", 100.0, 170.0)
    assert all(finding.good for finding in findings_of(asked, PINS))


def test_a_machine_leaves_its_file_where_the_others_look(tmp_path):
    own = facts(["numpy", "no-such-package"], tmp_path, "doctor-1/node")
    assert own.packages == {"numpy": version("numpy"), "no-such-package": None}
    assert own.trouble == ""
    assert marks(tmp_path, "doctor-1") == ["node"]
    assert marks(tmp_path, "doctor-2") == []


def test_a_home_that_cannot_be_written_is_no_crash(tmp_path):
    (tmp_path / "home").write_text("a file")
    assert facts([], tmp_path / "home", "doctor-1/node").trouble


def test_findings_are_read_from_a_log_with_lines_of_rays():
    log = '2026 INFO job_manager.py\nRunning entrypoint\n[\n {"what": "a", "good": true, "value": '
    log += '"b", "remedy": ""}\n]\n2026 INFO bye\n'
    assert parse(log) == [Finding("a", True, "b")]
    assert parse("Traceback\n[\n 1\n") is None
    assert parse("") is None


def test_other_versions_on_the_head_are_told_beside_ours():
    assert compare_versions(software()).good
    found = compare_versions("Python 3.10, Ray 2.60.0")
    assert not found.good
    assert "Python 3.10, Ray 2.60.0 there" in found.value
