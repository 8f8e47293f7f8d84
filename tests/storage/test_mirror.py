"""What is pushed comes back whole, and what was torn on the way is not there."""

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from uda_study import remote
from uda_study.errors import InputError, StoreError
from uda_study.mirror import MANIFEST, Mirror


@pytest.fixture(params=["s3", "file"])
def address(request, bucket, tmp_path) -> str:
    return bucket.address if request.param == "s3" else f"file://{tmp_path}/there"


def home(tmp_path: Path, name: str) -> Path:
    place = tmp_path / name
    place.mkdir(exist_ok=True)
    return place


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        file = folder / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def contents(folder: Path) -> dict[str, str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def there_and_here(tmp_path, address) -> tuple[Mirror, Mirror]:
    return Mirror(home(tmp_path, "a"), address), Mirror(home(tmp_path, "b"), address)


def test_a_folder_comes_back_as_it_was_pushed(tmp_path, address):
    one, other = there_and_here(tmp_path, address)
    folder = write(one.home / "studies/x", result="1", model__weights="w", empty="")
    one.push(folder)
    other.pull(other.home / "studies/x")
    assert contents(other.home / "studies/x") == {"result": "1", "model/weights": "w", "empty": ""}
    assert {p.name for p in (other.home / "studies").iterdir()} == {"x"}
    assert other.has(other.home / "studies/x")
    assert other.names(other.home / "studies") == ["x"]


def test_a_file_comes_back_as_it_was_pushed_last(tmp_path, address):
    one, other = there_and_here(tmp_path, address)
    file = one.home / "journal.jsonl"
    for text in ("first", "second one"):
        file.write_text(text)
        one.push(file)
    other.pull(other.home / "journal.jsonl")
    assert (other.home / "journal.jsonl").read_text() == "second one"
    assert other.read(other.home / "journal.jsonl") == b"second one"


def test_a_file_that_is_dropped_is_gone_and_nothing_else(tmp_path, address):
    mirror = Mirror(home(tmp_path, "a"), address)
    write(mirror.home, mark="1", marks="2")
    for name in ("mark", "marks"):
        mirror.push(mirror.home / name)
    mirror.drop(mirror.home / "mark")
    assert mirror.read(mirror.home / "mark") is None
    assert mirror.read(mirror.home / "marks") == b"2"


def test_what_is_nowhere_is_passed_over(tmp_path, address):
    mirror = Mirror(home(tmp_path, "a"), address)
    mirror.pull(mirror.home / "studies/x")
    mirror.drop(mirror.home / "studies/x")
    assert list(mirror.home.iterdir()) == []
    assert mirror.read(mirror.home / "x") is None
    assert mirror.names(mirror.home / "studies") == []
    assert not mirror.has(mirror.home / "studies/x")


def test_a_folder_that_has_checkpoints_there_and_no_manifest_is_not_there(tmp_path, address):
    one, other = there_and_here(tmp_path, address)
    one.push(write(one.home / "t", checkpoints__4__state="s") / "checkpoints/4")
    other.pull(other.home / "t")
    assert other.read(other.home / "t") is None
    assert contents(other.home) == {}
    other.pull(other.home / "t/checkpoints/4")
    assert contents(other.home) == {"t/checkpoints/4/state": "s"}


def test_dropping_removes_all_that_is_below(tmp_path, address):
    one, other = there_and_here(tmp_path, address)
    folder = write(one.home / "t", result="1", checkpoints__4__state="s")
    one.push(folder)
    one.push(folder / "checkpoints/4")
    one.push(write(one.home / "tt", result="of another"))
    one.drop(folder)
    for name in ("t", "t/checkpoints/4", "tt"):
        other.pull(other.home / name)
    assert contents(other.home) == {"tt/result": "of another"}


def test_drafts_links_and_checkpoints_stay_at_home(tmp_path, address):
    one, other = there_and_here(tmp_path, address)
    folder = write(one.home / "t", result="1", checkpoints__4__state="s")
    write(folder, **{".draft": "d"})
    os.symlink("/etc/hostname", folder / "link")
    one.push(folder)
    other.pull(other.home / "t")
    assert contents(other.home / "t") == {"result": "1"}


def test_a_replaced_folder_keeps_its_checkpoints(tmp_path, address):
    one, other = there_and_here(tmp_path, address)
    one.push(write(one.home / "t", result="new"))
    write(other.home / "t", result="old", error="old", checkpoints__4__state="s")
    other.pull(other.home / "t")
    assert contents(other.home / "t") == {"result": "new", "checkpoints/4/state": "s"}


def test_only_changed_files_are_sent_again(tmp_path, bucket):
    one, other = there_and_here(tmp_path, bucket.address)
    folder = write(one.home / "t", large="x" * 100_000, small="1")
    one.push(folder)
    bucket.forget()
    one.push(folder)
    assert (bucket.requests["PUT"], bucket.received) == (0, 0)
    write(folder, small="2")
    one.push(folder)
    assert bucket.requests["PUT"] == 2  # the file and the manifest
    assert 0 < bucket.received < 2000
    other.pull(other.home / "t")
    bucket.forget()
    write(folder, small="3")
    one.push(folder)
    bucket.forget()
    other.pull(other.home / "t")
    assert contents(other.home / "t")["small"] == "3"
    assert bucket.requests["GET"] == 2


def test_what_is_there_is_kept_where_it_is_not_to_be_replaced(tmp_path, address):
    one, other = there_and_here(tmp_path, address)
    one.push(write(one.home / "stage", weights="of the first"))
    other.push(write(other.home / "stage", weights="of the second"), replace=False)
    shutil.rmtree(other.home / "stage")
    other.pull(other.home / "stage")
    assert contents(other.home / "stage") == {"weights": "of the first"}


def test_a_torn_upload_is_not_there(tmp_path, bucket):
    one, other = there_and_here(tmp_path, bucket.address)
    folder = write(one.home / "t", a="1", b="2")
    bucket.fails = lambda method, path: 400 if method == "PUT" and "/b." in path else None
    with pytest.raises(StoreError, match=f"{bucket.address}/t/b"):
        one.push(folder)
    assert [key.split(".")[0] for key in bucket.stored()] == ["t/a"]
    other.pull(other.home / "t")
    assert list(other.home.iterdir()) == []
    bucket.fails = lambda *_: None
    one.push(folder)
    other.pull(other.home / "t")
    assert contents(other.home / "t") == {"a": "1", "b": "2"}


def test_a_torn_upload_over_a_whole_folder_leaves_that_one(tmp_path, bucket):
    one, other = there_and_here(tmp_path, bucket.address)
    folder = write(one.home / "t", a="old", b="old")
    one.push(folder)
    write(folder, a="new", b="new")
    bucket.fails = lambda method, path: 400 if method == "PUT" and path.endswith("json") else None
    with pytest.raises(StoreError):
        one.push(folder)
    bucket.fails = lambda *_: None
    other.pull(other.home / "t")
    assert contents(other.home / "t") == {"a": "old", "b": "old"}


def test_a_moment_of_trouble_is_passed_over(tmp_path, bucket):
    one, other = there_and_here(tmp_path, bucket.address)
    left = [503] * 4  # pyarrow's client gives up at the third

    def flaky(method: str, path: str) -> int | None:
        return left.pop() if left else None

    bucket.fails = flaky
    one.push(write(one.home / "t", a="1"))
    assert left == []
    other.pull(other.home / "t")
    assert contents(other.home / "t") == {"a": "1"}


def test_damage_at_the_address_is_named_and_not_taken(tmp_path, bucket):
    one, other = there_and_here(tmp_path, bucket.address)
    one.push(write(one.home / "t", a="1"))
    (stored,) = [key for key in bucket.stored() if not key.endswith(MANIFEST)]
    bucket.put(stored, b"2")
    with pytest.raises(StoreError, match=r"s3://.*t/a: its content is not .* remove the folder"):
        other.pull(other.home / "t")
    bucket.remove(stored)
    with pytest.raises(StoreError, match="files that its manifest names are missing"):
        other.pull(other.home / "t")
    bucket.put(f"t/{MANIFEST}", b"{")
    with pytest.raises(StoreError, match="its manifest is damaged"):
        other.pull(other.home / "t")
    assert list(other.home.iterdir()) == []


@pytest.mark.parametrize("name", ["../../escaped", "/tmp/escaped", "a/../../escaped", ".hidden"])
def test_a_manifest_that_names_other_places_is_refused(tmp_path, bucket, name):
    mirror = Mirror(home(tmp_path, "a"), bucket.address)
    text = json.dumps({"files": {name: {"sha256": "0" * 64, "bytes": 1}}})
    bucket.put(f"t/{MANIFEST}", text.encode())
    with pytest.raises(StoreError, match="its manifest is damaged"):
        mirror.pull(mirror.home / "t")


def test_two_machines_that_push_the_same_entry_do_no_harm(tmp_path, bucket):
    names = [f"m{number}" for number in range(4)]
    mirrors = [Mirror(home(tmp_path, name), bucket.address) for name in names]
    for mirror in mirrors:
        write(mirror.home / "stage", weights="same" * 1000, facts="f")

    def both(mirror: Mirror) -> None:
        mirror.push(mirror.home / "stage", replace=False)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(both, mirrors))
    last = Mirror(home(tmp_path, "last"), bucket.address)

    def pull(_: int) -> None:
        last.pull(last.home / "stage")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(pull, range(4)))
    assert contents(last.home / "stage") == {"weights": "same" * 1000, "facts": "f"}
    assert len(bucket.stored()) == 3


