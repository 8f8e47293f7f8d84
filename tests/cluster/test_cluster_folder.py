"""Every file of `cluster/` is one that its program reads, and makes a cluster nobody else uses."""

from __future__ import annotations

import json
import os
import subprocess
import tomllib
from pathlib import Path

import jsonschema
import pytest
import ray.autoscaler
import yaml
from cluster_files import FILES, LAUNCHER_FILES, ROOT, filled_in, steps
from ray.autoscaler._private.util import prepare_config, validate_config

from uda_study.clusters.hardening import faults_of

# Files that Ray's launcher does not read have tests of their own.
OTHERS = {"kuberay.yaml": "test_kuberay_file.py", "slurm.sbatch": "test_slurm_script.py"}
# Where a value stands says nothing of what it is.
NO_NAMES = {"provider", "auth", "available_node_types", "head", "worker", "node_config", "0", "1"}
SCHEMA = json.loads((Path(ray.autoscaler.__file__).parent / "ray-schema.json").read_text())

launcher_file = pytest.mark.parametrize("path", LAUNCHER_FILES, ids=lambda path: path.name)


def test_every_file_is_tested_as_what_it_is() -> None:
    assert {"aws.yaml", "gcp.yaml"} <= {path.name for path in LAUNCHER_FILES}
    assert {path.name for path in FILES if path not in LAUNCHER_FILES} == set(OTHERS)
    assert all((Path(__file__).parent / name).is_file() for name in OTHERS.values())


@launcher_file
def test_launcher_files_keep_rays_schema_as_written(path: Path) -> None:
    jsonschema.validate(yaml.safe_load(path.read_text()), SCHEMA)


@launcher_file
def test_launcher_files_pass_what_ray_up_checks(path: Path) -> None:
    whole = prepare_config(filled_in(path.name))
    validate_config(whole)
    for key in ("head_start_ray_commands", "worker_start_ray_commands", "setup_commands"):
        assert whole[key] == filled_in(path.name).get(key, []), f"{key} is Ray's default"


@launcher_file
def test_filled_in_launcher_files_have_no_fault(path: Path) -> None:
    assert [str(fault) for fault in faults_of(filled_in(path.name))] == []


@launcher_file
def test_shipped_files_lack_nothing_but_the_users_own_values(path: Path) -> None:
    assert {fault.name for fault in faults_of(yaml.safe_load(path.read_text()))} <= {"filled-in"}


@launcher_file
def test_a_files_head_names_every_value_to_fill_in(path: Path) -> None:
    text = path.read_text()
    head = text[: text.index("\n\n")]
    for fault in faults_of(yaml.safe_load(text)):
        names = {str(step) for step in steps(fault.where)} - NO_NAMES
        variable = str(fault.value).split("=")[0]
        assert any(name in head for name in {*names, variable}), f"{fault.where} is not explained"


@pytest.mark.parametrize("name", ["aws.yaml", "gcp.yaml"])
def test_nodes_install_what_the_project_declares(name: str, tmp_path: Path) -> None:
    config = filled_in(name)
    (listing,) = [line for line in config["setup_commands"] if "requirements.txt" in line]
    install = tmp_path / "uda-study-install"
    install.mkdir()
    for remote, local in config["file_mounts"].items():
        if remote.startswith("~/uda-study-install/"):
            (install / Path(remote).name).write_bytes((ROOT / local).read_bytes())
    pip = tmp_path / "uda-study-env" / "bin" / "pip"
    pip.parent.mkdir(parents=True)
    pip.write_text('#!/bin/sh\necho "$@" > ~/asked\n')
    pip.chmod(0o755)
    python = tmp_path / "bin" / "python3.12"
    python.parent.mkdir()
    python.symlink_to(os.path.realpath("/proc/self/exe"))

    home = {"HOME": str(tmp_path), "PATH": f"{python.parent}:/usr/bin:/bin"}
    subprocess.run(["bash", "-c", listing], env=home, check=True, timeout=20)

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = {"aws.yaml": ("aws", "postgres"), "gcp.yaml": ("postgres",)}[name]
    wanted = project["dependencies"] + [
        package for extra in extras for package in project["optional-dependencies"][extra]
    ]
    assert (install / "requirements.txt").read_text().split() == wanted
    asked = (tmp_path / "asked").read_text().split()
    assert asked == ["install", "--quiet", "-c", "constraints.txt", "-r", "requirements.txt"]
