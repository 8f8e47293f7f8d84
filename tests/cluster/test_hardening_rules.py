"""Each rule catches the one thing it is for, and no other rule does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from cluster_files import below, drop, filled_in, put, read, swap

from uda_study.clusters.hardening import RULES, faults_of

HEAD, WORKER = "available_node_types.head", "available_node_types.worker"
HEAD_START, WORKER_START = "head_start_ray_commands[1]", "worker_start_ray_commands[1]"

Edit = Callable[[Any], None]


def replaced(path: str, value: object) -> Edit:
    return lambda config: put(config, path, value)


def gone(path: str) -> Edit:
    return lambda config: drop(config, path)


def swapped(path: str, old: str, new: str) -> Edit:
    return lambda config: swap(config, path, old, new)


def added(path: str, item: object) -> Edit:
    return lambda config: below(config, path).append(item)


TOKEN = "RAY_AUTH_MODE=token"
EVERY = {
    "filled-in": [
        replaced("provider.region", "FILL_IN"),
        swapped("auth.ssh_private_key", "mine", "FILL_IN"),
    ],
    "token": [
        swapped(HEAD_START, TOKEN, ""),
        swapped(WORKER_START, TOKEN, "RAY_AUTH_MODE=disabled"),
        # An export in another command is another shell's.
        lambda config: (
            swap(config, WORKER_START, TOKEN, ""),
            added("worker_start_ray_commands", f"export {TOKEN}")(config),
        ),
        gone("worker_start_ray_commands"),
        # What follows `ray start` comes too late.
        lambda config: (
            swap(config, HEAD_START, TOKEN, ""),
            put(config, HEAD_START, below(config, HEAD_START) + f"; export {TOKEN}"),
        ),
    ],
    "token-by-path": [swapped(HEAD_START, "RAY_AUTH_TOKEN_PATH=$HOME/.ray/auth_token", "")],
    "token-not-in-file": [
        swapped(WORKER_START, TOKEN, f"{TOKEN} RAY_AUTH_TOKEN=c0ffee"),
        replaced("docker", {"run_options": ["-e RAY_AUTH_TOKEN=c0ffee"]}),
    ],
    "dashboard-on-loopback": [
        swapped(HEAD_START, "--dashboard-host=127.0.0.1", "--dashboard-host=0.0.0.0"),
        swapped(HEAD_START, "--dashboard-host=127.0.0.1", "--dashboard-host 10.0.0.5"),
        swapped(HEAD_START, "--dashboard-host=127.0.0.1", ""),
    ],
    "nothing-for-everyone": [
        swapped(WORKER_START, "ray start", "ray start --node-ip-address=0.0.0.0"),
        swapped(HEAD_START, "ray start", "ray start --ray-debugger-external"),
        replaced("docker", {"run_options": ["-p 0.0.0.0:8265:8265"]}),
        replaced("provider.security_group", {"IpPermissions": [{"CidrIp": "0.0.0.0/0"}]}),
    ],
    "no-usage-stats": [swapped(HEAD_START, "--disable-usage-stats", "")],
    "one-home": [
        swapped(WORKER_START, "UDA_STUDY_HOME=$HOME/uda-study-data", "UDA_STUDY_HOME=/tmp/other"),
        swapped(HEAD_START, "UDA_STUDY_HOME=$HOME/uda-study-data", ""),
        swapped(WORKER_START, "://mine", "://another"),
    ],
    "time-to-stop": [
        swapped(HEAD_START, "RAY_JOB_STOP_WAIT_TIME_S=120", "RAY_JOB_STOP_WAIT_TIME_S=3"),
        swapped(HEAD_START, "RAY_JOB_STOP_WAIT_TIME_S=120", ""),
    ],
    "pinned-packages": [
        swapped("setup_commands[3]", "-c constraints.txt", ""),
        added("worker_setup_commands", "pip3 install torch"),
    ],
    "no-root": [replaced("auth.ssh_user", "root")],
    "private-addresses": [
        replaced("provider.head_ip", "8.8.8.8"),
        replaced("provider.worker_ips", ["10.0.0.2", "8.8.4.4"]),
    ],
    "internal-addresses": [replaced("provider.use_internal_ips", False)],
    "ended-is-terminated": [replaced("provider.cache_stopped_nodes", True)],
    "idle-ends": [replaced("idle_timeout_minutes", 600)],
    "workers-from-zero": [replaced(f"{WORKER}.min_workers", 2)],
    "head-trains-nothing": [replaced(f"{HEAD}.resources", {}), gone(f"{HEAD}.resources.CPU")],
}
AWS = {
    "ended-is-terminated": [gone("provider.cache_stopped_nodes")],
    "head-on-demand": [
        replaced(f"{HEAD}.node_config.InstanceMarketOptions", {"MarketType": "spot"})
    ],
    "workers-on-spot": [gone(f"{WORKER}.node_config.InstanceMarketOptions")],
    "own-security-group": [
        gone(f"{HEAD}.node_config.SecurityGroupIds"),
        replaced(f"{WORKER}.node_config.SecurityGroupIds", []),
    ],
    "no-public-interface": [
        replaced(
            f"{WORKER}.node_config.NetworkInterfaces",
            [{"SubnetId": "s", "Groups": ["g"], "AssociatePublicIpAddress": True}],
        )
    ],
    "metadata-by-token": [
        replaced(f"{WORKER}.node_config.MetadataOptions.HttpTokens", "optional"),
        replaced(f"{HEAD}.node_config.MetadataOptions.HttpPutResponseHopLimit", 2),
        gone(f"{HEAD}.node_config.MetadataOptions"),
    ],
    "own-role": [
        gone(f"{HEAD}.node_config.IamInstanceProfile"),
        replaced(f"{WORKER}.node_config.IamInstanceProfile", {"Name": "ray-autoscaler-v1"}),
    ],
    "workers-role-apart": [
        replaced(f"{WORKER}.node_config.IamInstanceProfile", {"Name": "uda-study-head"})
    ],
    "encrypted-disks": [
        replaced(f"{WORKER}.node_config.BlockDeviceMappings[0].Ebs.Encrypted", False),
        gone(f"{HEAD}.node_config.BlockDeviceMappings"),
    ],
    "own-image": [gone(f"{WORKER}.node_config.ImageId")],
}
GCP = {
    "head-on-demand": [
        replaced(f"{HEAD}.node_config.scheduling", {"provisioningModel": "SPOT"}),
        replaced(f"{HEAD}.node_config.scheduling", [{"preemptible": True}]),
    ],
    "workers-on-spot": [gone(f"{WORKER}.node_config.scheduling.provisioningModel")],
    "no-external-interface": [
        gone(f"{HEAD}.node_config.networkInterfaces"),
        replaced(
            f"{WORKER}.node_config.networkInterfaces[0].accessConfigs", [{"name": "External NAT"}]
        ),
    ],
    "own-account": [
        gone(f"{WORKER}.node_config.serviceAccounts"),
        replaced(
            f"{HEAD}.node_config.serviceAccounts[0].email",
            "ray-autoscaler-sa-v1@mine.iam.gserviceaccount.com",
        ),
        replaced(
            f"{WORKER}.node_config.serviceAccounts[0].email",
            "7-compute@developer.gserviceaccount.com",
        ),
    ],
    "workers-account-apart": [
        replaced(
            f"{WORKER}.node_config.serviceAccounts[0].email",
            "uda-study-head@mine.iam.gserviceaccount.com",
        )
    ],
    "narrow-scopes": [
        added(
            f"{WORKER}.node_config.serviceAccounts[0].scopes",
            "https://www.googleapis.com/auth/cloud-platform",
        )
    ],
    "shielded": [
        replaced(f"{WORKER}.node_config.shieldedInstanceConfig.enableVtpm", False),
        gone(f"{HEAD}.node_config.shieldedInstanceConfig.enableSecureBoot"),
    ],
    "own-ssh-key": [
        gone("auth.ssh_private_key"),
        replaced(f"{WORKER}.node_config.metadata.items[1].value", "false"),
    ],
}
CASES = [
    pytest.param(name, rule, edit, id=f"{name}-{rule}-{number}")
    for name, broken in (("aws.yaml", AWS), ("gcp.yaml", GCP))
    for rule in {**EVERY, **broken}
    for number, edit in enumerate([*EVERY.get(rule, []), *broken.get(rule, [])])
]


@pytest.mark.parametrize(("name", "rule", "edit"), CASES)
def test_a_broken_field_is_caught_by_its_rule_alone(name: str, rule: str, edit: Edit) -> None:
    config = filled_in(name)
    edit(config)
    assert {fault.name for fault in faults_of(config)} == {rule}


@pytest.mark.parametrize("provider", ["aws", "gcp"])
def test_every_rule_is_broken_once_for_each_cloud_it_is_asked_of(provider: str) -> None:
    asked = {rule.name for rule in RULES if not rule.providers or provider in rule.providers}
    assert asked == {**EVERY, **{"aws": AWS, "gcp": GCP}[provider]}.keys()


def test_what_leaves_a_cluster_open_or_unfinished_is_refused_and_nothing_else() -> None:
    assert {rule.name for rule in RULES if rule.refused} == {
        "filled-in",
        "token",
        "token-not-in-file",
        "dashboard-on-loopback",
        "nothing-for-everyone",
    }


def test_a_fault_names_place_rule_value_and_remedy() -> None:
    config = filled_in("aws.yaml")
    put(config, f"{WORKER}.node_config.MetadataOptions.HttpTokens", "optional")
    (fault,) = faults_of(config)
    assert str(fault) == (
        f"{WORKER}.node_config.MetadataOptions.HttpTokens: the role's keys must be handed out by "
        "IMDSv2 on the machine itself only, got optional; MetadataOptions: {HttpTokens: required, "
        "HttpPutResponseHopLimit: 1} [metadata-by-token]"
    )


def test_every_value_left_to_fill_in_is_listed_once_with_its_place() -> None:
    places = [fault.where for fault in faults_of(read("aws.yaml"))]
    assert "provider.region" in places
    assert f"{WORKER}.node_config.SubnetIds[0]" in places
    assert len(places) == len(set(places)) == 12


def test_rays_example_of_a_minimal_file_is_refused() -> None:
    faults = faults_of({"cluster_name": "minimal", "provider": {"type": "aws", "region": "x"}})
    assert {"token", "internal-addresses", "ended-is-terminated"} == {f.name for f in faults}
    assert any(fault.refused for fault in faults)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"provider": None, "auth": [], "available_node_types": ["head"]},
        {"provider": {"type": "aws"}, "head_node_type": "h", "available_node_types": {"h": None}},
        {
            "provider": {"type": "gcp"},
            "head_node_type": "h",
            "available_node_types": {"h": {"node_config": {"networkInterfaces": 3}}, "w": 4},
            "head_start_ray_commands": ["ray start --head 'unfinished", 7, None],
        },
    ],
)
def test_files_that_make_no_sense_are_faulty_not_a_crash(config: Any) -> None:
    assert "token" in {fault.name for fault in faults_of(config)}
