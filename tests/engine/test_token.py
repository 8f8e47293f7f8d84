"""The token of a cluster: its file, and whether a cluster asks for it."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from uda_study.engine.token import (
    MODE,
    TOKEN,
    TOKEN_PATH,
    check_token,
    is_open,
    keep_private,
    make_token,
    refuse_open,
    token_file,
)
from uda_study.errors import InputError


@pytest.fixture(autouse=True)
def own_place(monkeypatch, tmp_path):
    """Let Ray's files lie in a home of their own."""
    for name in (TOKEN, TOKEN_PATH, "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(MODE, "token")
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def ray_that():
    """Start a server that answers every call like a Ray that is open or asks for a token."""
    servers = []

    def start(code: grpc.StatusCode | None, token: str | None = None) -> str:
        def answer(request, context):
            del request
            given = dict(context.invocation_metadata()).get("authorization")
            if code is not None and (token is None or given != f"Bearer {token}"):
                context.abort(code, "no token")
            return b""

        class Handler(grpc.GenericRpcHandler):
            def service(self, details):
                del details
                return grpc.unary_unary_rpc_method_handler(answer)

        server = grpc.server(ThreadPoolExecutor(1), handlers=(Handler(),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
        return f"127.0.0.1:{port}"

    yield start
    for server in servers:
        server.stop(None).wait()


def mode_of(path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_token_is_made_once_and_for_its_owner_alone(tmp_path):
    before = os.umask(0)
    try:
        file = make_token()
    finally:
        os.umask(before)
    assert file == token_file() == tmp_path / ".ray" / "auth_token"
    assert (mode_of(file), mode_of(file.parent)) == (0o600, 0o700)
    text = file.read_text()
    assert len(text) == 64
    assert make_token().read_text() == text
    assert make_token(tmp_path / "other").read_text() != text


def test_a_place_that_cannot_be_written_to_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file/token; name a file by RAY_AUTH_TOKEN_PATH"):
        make_token(tmp_path / "file" / "token")


def test_a_ray_of_this_machine_asks_for_a_token_whatever_was_set(monkeypatch):
    monkeypatch.setenv(MODE, "disabled")
    keep_private()
    assert MODE not in os.environ
    file = token_file()
    file.chmod(0o644)  # as Ray itself leaves it
    keep_private()
    assert mode_of(file) == 0o600


def test_a_token_that_others_can_read_is_refused(monkeypatch, tmp_path):
    file = make_token(tmp_path / "t")
    monkeypatch.setenv(TOKEN_PATH, str(file))
    check_token("auto")
    for mode in (0o640, 0o604, 0o620):
        file.chmod(mode)
        with pytest.raises(InputError) as caught:
            check_token("auto")
        (problem,) = caught.value.problems
        assert problem.rule == "must not be readable by others"
        assert problem.value == f"{file} with mode {mode:04o}"
        assert f"chmod 600 {file}" in problem.remedy


def test_a_missing_or_empty_token_is_named(monkeypatch, tmp_path):
    with pytest.raises(InputError, match=r"No such file.*name its file by RAY_AUTH_TOKEN_PATH"):
        check_token("auto")
    file = tmp_path / "t"
    file.touch(0o600)
    monkeypatch.setenv(TOKEN_PATH, str(file))
    with pytest.raises(InputError, match="the file is empty"):
        check_token("auto")
    monkeypatch.setenv(TOKEN, "given by the environment")
    check_token("auto")


def test_a_cluster_is_asked_whether_it_takes_the_token(ray_that, monkeypatch):
    token = make_token().read_text()
    check_token(ray_that(grpc.StatusCode.UNAUTHENTICATED, token))
    other = ray_that(grpc.StatusCode.UNAUTHENTICATED, "another")
    with pytest.raises(InputError, match="token: is not the cluster's"):
        check_token(other)
    monkeypatch.setenv("RAY_ADDRESS", other)
    with pytest.raises(InputError, match=f"is not the cluster's, got {other}; copy"):
        check_token("auto")
    monkeypatch.delenv(MODE)
    with pytest.raises(InputError, match=r"token: the cluster asks for one.*RAY_AUTH_MODE=token"):
        check_token(other)


def test_an_open_ray_is_told_from_a_closed_one(ray_that):
    assert is_open(ray_that(None))
    assert not is_open(ray_that(grpc.StatusCode.UNAUTHENTICATED))
    with pytest.raises(InputError, match=r"no Ray answers there \(UNIMPLEMENTED\)"):
        is_open(ray_that(grpc.StatusCode.UNIMPLEMENTED))


def test_an_open_ray_of_other_machines_is_refused(ray_that, monkeypatch):
    address = ray_that(None)
    refuse_open(address)  # on loopback
    monkeypatch.setattr("uda_study.engine.token._is_loopback", lambda _: False)
    with pytest.raises(InputError) as caught:
        refuse_open(address)
    (problem,) = caught.value.problems
    assert problem.value == address
    for said in ("RAY_AUTH_MODE=token", "umask 077", "ray get-auth-token --generate", TOKEN_PATH):
        assert said in problem.remedy
    refuse_open(ray_that(grpc.StatusCode.UNAUTHENTICATED))


@pytest.mark.parametrize(
    ("host", "is_own"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("[::1]", True), ("localhost", True),
     ("10.0.0.1", False), ("0.0.0.0", False), ("localhost.example.org", False)],
)  # fmt: skip
def test_only_loopback_needs_no_token(host, is_own, monkeypatch):
    asked = []
    monkeypatch.setattr("uda_study.engine.token.is_open", lambda a: bool(asked.append(a)))
    refuse_open(f"{host}:6379")
    assert bool(asked) != is_own
