"""Damage to bytes, drawn from a seed, and checksums made right so that it is not found at once."""

from __future__ import annotations

import gzip
import random
import re
import struct
import zlib

_NUMBER = re.compile(rb"-?\d+(?:\.\d+)?")
_NUMBERS = (
    b"0", b"-1", b"1", b"2", b"3", b"255", b"256", b"65535", b"65536", b"2147483647", b"30000",
    b"4294967296", b"99999999999999999999", b"1e308", b"-1e-308", b"nan", b"inf", b"", b"0.5",
)  # fmt: skip
_INTEGERS = (0, 1, 2, 3, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000)
_FLOATS = (float("nan"), float("inf"), -1.0, 0.0, 1e-45, 3e38)


def mutated(content: bytes, draw: random.Random, head: int) -> bytes:
    """Return the content with one to four things wrong, mostly among its first ``head`` bytes."""
    for _ in range(draw.choice((1, 1, 1, 2, 4))):
        content = draw.choice(_KINDS)(content, draw, min(head, len(content)))
        if not content:
            break
    return content


def with_checksums(content: bytes) -> bytes:
    """Return a PNG whose chunks have the right checksums again, anything else as it is.

    What follows a chunk that would run beyond the end of the file is kept as it is.
    """
    if not content.startswith(b"\x89PNG\r\n\x1a\n"):
        return content
    repaired, position = content[:8], 8
    while position + 12 <= len(content):
        length = struct.unpack(">I", content[position : position + 4])[0]
        end = position + 8 + length
        if end + 4 > len(content):
            break
        chunk = content[position + 4 : end]
        repaired += content[position : position + 4] + chunk + struct.pack(">I", zlib.crc32(chunk))
        position = end + 4
    return repaired + content[position:]


def packed(content: bytes) -> bytes:
    """Return the content as a gzip file without name and time."""
    return gzip.compress(content, compresslevel=1, mtime=0)


def _byte(content: bytes, draw: random.Random, head: int) -> bytes:
    at = draw.randrange(head if draw.random() < 0.8 else len(content))
    return content[:at] + bytes([draw.randrange(256)]) + content[at + 1 :]


def _field(content: bytes, draw: random.Random, head: int) -> bytes:
    """Write an extreme number over a few aligned bytes, in either order."""
    order = draw.choice("<>")
    if draw.random() < 0.3:
        value = struct.pack(order + draw.choice("fd"), draw.choice(_FLOATS))
    else:
        size = draw.choice((1, 2, 4, 8))
        number = draw.choice(_INTEGERS) & ((1 << 8 * size) - 1)
        value = number.to_bytes(size, "little" if order == "<" else "big")
    at = draw.randrange(head) // 2 * 2
    return content[:at] + value + content[at + len(value) :]


def _text_number(content: bytes, draw: random.Random, head: int) -> bytes:
    """Put an extreme number in the place of one that is written out."""
    found = list(_NUMBER.finditer(content, 0, head))
    if not found:
        return _byte(content, draw, head)
    at = draw.choice(found)
    return content[: at.start()] + draw.choice(_NUMBERS) + content[at.end() :]


def _cut(content: bytes, draw: random.Random, head: int) -> bytes:  # noqa: ARG001 - as the others
    return content[: draw.randrange(len(content))]


def _moved(content: bytes, draw: random.Random, head: int) -> bytes:
    """Copy a piece to another place, over what was there or between it."""
    start, to = draw.randrange(len(content)), draw.randrange(head)
    piece = content[start : start + draw.randint(1, 64)]
    return content[:to] + piece + content[to + draw.choice((0, len(piece))) :]


def _lost(content: bytes, draw: random.Random, head: int) -> bytes:
    at = draw.randrange(head)
    return content[:at] + content[at + draw.randint(1, 16) :]


_KINDS = (_byte, _byte, _field, _field, _text_number, _text_number, _cut, _moved, _lost)
