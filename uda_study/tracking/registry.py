"""Put model packages into MLflow's registry and take them out again, checked.

A registered model is a folder that MLflow's pyfunc tools understand, with the package inside. What
comes out is the package alone, after its digest was compared with the one noted at promotion; no
code is run that a registry could have changed.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

import uda_study
from uda_study.errors import InputError, StoreError
from uda_study.tracking._mlflow import (
    MlflowClient,
    MlflowException,
    ModelSignature,
    ModelVersion,
    Schema,
    TensorSpec,
    download_artifacts,
    save_model,
)
from uda_study.tracking.place import local_folder
from uda_study.training.package import read_config, verify_package

DIGEST = "uda.digest"
CARD, GATES = "card.md", "gates.json"
LOADER, PACKAGE = "uda_study.tracking.serving", "data/model"
_WRAPPING = {"MLmodel", "conda.yaml", "python_env.yaml", "requirements.txt", CARD, GATES}
_NAME = re.compile(r"(?:models:/)?(?P<name>[\w .-]+?)(?:@(?P<alias>[\w.-]+)|/(?P<version>\d+))")


def parse_model_name(text: str) -> tuple[str, str | None, int | None]:
    """Split ``name@alias`` or ``name/3`` into name, alias and version; else `InputError`."""
    found = _NAME.fullmatch(text)
    if found is None:
        raise InputError.of(
            "model", "must be NAME@ALIAS, NAME/VERSION or a folder", repr(text),
            "for example cardiac-mr2ct@champion",
        )  # fmt: skip
    version = found["version"]
    return found["name"], found["alias"], None if version is None else int(version)


def wrap(package: Path, into: Path) -> None:
    """Write the folder that is registered; the package is copied into it."""
    task = read_config(package).task
    space = [-1] * task.spatial_dims
    image = TensorSpec(np.dtype(np.float32), (-1, task.in_channels, *space))
    classes = TensorSpec(np.dtype(np.float32), (-1, task.num_classes, *space))
    with warnings.catch_warnings():
        # It asks for an input example: voxels of a patient do not belong into a registry.
        warnings.simplefilter("ignore", UserWarning)
        save_model(
            str(into),
            loader_module=LOADER,
            data_path=str(package),
            signature=ModelSignature(Schema([image]), Schema([classes])),
            pip_requirements=[f"uda-study=={uda_study.__version__}"],
        )
    inside = into / "data" / package.name
    if inside != into / PACKAGE:
        raise StoreError(f"{package.name}: a package to be registered must lie in a folder 'model'")


def unwrap(folder: Path) -> Path:
    """Return the package inside a registered folder; `StoreError` for anything but plain data."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        known = name in _WRAPPING or name in ("data", PACKAGE) or name.startswith(f"{PACKAGE}/")
        if path.is_symlink() or not known:
            raise StoreError(f"{name}: does not belong into a registered model; it is refused")
    try:
        described: Any = YAML(typ="safe").load((folder / "MLmodel").read_text(encoding="utf-8"))
        flavors = dict(described["flavors"])
        flavor = dict(flavors.pop("python_function"))
    except (OSError, YAMLError, KeyError, TypeError, ValueError) as error:
        raise StoreError(f"MLmodel: cannot be read: {error}") from error
    if flavors or flavor.get("loader_module") != LOADER or flavor.get("data") != PACKAGE:
        raise StoreError(f"MLmodel: must be loaded by {LOADER} from {PACKAGE} alone; it is refused")
    if flavor.get("code") is not None:
        raise StoreError("MLmodel: names code of its own; it is refused")
    return folder / PACKAGE


def resolve_model(client: MlflowClient, text: str, cache: Path | None = None) -> Path:
    """Return the verified package folder of ``name@alias``, ``name/version`` or a local folder.

    A model of a remote registry is downloaded below ``cache``, once; without a cache to a new
    temporary folder. Raises `InputError` if there is none of that name, `StoreError` if what is
    there is not what was promoted.
    """
    if Path(text).is_dir():
        given = Path(text)
        package = unwrap(given) if (given / "MLmodel").exists() else given
        verify_package(package)
        return package
    version = find_version(client, text)
    digest = version.tags.get(DIGEST)
    if digest is None:
        raise StoreError(f"{text}: was not promoted by uda-study; it is refused")
    uri = client.get_model_version_download_uri(version.name, version.version)
    folder = local_folder(uri)
    if folder is None:
        place = cache or Path(tempfile.mkdtemp(prefix="uda-study-"))
        folder = _download(uri, place / digest)
    package = unwrap(folder)
    if verify_package(package) != digest:
        raise StoreError(f"{text}: is not the model that was promoted; it is refused")
    return package


def find_version(client: MlflowClient, text: str) -> ModelVersion:
    """Return the registered version that ``name@alias`` or ``name/3`` means; else `InputError`."""
    name, alias, number = parse_model_name(text)
    try:
        if alias is not None:
            return client.get_model_version_by_alias(name, alias)
        return client.get_model_version(name, str(number))
    except MlflowException as error:
        known = [model.name for model in client.search_registered_models()]
        remedy = f"registered: {', '.join(known)}" if known else "nothing was promoted yet"
        raise InputError.of("model", "is not registered", repr(text), remedy) from error


def _download(uri: str, into: Path) -> Path:
    if not into.exists():
        draft = into.with_name(f".{into.name}.partial")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        fetched = Path(download_artifacts(artifact_uri=uri, dst_path=str(draft)))
        fetched.rename(into)
    return into
