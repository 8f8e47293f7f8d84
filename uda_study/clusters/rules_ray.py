"""Rules for every launcher file: how Ray is started, and what is written where.

Ray runs the code of whoever reaches it: CVE-2023-48022 is its jobs interface, open to all.
Tokens: https://docs.ray.io/en/latest/ray-security/token-auth.html
"""

from __future__ import annotations

import ipaddress
import re

from uda_study.clusters.launcher_file import PLACEHOLDER, LauncherFile, at, listed
from uda_study.clusters.rules import Breaches, Rule

_STARTS = ("head_start_ray_commands", "worker_start_ray_commands")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_EVERYWHERE = re.compile(r"(?<![\d.])0\.0\.0\.0(?![\d.])|\[::\]|--ray-debugger-external")
_DASHBOARD_HOST = re.compile(r"--dashboard-host[= ]\S+")
_TOKEN_ITSELF = re.compile(r"\bRAY_AUTH_TOKEN\s*[=:]")
_PIP_INSTALL = re.compile(r"\bpip3?\s+install\b([^;&|\n]*)")
_EXACTLY = re.compile(r"(^|\s)(-c|--constraint)[\s=]")
_MIN_STOP_SECONDS = 30


def _placeholders(file: LauncherFile) -> Breaches:
    for where, text in file.texts():
        yield from ((where, word.strip(";")) for word in text.split() if PLACEHOLDER in word)


def _without_token(file: LauncherFile) -> Breaches:
    starts = file.starts()
    for key in _STARTS:
        # Where a file says nothing, Ray fills in commands of its own, which know no token.
        if not any(start.where.startswith(key) for start in starts):
            yield key, None
    for start in starts:
        if start.environment.get("RAY_AUTH_MODE") != "token":
            yield f"{start.where} RAY_AUTH_MODE", start.environment.get("RAY_AUTH_MODE")


def _without_token_path(file: LauncherFile) -> Breaches:
    for start in file.starts():
        if not start.environment.get("RAY_AUTH_TOKEN_PATH"):
            yield f"{start.where} RAY_AUTH_TOKEN_PATH", None


def _tokens_in_the_file(file: LauncherFile) -> Breaches:
    for where, text in file.texts():
        if _TOKEN_ITSELF.search(text) or where.endswith("RAY_AUTH_TOKEN"):
            yield where, "RAY_AUTH_TOKEN"


def _open_dashboards(file: LauncherFile) -> Breaches:
    for start in file.starts():
        host = start.options.get("--dashboard-host")
        if start.head and host not in _LOOPBACK:
            yield f"{start.where} --dashboard-host", host


def _open_ports(file: LauncherFile) -> Breaches:
    for where, text in file.texts():
        found = _EVERYWHERE.search(_DASHBOARD_HOST.sub("", text))
        if found:
            yield where, found.group()


def _usage_stats(file: LauncherFile) -> Breaches:
    for start in file.starts():
        if start.head and "--disable-usage-stats" not in start.options:
            yield f"{start.where} --disable-usage-stats", None


def _homes(file: LauncherFile) -> Breaches:
    starts = file.starts()
    for name in ("UDA_STUDY_HOME", "UDA_STUDY_STORAGE"):
        values = {start.environment.get(name) for start in starts}
        for start in starts:
            value = start.environment.get(name)
            if len(values) > 1 or (value is None and name == "UDA_STUDY_HOME"):
                yield f"{start.where} {name}", value


def _short_stops(file: LauncherFile) -> Breaches:
    for start in file.starts():
        seconds = start.environment.get("RAY_JOB_STOP_WAIT_TIME_S", "")
        if start.head and not (seconds.isdigit() and int(seconds) >= _MIN_STOP_SECONDS):
            yield f"{start.where} RAY_JOB_STOP_WAIT_TIME_S", seconds or None


def _loose_packages(file: LauncherFile) -> Breaches:
    for where, text in file.commands():
        for found in _PIP_INSTALL.finditer(text):
            if not _EXACTLY.search(found.group(1)):
                yield where, found.group().strip()


def _root(file: LauncherFile) -> Breaches:
    if at(file.config, "auth", "ssh_user") == "root":
        yield "auth.ssh_user", "root"


def _public_addresses(file: LauncherFile) -> Breaches:
    for key in ("head_ip", "worker_ips"):
        for host in listed(at(file.config, "provider", key)):
            try:
                public = ipaddress.ip_address(str(host)).is_global
            except ValueError:
                continue  # a name: what it stands for is known where it is resolved
            if public:
                yield f"provider.{key}", host


RULES = (
    Rule(
        "filled-in",
        "must be filled in",
        "the comment at the file's head says by what",
        _placeholders,
        refused=True,
    ),
    Rule(
        "token",
        "every `ray start` must ask for a token",
        "export RAY_AUTH_MODE=token before it",
        _without_token,
        refused=True,
    ),
    Rule(
        "token-by-path",
        "every `ray start` must be told where the token lies",
        "export RAY_AUTH_TOKEN_PATH before it and name the file in file_mounts",
        _without_token_path,
    ),
    Rule(
        "token-not-in-file",
        "the token itself must not stand in the file",
        "mount its file by file_mounts and give RAY_AUTH_TOKEN_PATH",
        _tokens_in_the_file,
        refused=True,
    ),
    Rule(
        "dashboard-on-loopback",
        "the dashboard, which takes jobs, must listen on loopback only",
        "--dashboard-host=127.0.0.1; uda-study reaches it through ssh",
        _open_dashboards,
        refused=True,
    ),
    Rule(
        "nothing-for-everyone",
        "nothing must listen on all interfaces or be open to all addresses",
        "name the one address that is meant",
        _open_ports,
        refused=True,
    ),
    Rule(
        "no-usage-stats",
        "a cluster must not report its use",
        "add --disable-usage-stats to the head's `ray start`",
        _usage_stats,
    ),
    Rule(
        "one-home",
        "results must have one place, the same for head and workers",
        "export the same UDA_STUDY_HOME, and UDA_STUDY_STORAGE if any, before every `ray start`",
        _homes,
    ),
    Rule(
        "time-to-stop",
        f"a job that is stopped must get {_MIN_STOP_SECONDS} s or more to write down where it was",
        "export RAY_JOB_STOP_WAIT_TIME_S=120 before the head's `ray start` (Ray's default is 3)",
        _short_stops,
    ),
    Rule(
        "pinned-packages",
        "packages must be installed in the versions that were tested",
        "pip install -c constraints.txt ...",
        _loose_packages,
    ),
    Rule("no-root", "trainings must not run as root", "log in as an ordinary user", _root),
    Rule(
        "private-addresses",
        "machines must be reached by a private address: a token is no encryption",
        "give their address in the private network or VPN",
        _public_addresses,
    ),
)
