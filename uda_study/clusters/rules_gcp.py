"""Rules for Google Compute Engine, where Ray's launcher fills in what a file leaves out.

What it fills in (`ray.autoscaler._private.gcp.config`, Ray 2.60): an external address for every
machine, an account with all rights to Compute Engine and to the project's storage, an SSH key that
opens all machines of the project.
"""

from __future__ import annotations

from uda_study.clusters.launcher_file import LauncherFile, NodeType, at, listed
from uda_study.clusters.rules import Breaches, Rule

_GCP = ("gcp",)
_OTHERS = ("ray-autoscaler-sa-", "-compute@developer.gserviceaccount.com")
_MIGHTY = ("cloud-platform", "compute")


def _external_interfaces(file: LauncherFile) -> Breaches:
    for kind in file.node_types():
        cards = listed(kind.machine("networkInterfaces"))
        where = f"{kind.where}.node_config.networkInterfaces"
        if not cards:
            yield where, None
        for index, card in enumerate(cards):
            if at(card, "accessConfigs"):
                yield f"{where}[{index}].accessConfigs", at(card, "accessConfigs")


def _default_accounts(file: LauncherFile) -> Breaches:
    for kind in file.node_types():
        emails = _emails(kind)
        if not emails or any(part in email for email in emails for part in _OTHERS):
            yield f"{kind.where}.node_config.serviceAccounts", ", ".join(sorted(emails)) or None


def _mighty_workers(file: LauncherFile) -> Breaches:
    heads = {email for kind in file.head() for email in _emails(kind)}
    for kind in file.workers():
        for email in sorted(_emails(kind) & heads):
            yield f"{kind.where}.node_config.serviceAccounts", f"the head's {email}"


def _wide_scopes(file: LauncherFile) -> Breaches:
    for kind in file.workers():
        for account in listed(kind.machine("serviceAccounts")):
            for scope in listed(at(account, "scopes")):
                if str(scope).rsplit("/", 1)[-1] in _MIGHTY:
                    yield f"{kind.where}.node_config.serviceAccounts.scopes", scope


def _unshielded(file: LauncherFile) -> Breaches:
    for kind in file.node_types():
        # Secure boot refuses drivers that nobody signed; NVIDIA's are not signed on every image.
        wanted = ["enableVtpm", "enableIntegrityMonitoring"]
        for name in [*wanted, "enableSecureBoot"] if kind.head else wanted:
            given = kind.machine("shieldedInstanceConfig", name)
            if given is not True:
                yield f"{kind.where}.node_config.shieldedInstanceConfig.{name}", given


def _project_keys(file: LauncherFile) -> Breaches:
    if not at(file.config, "auth", "ssh_private_key"):
        yield "auth.ssh_private_key", None
    for kind in file.node_types():
        items = listed(kind.machine("metadata", "items"))
        said = {at(item, "key"): at(item, "value") for item in items}
        if str(said.get("block-project-ssh-keys")).lower() != "true":
            value = said.get("block-project-ssh-keys")
            yield f"{kind.where}.node_config.metadata.items block-project-ssh-keys", value


def _emails(kind: NodeType) -> set[str]:
    accounts = listed(kind.machine("serviceAccounts"))
    return {str(at(account, "email")) for account in accounts if at(account, "email")}


RULES = (
    Rule(
        "no-external-interface",
        "interfaces must be named and have no external address: Ray's have one",
        "networkInterfaces: [{subnetwork: ...}] without accessConfigs",
        _external_interfaces,
        providers=_GCP,
    ),
    Rule(
        "own-account",
        "a service account of your own must be named: Ray's may do anything in Compute Engine",
        "serviceAccounts: [{email: ..., scopes: [...]}]; docs/cluster-files.md has the roles",
        _default_accounts,
        providers=_GCP,
    ),
    Rule(
        "workers-account-apart",
        "workers must not have the head's account, which starts machines",
        "give them an account with the bucket's rights alone",
        _mighty_workers,
        providers=_GCP,
    ),
    Rule(
        "narrow-scopes",
        "workers must not reach more of the project than its storage",
        "scopes: [https://www.googleapis.com/auth/devstorage.read_write]",
        _wide_scopes,
        providers=_GCP,
    ),
    Rule(
        "shielded",
        "machines must be shielded: vTPM and integrity monitoring, secure boot on the head",
        "shieldedInstanceConfig: {enableVtpm: true, enableIntegrityMonitoring: true, ...}",
        _unshielded,
        providers=_GCP,
    ),
    Rule(
        "own-ssh-key",
        "one key must open these machines alone: Ray's opens all of the project",
        "give auth.ssh_private_key, and in metadata ssh-keys and block-project-ssh-keys: 'true'",
        _project_keys,
        providers=_GCP,
    ),
)
