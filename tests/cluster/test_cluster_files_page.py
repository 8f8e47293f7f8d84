"""`docs/cluster-files.md` knows every rule and file; its policies allow no more than it says."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from cluster_files import FILES, ROOT, read

from uda_study.clusters.hardening import RULES

PAGE = (ROOT / "docs" / "cluster-files.md").read_text()
ROWS = {
    name: [cell.strip() for cell in rest.split("|")]
    for name, rest in re.findall(r"^\| `([^`]+)` \|(.*)\|$", PAGE, re.MULTILINE)
}
(POLICY,) = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]
STATEMENTS: dict[str, Any] = {part["Sid"]: part for part in POLICY["Statement"]}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_the_page_says_of_every_rule_whom_it_asks_whether_it_refuses_and_why(rule: Any) -> None:
    asked, refused, why = ROWS[rule.name]
    assert asked == (", ".join(rule.providers) or "all")
    assert refused == ("yes" if rule.refused else "no")
    assert why


def test_the_page_has_no_other_rules_and_every_file() -> None:
    section = PAGE.split("## What the lint asks")[1]
    assert set(re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)) == {r.name for r in RULES}
    assert {f"cluster/{path.name}" for path in FILES} <= ROWS.keys()


def test_machines_are_started_and_ended_under_the_clusters_name_alone() -> None:
    name = read("aws.yaml")["cluster_name"]
    kind = read("aws.yaml")["available_node_types"]["worker"]["node_config"]["InstanceType"]
    started = STATEMENTS["StartWorkersUnderTheClustersName"]["Condition"]["StringEquals"]
    assert started == {"aws:RequestTag/ray-cluster-name": name, "ec2:InstanceType": kind}
    ended = STATEMENTS["EndAndTagItsOwn"]
    assert ended["Condition"] == {"StringEquals": {"aws:ResourceTag/ray-cluster-name": name}}
    assert ended["Action"] == ["ec2:TerminateInstances", "ec2:CreateTags"]


def test_only_looking_is_allowed_everywhere() -> None:
    everywhere = [part["Action"] for part in POLICY["Statement"] if part["Resource"] == "*"]
    assert everywhere == ["ec2:DescribeInstances"]
    assert not any("*" in action for part in POLICY["Statement"] for action in actions(part))


def test_the_one_role_that_is_handed_on_is_the_workers() -> None:
    kinds = read("aws.yaml")["available_node_types"]
    worker = kinds["worker"]["node_config"]["IamInstanceProfile"]["Name"]
    handed = [part["Resource"] for part in POLICY["Statement"] if "iam:PassRole" in actions(part)]
    assert handed == [f"arn:aws:iam::ACCOUNT:role/{worker}"]


def test_storage_is_the_prefix_alone() -> None:
    for part in POLICY["Statement"]:
        if any(action.startswith("s3:") for action in actions(part)):
            limited = "s3:prefix" in json.dumps(part.get("Condition", {}))
            assert part["Resource"].endswith("/PREFIX/*") or limited


def actions(part: dict[str, Any]) -> list[str]:
    return [part["Action"]] if isinstance(part["Action"], str) else part["Action"]
