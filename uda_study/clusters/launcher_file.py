"""What a file of Ray's cluster launcher says, in the words that its rules are written in."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

# What the files of `cluster/` have where the user's own value belongs.
PLACEHOLDER = "FILL_IN"


def at(value: object, *keys: str) -> Any:
    """Return what lies below the keys; None where something on the way is no mapping or lacks it.

    >>> at({"auth": {"ssh_user": "ray"}}, "auth", "ssh_user"), at({"auth": 3}, "auth", "ssh_user")
    ('ray', None)
    """
    for key in keys:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def listed(value: object) -> list[Any]:
    """Return a list's items; a lone value is a list of one, None and the empty text of none."""
    if value is None or value == "":
        return []
    if isinstance(value, Sequence) and not isinstance(value, str):
        return list(value)
    return [value]


@dataclass(frozen=True)
class RayStart:
    """One ``ray start`` of the file: its key path, what is exported for it, its options."""

    where: str
    head: bool
    environment: Mapping[str, str]
    options: Mapping[str, str]


@dataclass(frozen=True)
class NodeType:
    """One of ``available_node_types``."""

    name: str
    head: bool
    entry: Mapping[str, Any] = field(repr=False)

    @property
    def where(self) -> str:
        """Its key path."""
        return f"available_node_types.{self.name}"

    def machine(self, *keys: str) -> Any:
        """Return what its ``node_config``, the provider's description, says below the keys."""
        return at(self.entry, "node_config", *keys)


@dataclass(frozen=True)
class LauncherFile:
    """The file as it was read, before Ray fills in its defaults."""

    config: Mapping[str, Any]

    @property
    def provider(self) -> str:
        """``aws``, ``gcp``, ``local`` or what else it names."""
        return str(at(self.config, "provider", "type"))

    def node_types(self) -> list[NodeType]:
        """Return the kinds of machines, as the file orders them."""
        kinds = at(self.config, "available_node_types")
        head = at(self.config, "head_node_type")
        if not isinstance(kinds, Mapping):
            return []
        return [
            NodeType(str(name), name == head, entry if isinstance(entry, Mapping) else {})
            for name, entry in kinds.items()
        ]

    def workers(self) -> list[NodeType]:
        """Return the kinds of machines that are not the head."""
        return [kind for kind in self.node_types() if not kind.head]

    def head(self) -> list[NodeType]:
        """Return the head's kind: one, or none where the file names none."""
        return [kind for kind in self.node_types() if kind.head]

    def commands(self, *suffixes: str) -> Iterator[tuple[str, str]]:
        """Yield the key path and text of all shell commands under keys that end so."""
        for where, text in self.texts():
            if where.split("[")[0].endswith(suffixes or ("_commands",)):
                yield where, text

    def starts(self) -> list[RayStart]:
        """Return every ``ray start``, of the head and of the workers."""
        return [
            start
            for where, text in self.commands("_start_ray_commands")
            for start in _starts(where, text)
        ]

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield the key path of every text in the file, and the text."""
        yield from _texts("", self.config)


def _texts(where: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _texts(f"{where}.{key}" if where else str(key), inner)
    elif isinstance(value, Sequence):
        for index, inner in enumerate(value):
            yield from _texts(f"{where}[{index}]", inner)


def _starts(where: str, text: str) -> Iterator[RayStart]:
    exported: dict[str, str] = {}
    for words in _simple_commands(text):
        own: dict[str, str] = {}
        while words and _assigns(words[0]):
            name, _, value = words.pop(0).partition("=")
            own[name] = value
        if not words:
            exported |= own
        elif words[0] == "export":
            exported |= dict(word.split("=", 1) for word in words[1:] if _assigns(word))
        elif words[:2] == ["ray", "start"]:
            yield RayStart(where, "--head" in words, exported | own, _options(words[2:]))


def _simple_commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each command between ``;``, ``&`` and ``|``; of none if it is no shell."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars=";&|\n")
    lexer.whitespace, lexer.whitespace_split = " \t\r", True
    words: list[str] = []
    try:
        for word in lexer:
            if set(word) <= set(";&|\n"):
                yield words
                words = []
            else:
                words.append(word)
    except ValueError:
        return
    yield words


def _assigns(word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and name.isidentifier()


def _options(words: Sequence[str]) -> dict[str, str]:
    options: dict[str, str] = {}
    for word, after in zip(words, [*words[1:], "--"], strict=True):
        if word.startswith("--"):
            name, equals, value = word.partition("=")
            options[name] = value if equals or after.startswith("--") else after
    return options
