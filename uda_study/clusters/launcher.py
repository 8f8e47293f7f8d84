"""Ray's cluster launcher: bring up what a file describes, find its machines, take it down."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from uda_study.clusters.hardening import faults_of
from uda_study.clusters.jobs import Unreachable
from uda_study.clusters.tunnel import Ssh
from uda_study.errors import ClusterError, InputError, Problem

_DASHBOARD = 8265
_PATIENCE_S = 3600.0
_UP_TO_DATE = "up-to-date"

Shell = Callable[[list[str]], int]


@dataclass(frozen=True)
class Node:
    """A machine that its provider knows: ``kind`` is head or worker, ``type`` the file's own."""

    id: str
    kind: str
    type: str
    state: str
    ip: str

    @property
    def ready(self) -> bool:
        """Whether Ray was started on it."""
        return self.state == _UP_TO_DATE

    def __str__(self) -> str:
        return f"{self.kind} {self.id} ({self.type}, {self.state}, {self.ip})"


def ray_command(words: list[str]) -> int:
    """Run Ray's command line of this Python, its output on stderr; return its exit status."""
    command = [sys.executable, "-m", "ray.scripts.scripts", *words]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=2, check=False, timeout=_PATIENCE_S
    ).returncode


@dataclass(frozen=True)
class Launcher:
    """The cluster that a launcher's file describes."""

    file: Path
    shell: Shell = ray_command

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """The file as it was read; `InputError` where it is no launcher's file."""
        try:
            found = YAML(typ="safe", pure=True).load(self.file.read_text(encoding="utf-8"))
        except (YAMLError, UnicodeDecodeError) as error:
            raise InputError.of(self.file.name, f"cannot be read: {error}") from error
        missing = [
            key
            for key in ("cluster_name", "provider", "auth")
            if not isinstance(found, dict) or key not in found
        ]
        if missing:
            raise InputError(
                Problem(f"{self.file.name} {key}", "is required of a launcher's file")
                for key in missing
            )
        config: Mapping[str, Any] = found
        return config

    @property
    def name(self) -> str:
        """What the cluster is called."""
        return str(self.config["cluster_name"])

    def up(self, tell: Callable[[str], None]) -> None:
        """Bring it up or up to date; `InputError` where that would leave it open to others."""
        faults = faults_of(self.config)
        for fault in faults:
            tell(f"! {self.file.name} {fault}")
        if refused := [fault for fault in faults if fault.refused]:
            raise InputError(refused)
        self._ray("up", "-y", str(self.file))

    def down(self) -> list[Node]:
        """Take it down and return the machines that the provider still has after that."""
        try:
            self._ray("down", "-y", str(self.file))
        except ClusterError:
            # What counts is what is left, and that is to be said.
            if not (left := self.nodes()):
                raise
            return left
        return self.nodes()

    def nodes(self) -> list[Node]:
        """Ask the provider which machines of the cluster there are, the head first.

        Raises `Unreachable` where it does not answer.
        """
        try:
            return self._nodes()
        except Exception as error:  # each provider has errors of its own
            raise Unreachable(f"the provider of {self.name} does not answer: {error}") from error

    def _nodes(self) -> list[Node]:
        from ray.autoscaler import tags  # noqa: PLC0415

        provider = self._provider()
        found = []
        for node in provider.non_terminated_nodes({}):
            has = provider.node_tags(node)
            kind = has.get(tags.TAG_RAY_NODE_KIND, "worker")
            found.append(
                Node(
                    str(node),
                    kind,
                    has.get(tags.TAG_RAY_USER_NODE_TYPE, kind),
                    has.get(tags.TAG_RAY_NODE_STATUS, "unknown"),
                    self._ip(provider, node),
                )
            )
        return sorted(found, key=lambda node: (node.kind != "head", node.id))

    def head(self) -> Node | None:
        """Return the head if Ray runs on it."""
        return next((node for node in self.nodes() if node.kind == "head" and node.ready), None)

    def ssh(self, head: Node) -> Ssh:
        """Return how the head is reached: by the file's own ``auth``."""
        auth = self.config["auth"]
        if "ssh_private_key" not in auth:
            # A key that Ray made for this cluster; it knows where it lies.
            auth = self._bootstrapped()["auth"]
        key = auth.get("ssh_private_key")
        return Ssh(
            head.ip,
            str(auth["ssh_user"]),
            f"{self.name}-{head.id}",
            Path(key).expanduser() if key else None,
            auth.get("ssh_proxy_command"),
        )

    @property
    def dashboard_port(self) -> int:
        """The port of the head's dashboard and Jobs API."""
        found = re.search(r"--dashboard-port[= ]+(\d+)", self.file.read_text(encoding="utf-8"))
        return int(found[1]) if found else _DASHBOARD

    @property
    def home(self) -> str | None:
        """``UDA_STUDY_HOME`` of the cluster's machines, where the file sets it."""
        return self._exported("UDA_STUDY_HOME")

    @property
    def storage(self) -> str | None:
        """``UDA_STUDY_STORAGE`` of the cluster's machines, where the file sets it."""
        return self._exported("UDA_STUDY_STORAGE")

    def _exported(self, name: str) -> str | None:
        text = self.file.read_text(encoding="utf-8")
        found = re.search(rf"^[^#\n]*\b{name}=[\"']?([^\s;&\"']+)", text, re.MULTILINE)
        return found[1] if found else None

    def fetch(self, folder: str, to: Path) -> None:
        """Copy a folder of the head into a folder here."""
        to.mkdir(parents=True, exist_ok=True)
        self._ray("rsync-down", str(self.file), f"{folder}/", f"{to}/")

    def _ray(self, *words: str) -> None:
        code = self.shell(list(words))
        if code:
            raise ClusterError(f"ray {words[0]} ended with {code}; what it said is above")

    def _provider(self) -> Any:
        from ray.autoscaler._private.providers import _get_node_provider  # noqa: PLC0415

        logging.getLogger("ray.autoscaler").setLevel(logging.WARNING)
        with redirect_stdout(sys.stderr):
            return _get_node_provider(self.config["provider"], self.name, use_cache=False)

    def _ip(self, provider: Any, node: Any) -> str:
        given = self.config["provider"]
        inside = given.get("use_internal_ips") and not given.get("use_external_head_ip")
        return str(provider.internal_ip(node) if inside else provider.external_ip(node))

    def _bootstrapped(self) -> Mapping[str, Any]:
        from ray.autoscaler.sdk import bootstrap_config  # noqa: PLC0415

        with redirect_stdout(sys.stderr):
            found: Mapping[str, Any] = bootstrap_config(dict(self.config))
        return found
