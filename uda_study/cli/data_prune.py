"""``uda-study data prune``: bound the cache of prepared images."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from uda_study.cli.console import Screen
from uda_study.cli.options import HOME, HomeOption, JsonOption, QuietOption
from uda_study.errors import InputError

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?", re.IGNORECASE)


def prune(
    keep: Annotated[
        str | None, typer.Option(help="How much may stay, such as 20GB; oldest use goes first.")
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(help="What was not used for so long goes, such as 30d.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    home: HomeOption = HOME,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Remove prepared images that were not used for longest; they are made again when needed."""
    from uda_study.data.limits import show_bytes
    from uda_study.data.prune import plan_pruning, remove
    from uda_study.engine.job import Home
    from uda_study.study.duration import seconds

    if keep is None and older_than is None:
        raise InputError.of(
            "data prune", "needs a bound", None, "give --keep 20GB, --older-than 30d or both"
        )
    cache = Home(home.absolute()).prepared
    pruning = plan_pruning(
        cache,
        None if keep is None else size_of(keep),
        None if older_than is None else seconds(older_than),
    )
    if not dry_run:
        remove(cache, pruning)
    screen = Screen(quiet, as_json)
    if as_json:
        screen.result(
            {
                "dry_run": dry_run,
                "freed": {"entries": len(pruning.freed), "bytes": pruning.bytes_freed},
                "kept": {"entries": len(pruning.kept), "bytes": pruning.bytes_kept},
            }
        )
        return
    verb = "would free" if dry_run else "freed"
    screen.note(
        f"{verb} {show_bytes(pruning.bytes_freed)} in {len(pruning.freed)} entries; "
        f"{show_bytes(pruning.bytes_kept)} in {len(pruning.kept)} stay"
    )


def size_of(text: str) -> int:
    """Return the bytes of a text such as ``20GB``, in powers of 1024; `InputError` otherwise.

    >>> size_of("1.5 GiB") == size_of("1536M")
    True
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise InputError.of("--keep", "must be a size such as 20GB or 500MB", repr(text))
    return int(float(match[1]) * 1024 ** " KMGT".index(match[2].upper() or " "))
