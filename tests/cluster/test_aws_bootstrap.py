"""What Ray's own AWS provider makes of `cluster/aws.yaml`, against Amazon's interfaces by moto."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from cluster_files import filled_in
from moto import mock_aws
from ray.autoscaler._private.aws import node_provider
from ray.autoscaler._private.aws.config import bootstrap_aws
from ray.autoscaler._private.aws.node_provider import AWSNodeProvider
from ray.autoscaler._private.aws.utils import client_cache, resource_cache
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.autoscaler.tags import (
    TAG_RAY_LAUNCH_CONFIG,
    TAG_RAY_NODE_KIND,
    TAG_RAY_NODE_NAME,
    TAG_RAY_NODE_STATUS,
    TAG_RAY_USER_NODE_TYPE,
)

REGION = "eu-central-1"
# Keys that open nothing, and an account without Amazon's hundreds of images.
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_SESSION_TOKEN": "testing",
    "AWS_DEFAULT_REGION": REGION,
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
}


@dataclass
class Account:
    """An account as `docs/cluster-files.md` prepares it, and the file filled in with its ids."""

    config: dict[str, Any]
    ec2: Any
    iam: Any
    group: str
    subnet: str

    def facts(self) -> tuple[set[str], set[str], set[str], set[str]]:
        """Return groups, roles, profiles and key pairs that exist."""
        return (
            {group.id for group in self.ec2.security_groups.all()},
            {role.name for role in self.iam.roles.all()},
            {profile.name for profile in self.iam.instance_profiles.all()},
            {key.name for key in self.ec2.key_pairs.all()},
        )

    def described(self, instance: str) -> dict[str, Any]:
        found = self.ec2.meta.client.describe_instances(InstanceIds=[instance])
        machine: dict[str, Any] = found["Reservations"][0]["Instances"][0]
        return machine


@dataclass
class Cluster:
    """The file as Ray completes it, and Ray's provider that launches machines from it."""

    whole: dict[str, Any]
    provider: Any

    @classmethod
    def of(cls, config: dict[str, Any]) -> Cluster:
        prepared = prepare_config(config)
        validate_config(prepared)
        whole = bootstrap_aws(prepared)
        return cls(whole, AWSNodeProvider(whole["provider"], whole["cluster_name"]))

    def launch(self, kind: str) -> str:
        """Launch a machine as `ray up` and the autoscaler do, and return its id."""
        tags = {
            TAG_RAY_NODE_KIND: kind,
            TAG_RAY_USER_NODE_TYPE: kind,
            TAG_RAY_NODE_NAME: f"ray-uda-study-{kind}",
            TAG_RAY_NODE_STATUS: "uninitialized",
            TAG_RAY_LAUNCH_CONFIG: "0",
        }
        node = self.whole["available_node_types"][kind]["node_config"]
        (made,) = self.provider.create_node({**self.whole["head_node"], **node}, tags, 1)
        return str(made)


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ENVIRONMENT.items():
            patch.setenv(name, value)
        with mock_aws():
            # Ray keeps its clients for ever; those of another test would talk past this account.
            client_cache.cache_clear()
            resource_cache.cache_clear()
            yield _prepared(
                boto3.resource("ec2", region_name=REGION), boto3.resource("iam", region_name=REGION)
            )
            client_cache.cache_clear()
            resource_cache.cache_clear()


def _prepared(ec2: Any, iam: Any) -> Account:
    network = ec2.create_vpc(CidrBlock="10.1.0.0/16")
    subnet = network.create_subnet(CidrBlock="10.1.0.0/24")
    group = network.create_security_group(GroupName="uda-study", Description="among its own")
    ec2.create_key_pair(KeyName="mine")
    for name in ("uda-study-head", "uda-study-worker"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
        iam.create_instance_profile(InstanceProfileName=name).add_role(RoleName=name)
    image = ec2.register_image(Name="ubuntu-24.04").id
    config = filled_in("aws.yaml")
    config["provider"]["region"] = REGION
    for kind in config["available_node_types"].values():
        ids = {"SubnetIds": [subnet.id], "SecurityGroupIds": [group.id], "ImageId": image}
        kind["node_config"] |= ids
    return Account(config, ec2, iam, group.id, subnet.id)


@pytest.fixture(scope="module")
def cluster(account: Account) -> Cluster:
    before = account.facts()
    cluster = Cluster.of(account.config)
    assert account.facts() == before, "Ray made a group, a role, a profile or a key of its own"
    return cluster


@pytest.mark.parametrize("kind", ["head", "worker"])
def test_machines_are_launched_as_the_file_promises(
    account: Account, cluster: Cluster, kind: str
) -> None:
    before = account.facts()
    made = cluster.launch(kind)

    machine = account.described(made)
    assert machine["MetadataOptions"]["HttpTokens"] == "required"
    assert machine["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    assert [group["GroupId"] for group in machine["SecurityGroups"]] == [account.group]
    assert machine["IamInstanceProfile"]["Arn"].endswith(f"/uda-study-{kind}")
    assert machine["SubnetId"] == account.subnet
    assert not machine.get("PublicIpAddress")
    assert machine.get("InstanceLifecycle") == (None if kind == "head" else "spot")
    disks = list(account.ec2.Instance(made).volumes.all())
    assert [(disk.encrypted, disk.size) for disk in disks] == [(True, 100)]
    assert account.facts() == before


def test_what_is_taken_down_is_gone_not_stopped(account: Account, cluster: Cluster) -> None:
    machines = [cluster.launch("head"), cluster.launch("worker")]
    assert set(machines) <= set(cluster.provider.non_terminated_nodes({}))

    cluster.provider.terminate_nodes(cluster.provider.non_terminated_nodes({}))

    assert cluster.provider.non_terminated_nodes({}) == []
    states = {machine.state["Name"] for machine in account.ec2.instances.all()}
    assert states == {"terminated"}
    assert list(account.ec2.volumes.all()) == []


def test_the_head_offers_no_room_and_a_worker_a_gpu(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Amazon's answer for these two; moto takes seconds to list all there are.
    described = [
        {
            "InstanceType": "m6i.xlarge",
            "VCpuInfo": {"DefaultVCpus": 4},
            "MemoryInfo": {"SizeInMiB": 16384},
        },
        {
            "InstanceType": "g5.xlarge",
            "VCpuInfo": {"DefaultVCpus": 4},
            "MemoryInfo": {"SizeInMiB": 16384},
            "GpuInfo": {"Gpus": [{"Name": "A10G", "Manufacturer": "NVIDIA", "Count": 1}]},
        },
    ]
    monkeypatch.setattr(node_provider, "list_ec2_instances", lambda *_: described)
    found = cluster.provider.fillout_available_node_types_resources(cluster.whole)
    kinds = found["available_node_types"]
    assert kinds["head"]["resources"]["CPU"] == 0
    assert "GPU" not in kinds["head"]["resources"]
    assert (kinds["worker"]["resources"]["CPU"], kinds["worker"]["resources"]["GPU"]) == (4, 1)


def test_without_a_group_in_the_file_ray_opens_ssh_to_the_world(account: Account) -> None:
    config = copy.deepcopy(account.config)
    before, *_ = account.facts()
    for kind in config["available_node_types"].values():
        del kind["node_config"]["SecurityGroupIds"]
    Cluster.of(config)
    (made,) = account.facts()[0] - before
    ranges = [
        address["CidrIp"]
        for rule in account.ec2.SecurityGroup(made).ip_permissions
        for address in rule["IpRanges"]
    ]
    assert ranges == ["0.0.0.0/0"]
