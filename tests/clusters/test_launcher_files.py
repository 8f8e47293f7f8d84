"""Ray's own provider of machines that are there anyway, with `ray` itself replaced."""

import json
import os
from pathlib import Path

import pytest

from uda_study.clusters.launcher import Launcher
from uda_study.errors import ClusterError, InputError

# Ray's provider leaves the files that it reads to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

TEXT = """\
cluster_name: uda-study-test
provider: {type: local, head_ip: 10.0.0.4, worker_ips: [10.0.0.5]}
auth: {ssh_user: ubuntu, ssh_private_key: ~/.ssh/own}
head_start_ray_commands:
  # export UDA_STUDY_HOME=/commented/out
  - export UDA_STUDY_HOME=/srv/uda-study RAY_AUTH_MODE=token;
    ray start --head --dashboard-host=127.0.0.1 --dashboard-port=9265
worker_start_ray_commands:
  - export UDA_STUDY_HOME=/srv/uda-study RAY_AUTH_MODE=token; ray start --address=$RAY_HEAD_IP:6379
"""


def memory() -> Path:
    """Return the file in which the provider remembers its machines."""
    return Path(os.environ["RAY_TMPDIR"]) / "ray" / "cluster-uda-study-test.state"


class Ray:
    """What `ray up` and `ray down` do to the provider's memory of its machines."""

    def __init__(self, code: int = 0, leaves: tuple[str, ...] = ()) -> None:
        self.code, self.leaves, self.calls = code, leaves, []

    def __call__(self, words: list[str]) -> int:
        self.calls.append(words)
        state = memory()
        found = json.loads(state.read_text()) if state.exists() else {}
        for ip, node in found.items():
            up = words[0] == "up" or ip in self.leaves
            node["state"] = "running" if up else "terminated"
            node["tags"]["ray-node-status"] = "up-to-date"
        state.parent.mkdir(exist_ok=True)
        state.write_text(json.dumps(found))
        return self.code


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    path = tmp_path / "own.yaml"
    path.write_text(TEXT)
    return path


def test_a_cluster_that_was_never_brought_up_has_no_machines(file):
    assert Launcher(file).nodes() == []
    assert Launcher(file).head() is None


def test_up_has_a_head_that_is_reached_by_the_files_own_key(file):
    ray = Ray()
    launcher = Launcher(file, ray)
    launcher.nodes()
    launcher.up(lambda *_: None)
    assert ray.calls == [["up", "-y", str(file)]]
    assert [(node.kind, node.ip) for node in launcher.nodes()] == [
        ("head", "10.0.0.4"),
        ("worker", "10.0.0.5"),
    ]
    head = launcher.head()
    assert head is not None
    ssh = launcher.ssh(head)
    assert (ssh.user, ssh.host) == ("ubuntu", "10.0.0.4")
    assert ssh.key == Path("~/.ssh/own").expanduser()
    assert ssh.alias == "uda-study-test-10.0.0.4"


def test_down_names_what_is_left(file):
    launcher = Launcher(file, Ray(leaves=("10.0.0.5",)))
    launcher.nodes()
    launcher.up(lambda *_: None)
    assert [node.ip for node in launcher.down()] == ["10.0.0.5"]


def test_down_that_fails_still_tells_what_is_left(file):
    up = Launcher(file, Ray())
    up.nodes()
    up.up(lambda *_: None)
    assert len(Launcher(file, Ray(1, ("10.0.0.4", "10.0.0.5"))).down()) == 2
    with pytest.raises(ClusterError, match="ray down ended with 1"):
        Launcher(file, Ray(1)).down()


def test_ray_that_fails_is_an_error(file):
    with pytest.raises(ClusterError, match="ray up ended with 3"):
        Launcher(file, Ray(3)).up(lambda *_: None)


def test_an_open_cluster_is_not_brought_up(file):
    file.write_text(TEXT.replace("RAY_AUTH_MODE=token", "RAY_AUTH_MODE=disabled"))
    ray, told = Ray(), []
    with pytest.raises(InputError, match="must ask for a token"):
        Launcher(file, ray).up(told.append)
    assert ray.calls == []
    assert any("must ask for a token" in line for line in told)


def test_home_and_dashboard_are_what_the_file_says(file):
    assert Launcher(file).home == "/srv/uda-study"
    assert Launcher(file).dashboard_port == 9265
    bare = TEXT.replace("UDA_STUDY_HOME=/srv/uda-study ", "").replace(" --dashboard-port=9265", "")
    file.write_text(bare)
    assert Launcher(file).home is None
    assert Launcher(file).dashboard_port == 8265


@pytest.mark.parametrize("text", ["", "[1, 2]", "provider: {type: local}"])
def test_another_yaml_file_is_refused(file, text):
    file.write_text(text)
    with pytest.raises(InputError, match=r"own\.yaml cluster_name: is required"):
        Launcher(file).nodes()
