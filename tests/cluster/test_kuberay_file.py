"""The RayJob: fields that KubeRay knows, pods without rights, a cluster that goes."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import ray
import yaml
from cluster_files import FOLDER, drop, put

SCHEMA = json.loads((Path(__file__).parent / "rayjob-schema.json").read_text())
JOB, POLICY = yaml.safe_load_all((FOLDER / "kuberay.yaml").read_text())
SPEC = JOB["spec"]
CLUSTER = SPEC["rayClusterSpec"]
PODS = {
    "submitter": SPEC["submitterPodTemplate"],
    "head": CLUSTER["headGroupSpec"]["template"],
    **{group["groupName"]: group["template"] for group in CLUSTER["workerGroupSpecs"]},
}
every_pod = pytest.mark.parametrize("pod", PODS.values(), ids=PODS)


def test_kuberay_knows_every_field() -> None:
    jsonschema.validate(JOB, SCHEMA)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec.shutdownAfterJobFinished", True),
        ("spec.submissionMode", "SSHMode"),
        ("spec.rayClusterSpec.authOptions.mode", "tokens"),
        ("spec.rayClusterSpec.headGroupSpec.rayStartParams.num-cpus", 0),
        ("spec.rayClusterSpec.workerGroupSpecs[0].replicas", "2"),
        ("spec.submitterPodTemplate.spec.automountServiceAccountTokens", False),
    ],
)
def test_the_schema_finds_what_kuberay_would_refuse_or_drop(path: str, value: object) -> None:
    job = copy.deepcopy(JOB)
    put(job, path, value)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(job, SCHEMA)


def test_the_schema_asks_for_what_kuberay_asks_for() -> None:
    job = copy.deepcopy(JOB)
    drop(job, "spec.rayClusterSpec.headGroupSpec")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(job, SCHEMA)


@every_pod
def test_pods_run_without_root_rights_or_kubernetes_token(pod: Any) -> None:
    spec = pod["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] != 0
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not spec.get("hostNetwork")
    for container in spec["containers"]:
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert {"cpu", "memory"} <= container["resources"]["limits"].keys()
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()


@every_pod
def test_images_are_named_by_what_is_in_them(pod: Any) -> None:
    assert all("@sha256:" in container["image"] for container in pod["spec"]["containers"])


def test_a_token_is_asked_for_and_no_secret_stands_in_the_file() -> None:
    assert CLUSTER["authOptions"] == {"mode": "token"}
    for pod in PODS.values():
        for variable in pod["spec"]["containers"][0].get("env", []):
            if "value" in variable:
                assert variable["name"] not in ("RAY_AUTH_TOKEN", "MLFLOW_TRACKING_URI")


def test_nobody_but_the_studys_pods_and_the_operator_comes_near() -> None:
    assert CLUSTER["headGroupSpec"]["serviceType"] == "ClusterIP"
    assert CLUSTER["headGroupSpec"]["enableIngress"] is False
    label = POLICY["spec"]["podSelector"]["matchLabels"]
    assert all(label.items() <= pod["metadata"]["labels"].items() for pod in PODS.values())
    own, operator = POLICY["spec"]["ingress"]
    assert own["from"] == [{"podSelector": {"matchLabels": label}}]
    assert [port["port"] for port in operator["ports"]] == [8265]
    # One entry with both selectors is "and"; two entries would let in the whole namespace.
    assert [sorted(peer) for peer in operator["from"]] == [["namespaceSelector", "podSelector"]]


def test_the_cluster_goes_with_the_study_and_comes_back_to_resume_it() -> None:
    assert SPEC["shutdownAfterJobFinishes"] is True
    assert 0 < SPEC["ttlSecondsAfterFinished"] <= 3600
    assert SPEC["backoffLimit"] > 0
    assert SPEC["submitterConfig"]["backoffLimit"] == 0


def test_the_head_runs_the_study_and_trains_nothing() -> None:
    assert SPEC["entrypoint"].split()[:4] == ["python", "-m", "uda_study", "run"]
    assert SPEC["entrypoint"].endswith("--cluster auto")
    assert CLUSTER["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    assert CLUSTER["rayVersion"] == ray.__version__


def test_head_and_workers_see_one_home_on_one_volume() -> None:
    seen = set()
    for name in ("head", "gpu"):
        spec = PODS[name]["spec"]
        (container,) = spec["containers"]
        home = {v["name"]: v.get("value") for v in container["env"]}["UDA_STUDY_HOME"]
        mounts = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"]}
        claims = {v["name"]: v.get("persistentVolumeClaim") for v in spec["volumes"]}
        seen.add((home, claims[mounts[home]]["claimName"]))
    assert len(seen) == 1
