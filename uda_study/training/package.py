"""The model package: the weights and the description of a trained method, safe to open.

A package is a folder of exactly three files: ``model.safetensors`` (the method's state dict),
``config.json`` (a `ModelConfig`) and ``manifest.json`` (the sha256 of the other two). Opening one
runs no code from it. Its digest is the sha256 of the manifest, so it stands for all of it.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any, Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from safetensors import SafetensorError
from safetensors.torch import load_file

import uda_study
from uda_study import plugins
from uda_study.data.postprocess import PostprocessSpec
from uda_study.dataset import Preprocessing
from uda_study.errors import StoreError
from uda_study.method import Forgets, Method
from uda_study.training.weights import file_sha256, save_weights
from uda_study.types import Task

WEIGHTS, CONFIG, MANIFEST = "model.safetensors", "config.json", "manifest.json"
# Names of folders of a home, where a training's own files are looked for.
_NAME = r"^\w[\w.-]*$"


class ModelConfig(BaseModel):
    """What a trained method needs to be built again, and where it came from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    method: str
    hyper: dict[str, JsonValue]
    task: Task
    adjacent_slices: Literal[1, 3]
    preprocessing: Preprocessing
    postprocess: PostprocessSpec = PostprocessSpec()
    direction: str
    study: str = Field(pattern=_NAME)
    trial: str = Field(pattern=_NAME)
    uda_study: str = uda_study.__version__


def save_package(folder: Path, method: Method[Any], config: ModelConfig) -> str:
    """Write the package at ``folder``, replacing an older one, and return its digest.

    The folder appears complete or not at all. What the method kept of training images is erased
    from it first.
    """
    for module in method.modules():
        if isinstance(module, Forgets):
            module.forget()
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    save_weights(method, partial / WEIGHTS)
    (partial / CONFIG).write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")
    hashes = {name: file_sha256(partial / name) for name in (CONFIG, WEIGHTS)}
    manifest = json.dumps({"format": 1, "files": hashes}, indent=2, sort_keys=True) + "\n"
    (partial / MANIFEST).write_text(manifest, encoding="utf-8")
    if folder.exists():
        shutil.rmtree(folder)
    partial.rename(folder)
    return file_sha256(folder / MANIFEST)


def verify_package(folder: Path) -> str:
    """Check that the folder is a package and whole, and return its digest; else `StoreError`."""
    if folder.is_symlink() or not folder.is_dir():
        raise StoreError(f"{folder.name}: not a model package; a folder of its own is needed")
    present = {entry.name for entry in folder.iterdir()}
    expected = {WEIGHTS, CONFIG, MANIFEST}
    if present != expected:
        raise StoreError(
            f"{folder.name}: a model package holds {', '.join(sorted(expected))} and nothing else, "
            f"this one differs in {', '.join(sorted(present ^ expected))}"
        )
    for name in sorted(expected):
        if (folder / name).is_symlink() or not (folder / name).is_file():
            raise StoreError(f"{folder.name}/{name}: must be a regular file, not a link")
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        hashes = dict(manifest["files"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"{folder.name}/{MANIFEST}: cannot be read: {error}") from error
    for name in (CONFIG, WEIGHTS):
        if hashes.get(name) != file_sha256(folder / name):
            raise StoreError(f"{folder.name}/{name}: does not match the sha256 in its manifest")
    return file_sha256(folder / MANIFEST)


def read_config(folder: Path) -> ModelConfig:
    """Return the description in a package that `verify_package` has passed."""
    try:
        return ModelConfig.model_validate_json((folder / CONFIG).read_bytes())
    except pydantic.ValidationError as error:
        raise StoreError(f"{folder.name}/{CONFIG}: {error}") from error


def load_package(folder: Path) -> tuple[Method[Any], ModelConfig]:
    """Return the trained method, on the CPU and in eval mode, and its description.

    Raises `StoreError` for a package that is damaged, changed or not one, `InputError` for a
    method that this installation does not have.
    """
    verify_package(folder)
    config = read_config(folder)
    plugin = plugins.load("methods", config.method, Method)
    try:
        hyper = plugin.Hyper.model_validate(config.hyper)
        method = plugin(hyper, config.task)
        method.load_state_dict(load_file(folder / WEIGHTS), strict=True)
    except (pydantic.ValidationError, SafetensorError, RuntimeError) as error:
        raise StoreError(
            f"{folder.name}: the weights do not fit {config.method!r} of this version "
            f"(made by uda-study {config.uda_study}): {error}"
        ) from error
    return method.eval(), config
