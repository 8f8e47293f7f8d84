"""What ``uda-study ui`` says before it serves anything."""

import socket

import pytest

from uda_study.tracking import store


@pytest.fixture
def no_store(monkeypatch):
    monkeypatch.setattr(store, "open_store", lambda _: None)


def test_a_port_that_is_taken_is_refused_before_anything_is_made(call, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = call("ui", "--port", port, "--home", tmp_path / "home")
    assert ended.code == 2
    assert f"--port: another program listens there, got {port}" in ended.err
    assert not (tmp_path / "home").exists()


@pytest.mark.usefixtures("no_store")
def test_a_server_of_its_own_is_named_without_its_password(call, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://lab:canary@runs.example/mlflow")
    ended = call("ui", "--home", tmp_path / "home")
    assert ended.code == 0
    assert "https://lab@runs.example/mlflow" in ended.out + ended.err
    assert "canary" not in ended.out + ended.err
