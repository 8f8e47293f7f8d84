"""Where in a cluster a training ran, written beside its results."""

from __future__ import annotations

import json
import time
from pathlib import Path

import ray
from ray.util import get_node_ip_address

PLACES = "places"


def note_place(folder: Path, rank: int = 0) -> None:
    """Add a line to the training's list of places: the machine's address there, and seconds.

    A line per attempt, so a training that moved to another machine shows it. Every rank has a file
    of its own, as two machines that append to one file of a network drive may lose a line.
    """
    if not ray.is_initialized():
        return
    line = json.dumps({"node": get_node_ip_address(), "at": round(time.time(), 2)})
    place = folder / PLACES
    place.mkdir(exist_ok=True)
    with (place / f"rank-{rank}.jsonl").open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def read_places(folder: Path, rank: int = 0) -> list[tuple[str, float]]:
    """Return address and start (seconds since 1970) of every attempt that a cluster made."""
    try:
        text = (folder / PLACES / f"rank-{rank}.jsonl").read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    lines = [json.loads(line) for line in text.splitlines()]
    return [(line["node"], line["at"]) for line in lines]
