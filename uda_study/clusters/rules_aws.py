"""Rules for Amazon EC2, where Ray's launcher fills in what a file leaves out.

What it fills in (`ray.autoscaler._private.aws.config`, Ray 2.60): a security group with SSH from
everywhere, a role with all rights to EC2 and S3, an image with Ubuntu 18.04.
"""

from __future__ import annotations

from uda_study.clusters.launcher_file import LauncherFile, NodeType, at, listed
from uda_study.clusters.rules import Breaches, Rule

_AWS = ("aws",)
_RAYS_OWN = "ray-autoscaler-v1"


def _default_groups(file: LauncherFile) -> Breaches:
    for kind in file.node_types():
        interfaces = listed(kind.machine("NetworkInterfaces"))
        groups = listed(kind.machine("SecurityGroupIds"))
        if not groups and not (interfaces and all(at(card, "Groups") for card in interfaces)):
            yield f"{kind.where}.node_config.SecurityGroupIds", None


def _public_interfaces(file: LauncherFile) -> Breaches:
    for kind in file.node_types():
        for card in listed(kind.machine("NetworkInterfaces")):
            if at(card, "AssociatePublicIpAddress"):
                yield f"{kind.where}.node_config.NetworkInterfaces.AssociatePublicIpAddress", True


def _open_metadata(file: LauncherFile) -> Breaches:
    wanted = {"HttpTokens": "required", "HttpPutResponseHopLimit": 1}
    for kind in file.node_types():
        for name, value in wanted.items():
            if kind.machine("MetadataOptions", name) != value:
                given = kind.machine("MetadataOptions", name)
                yield f"{kind.where}.node_config.MetadataOptions.{name}", given


def _default_roles(file: LauncherFile) -> Breaches:
    for kind in file.node_types():
        name = _profile(kind)
        if name is None or name.endswith(_RAYS_OWN):
            yield f"{kind.where}.node_config.IamInstanceProfile", name


def _mighty_workers(file: LauncherFile) -> Breaches:
    heads = {_profile(kind) for kind in file.head()} - {None}
    for kind in file.workers():
        if _profile(kind) in heads:
            yield f"{kind.where}.node_config.IamInstanceProfile", f"the head's {_profile(kind)}"


def _readable_disks(file: LauncherFile) -> Breaches:
    for kind in file.node_types():
        disks = listed(kind.machine("BlockDeviceMappings"))
        where = f"{kind.where}.node_config.BlockDeviceMappings"
        if not disks:
            yield where, None
        for index, disk in enumerate(disks):
            if at(disk, "Ebs") is not None and at(disk, "Ebs", "Encrypted") is not True:
                yield f"{where}[{index}].Ebs.Encrypted", at(disk, "Ebs", "Encrypted")


def _default_images(file: LauncherFile) -> Breaches:
    for kind in file.node_types():
        if kind.machine("ImageId") in (None, "", "latest_dlami"):
            yield f"{kind.where}.node_config.ImageId", kind.machine("ImageId")


def _profile(kind: NodeType) -> str | None:
    profile = kind.machine("IamInstanceProfile")
    name = at(profile, "Name") or at(profile, "Arn")
    return None if name is None else str(name)


RULES = (
    Rule(
        "own-security-group",
        "a security group of your own must be named: Ray's opens SSH to the world",
        "SecurityGroupIds: [sg-...]",
        _default_groups,
        providers=_AWS,
    ),
    Rule(
        "no-public-interface",
        "no interface may have a public address",
        "AssociatePublicIpAddress: false",
        _public_interfaces,
        providers=_AWS,
    ),
    Rule(
        "metadata-by-token",
        "the role's keys must be handed out by IMDSv2 on the machine itself only",
        "MetadataOptions: {HttpTokens: required, HttpPutResponseHopLimit: 1}",
        _open_metadata,
        providers=_AWS,
    ),
    Rule(
        "own-role",
        "a role of your own must be named: Ray's may do anything in EC2 and S3",
        "IamInstanceProfile: {Name: ...}; docs/cluster-files.md has the policies",
        _default_roles,
        providers=_AWS,
    ),
    Rule(
        "workers-role-apart",
        "workers must not have the head's role, which starts machines",
        "give them a role with the bucket's rights alone",
        _mighty_workers,
        providers=_AWS,
    ),
    Rule(
        "encrypted-disks",
        "disks must be encrypted: images of patients are prepared on them",
        "Ebs: {Encrypted: true, ...}",
        _readable_disks,
        providers=_AWS,
    ),
    Rule(
        "own-image",
        "the machine image must be named: Ray's is Ubuntu 18.04, which gets no more fixes",
        "ImageId: ami-...",
        _default_images,
        providers=_AWS,
    ),
)
