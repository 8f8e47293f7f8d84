"""What README and docs tell people to type, open and write is so."""

from __future__ import annotations

import csv
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from uda_study.cli import console
from uda_study.cli.app import app
from uda_study.datasets.manifest import Manifest, ManifestOptions
from uda_study.study.source import read_study

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`(uda-study [^`]+)`(?!`)")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
COMMANDS = get_command(app)


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[str]:
    return [text for kind, text in FENCE.findall(page.read_text()) if kind == language]


def lines_to_type(page: Path) -> Iterator[list[str]]:
    shown = [line for block in blocks(page, "sh") for line in block.splitlines()]
    for line in [*shown, *INLINE.findall(FENCE.sub("", page.read_text()))]:
        words = shlex.split(line, comments=True)
        if words[:1] == ["uda-study"]:
            yield words[1:]


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    plain = [re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings]
    return {text.replace(" ", "-") for text in plain}


COMMAND_LINES = [
    pytest.param(words, id=f"{named(page)}: {' '.join(words)}")
    for page in PAGES
    for words in lines_to_type(page)
]


def test_commands_are_found_in_the_readme():
    assert len(list(lines_to_type(README))) > len(COMMANDS.commands)


@pytest.mark.parametrize("words", COMMAND_LINES)
def test_every_command_exists_with_its_options(words):
    name, *rest = words
    command = COMMANDS.commands[name]
    required = any(parameter.required for parameter in command.params)
    if rest or not required:
        command.make_context(name, list(rest))


def test_every_command_is_in_the_readme():
    text = README.read_text()
    missing = [name for name in COMMANDS.commands if f"uda-study {name}" not in text]
    listed = [name for name in missing if f"`{name}`" not in text]
    assert listed == []


def test_every_exit_code_is_in_the_readme():
    codes = (console.OK, console.FAILED, console.INVALID, console.BUDGET, console.INTERRUPTED)
    assert [code for code in codes if f"\n| {code} |" not in README.read_text()] == []


def test_make_targets_exist():
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    asked = re.findall(r"^make (\w+)", "\n".join(blocks(README, "sh")), re.MULTILINE)
    assert asked
    assert set(asked) <= targets


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page):
    wrong = []
    for link in LINK.findall(FENCE.sub("", page.read_text())):
        if link.startswith(("https://", "http://")):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        found = target.is_relative_to(ROOT) and target.exists()
        if not found or (anchor and anchor not in anchors(target)):
            wrong.append(link)
    assert wrong == []


def test_the_study_file_in_the_readme_is_the_demos(tmp_path):
    (block,) = blocks(README, "yaml")
    shown = tmp_path / "dam_depth.yaml"
    shown.write_text(block)
    demo = ROOT / "search_spaces" / "dam_depth.yaml"
    assert read_study(shown).resolved == read_study(demo).resolved, "copy the one into the other"


def test_the_manifest_in_the_readme_is_read(tmp_path):
    (block,) = blocks(README, "csv")
    (tmp_path / "manifest.csv").write_text(block)
    for row in csv.DictReader(block.splitlines()):
        for name in filter(None, (row["image"], row["label"], row["mask"])):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).touch()
    cases = Manifest(ManifestOptions(), tmp_path, tmp_path / "cache").cases()
    assert [(case.domain, case.split) for case in cases] == [
        ("mr", None), ("ct", "train"), ("ct", "test"),
    ]  # fmt: skip
