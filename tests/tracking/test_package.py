import json
import shutil
import struct
from pathlib import Path

import pytest
import torch
from toy_method import CONFIG, TASK, make_method

from uda_study.errors import InputError, StoreError
from uda_study.parts.image_pool import ImagePool
from uda_study.training.package import load_package, read_config, save_package, verify_package
from uda_study.training.weights import save_weights


@pytest.fixture
def package(tmp_path: Path, toy_plugin: None) -> Path:
    save_package(tmp_path / "model", make_method(1), CONFIG)
    return tmp_path / "model"


def test_a_method_comes_back_and_predicts_the_same(package: Path):
    image = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    method, config = load_package(package)
    assert config == CONFIG
    assert not method.training
    assert torch.equal(method.segment(image), make_method(1).segment(image))
    assert not torch.equal(method.segment(image), make_method(2).segment(image))


def test_a_package_holds_exactly_three_files_and_replaces_an_older_one(package: Path):
    assert {path.name for path in package.iterdir()} == {
        "model.safetensors", "config.json", "manifest.json",
    }  # fmt: skip
    digest = verify_package(package)
    assert save_package(package, make_method(1), CONFIG) == digest
    assert save_package(package, make_method(2), CONFIG) != digest
    assert [path.name for path in package.parent.iterdir()] == ["model"]


def test_weights_that_share_memory_are_kept(tmp_path: Path, toy_plugin: None):
    method = make_method(1)
    method.again = method.head
    save_package(tmp_path / "model", method, CONFIG)
    verify_package(tmp_path / "model")


def test_images_that_a_method_kept_do_not_travel_with_it(tmp_path: Path, toy_plugin: None):
    canary = 0.73515625  # exact in float32, so its bytes are known
    method = make_method(1)
    method.body.pool = ImagePool(3, TASK.in_channels, TASK.patch_size)  # anywhere inside
    method.body.pool.swap(torch.full((2, TASK.in_channels, *TASK.patch_size), canary))
    save_weights(method, tmp_path / "kept.safetensors")
    save_package(tmp_path / "model", method, CONFIG)
    written = struct.pack("<f", canary)
    assert written in (tmp_path / "kept.safetensors").read_bytes()
    for file in (tmp_path / "model").iterdir():
        assert written not in file.read_bytes()


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_changed_file_is_refused(package: Path, name: str):
    data = bytearray((package / name).read_bytes())
    data[-5] ^= 1
    (package / name).write_bytes(bytes(data))
    with pytest.raises(StoreError, match="does not match the sha256"):
        load_package(package)


@pytest.mark.parametrize("name", ["evil.py", "MLmodel", "model.pkl"])
def test_any_other_file_is_refused(package: Path, name: str):
    (package / name).write_text("raise SystemExit")
    with pytest.raises(StoreError, match=name):
        load_package(package)


def test_links_are_refused(package: Path, tmp_path: Path):
    shutil.move(package / "config.json", tmp_path / "config.json")
    (package / "config.json").symlink_to(tmp_path / "config.json")
    with pytest.raises(StoreError, match="not a link"):
        load_package(package)
    (tmp_path / "link").symlink_to(package)
    with pytest.raises(StoreError, match="not a model package"):
        load_package(tmp_path / "link")


def test_a_missing_file_is_named(package: Path):
    (package / "manifest.json").unlink()
    with pytest.raises(StoreError, match=r"manifest\.json"):
        load_package(package)


def test_a_manifest_that_is_no_json_is_named(package: Path):
    (package / "manifest.json").write_text("[")
    with pytest.raises(StoreError, match="cannot be read"):
        load_package(package)


def test_weights_of_another_network_are_refused(tmp_path: Path, toy_plugin: None):
    other = CONFIG.model_copy(update={"hyper": {"width": 3}})
    save_package(tmp_path / "model", make_method(1), other)
    with pytest.raises(StoreError, match="do not fit"):
        load_package(tmp_path / "model")


def test_a_method_that_is_not_installed_is_bad_input(tmp_path: Path, toy_plugin: None):
    other = CONFIG.model_copy(update={"method": "tox"})
    save_package(tmp_path / "model", make_method(1), other)
    with pytest.raises(InputError, match="did you mean 'toy'"):
        load_package(tmp_path / "model")


def test_a_description_with_unknown_fields_is_refused(package: Path):
    values = json.loads((package / "config.json").read_text())
    assert read_config(package).task == TASK
    (package / "config.json").write_text(json.dumps(values | {"run": "rm"}))
    with pytest.raises(StoreError):
        read_config(package)
