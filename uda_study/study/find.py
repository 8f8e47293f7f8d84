"""Find a study by what a user calls it; without the study file, whose classes need torch."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from uda_study.errors import InputError

_SHOWN = 8


def find_study(text: str, known: Sequence[str]) -> str:
    """Return the study of that id or name, or the only one that begins so; else `InputError`."""
    if text in known:
        return text
    named = [name for name in known if name.rpartition("-")[0] == text]
    begin = named or [name for name in known if name.startswith(text)]
    if len(begin) == 1:
        return begin[0]
    if begin:
        shown = ", ".join(begin[:_SHOWN])
        raise InputError.of("study", "names more than one", repr(text), f"choose from {shown}")
    near = difflib.get_close_matches(text, known, n=3, cutoff=0.4)
    remedy = f"did you mean {' or '.join(near)}?" if near else "no study of that name was run here"
    raise InputError.of("study", "unknown study", repr(text), remedy)
