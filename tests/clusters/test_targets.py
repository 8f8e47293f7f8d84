import pytest

from uda_study.clusters.target import JobsApi, Joined, Launched, submits_to, target_of
from uda_study.errors import InputError


@pytest.mark.parametrize("text", ["auto", "10.0.0.4:6379", "head.cluster:6379", "[fd00::1]:6379"])
def test_an_address_of_ray_is_joined(text):
    assert target_of(text) == Joined(text)
    with pytest.raises(InputError, match="must be http"):
        submits_to(text)


def test_a_jobs_api_is_told_by_its_scheme():
    assert target_of("http://127.0.0.1:8265/") == JobsApi("http://127.0.0.1:8265")


@pytest.mark.parametrize(
    ("url", "alone"),
    [
        ("http://127.0.0.1:8265", True),
        ("http://[::1]:8265", True),
        ("http://localhost:8265", True),
        ("http://10.0.0.4:8265", False),
        ("https://localhost.example.org", False),
    ],
)
def test_only_loopback_is_this_machine_alone(url, alone):
    target = target_of(url)
    assert isinstance(target, JobsApi)
    assert target.alone is alone


def test_a_launchers_file_has_to_be_there(tmp_path):
    file = tmp_path / "own.yaml"
    with pytest.raises(InputError, match="no such file"):
        target_of(str(file))
    file.write_text("")
    assert target_of(str(file)) == Launched(file)


@pytest.mark.parametrize("text", ["", "head", "ftp://head:1", "host:port", "http://"])
def test_anything_else_is_refused_with_what_there_is(text):
    with pytest.raises(InputError, match="must be auto, HOST:PORT"):
        target_of(text)