def test_what_one_writes_never_mixes_with_what_another_wrote(tmp_path, bucket):
    one, other = there_and_here(tmp_path, bucket.address)
    last = Mirror(home(tmp_path, "c"), bucket.address)
    one.push(write(one.home / "t", a="one", b="one"))
    write(other.home / "t", a="other", b="other")
    seen = []

    def between(method: str, path: str) -> None:
        if method == "PUT" and "/b." in path and not seen:
            seen.append(path)
            last.pull(last.home / "t")

    bucket.fails = between
    other.push(other.home / "t")
    assert seen
    assert contents(last.home / "t") == {"a": "one", "b": "one"}
    last.pull(last.home / "t")
    assert contents(last.home / "t") == {"a": "other", "b": "other"}


def test_a_bucket_that_is_not_there_is_named_with_what_to_do(tmp_path, bucket):
    mirror = Mirror(home(tmp_path, "a"), "s3://nobodys-bucket/lab")
    folder = write(mirror.home / "t", a="1")
    with pytest.raises(StoreError, match=r"s3://nobodys-bucket/lab/t.*check the address") as raised:
        mirror.push(folder)
    assert "canary" not in str(raised.value)


def test_an_address_that_does_not_answer_is_named(tmp_path, bucket, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9")
    monkeypatch.setattr(remote, "PAUSES_S", ())
    mirror = Mirror(home(tmp_path, "a"), bucket.address)
    with pytest.raises(StoreError, match=bucket.address):
        mirror.pull(mirror.home / "t")


@pytest.mark.parametrize(
    "address",
    [
        "s3://AKIACANARY:topsecret@bucket/x", "s3://bucket/x?secret_key=topsecret", "bucket/x",
        "http://bucket/x", "s3:///x", "file://relative/x", "s3://bucket/../x",
    ],
)  # fmt: skip
def test_an_address_is_checked_and_its_secrets_are_not_shown(tmp_path, address):
    with pytest.raises(InputError) as raised:
        Mirror(tmp_path, address).pull(tmp_path / "x")
    assert "topsecret" not in str(raised.value)


def test_without_an_address_nothing_happens(tmp_path):
    mirror = Mirror(tmp_path)
    folder = write(tmp_path / "t", a="1")
    mirror.push(folder)
    mirror.drop(folder)
    mirror.pull(tmp_path / "u")
    assert contents(tmp_path) == {"t/a": "1"}
    assert mirror.names(tmp_path) == []


def test_what_was_replaced_is_removed_when_it_is_replaced_once_more(tmp_path, address):
    one, _ = there_and_here(tmp_path, address)
    there = remote.Remote(address)

    def stored() -> list[str]:
        """Return the files that are there, by the beginning of their names and by content."""
        found = {name: there.read(f"t/{name}") for name in there.stamps("t") if name != MANIFEST}
        return sorted(f"{name.split('.')[0]}={content.decode()}" for name, content in found.items())

    one.push(write(one.home / "t", same="0", m__weights="1", once="1"))
    (one.home / "t" / "once").unlink()
    one.push(write(one.home / "t", m__weights="2"))
    assert stored() == ["m/weights=1", "m/weights=2", "once=1", "same=0"]
    one.push(one.home / "t")
    assert len(stored()) == 4
    one.push(write(one.home / "t", m__weights="3"))
    assert stored() == ["m/weights=2", "m/weights=3", "same=0"]
    # What comes back is not taken for what was replaced.
    one.push(write(one.home / "t", m__weights="2"))
    assert stored() == ["m/weights=2", "m/weights=3", "same=0"]


def test_a_reader_of_the_manifest_before_finds_all_that_it_names(tmp_path, bucket):
    one, other = there_and_here(tmp_path, bucket.address)
    for text in ("1", "2"):
        one.push(write(one.home / "t", a=text, b=text))
    seen = []

    def meanwhile(method: str, path: str) -> None:
        if method == "GET" and "/a." in path and not seen:
            seen.append(path)
            one.push(write(one.home / "t", a="3", b="3"))

    bucket.fails = meanwhile
    other.pull(other.home / "t")
    assert seen
    assert contents(other.home / "t") == {"a": "2", "b": "2"}


def test_a_manifest_that_would_remove_what_lies_elsewhere_is_refused(tmp_path, bucket):
    one, _ = there_and_here(tmp_path, bucket.address)
    one.push(write(one.home / "t", a="1"))
    manifest = json.loads(bucket.get(f"t/{MANIFEST}"))
    bucket.put(f"t/{MANIFEST}", json.dumps(manifest | {"replaced": ["../u/a"]}).encode())
    with pytest.raises(StoreError, match="its manifest is damaged"):
        one.push(write(one.home / "t", a="2"))
