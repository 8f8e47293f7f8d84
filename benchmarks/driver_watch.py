"""Watches a driver while it drives: its memory, its CPU time, its run log, and the slots' work."""

from __future__ import annotations

import os
import resource
import threading
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

_PAUSE_S = 2.0


def rss_mib() -> float:
    """Return the resident memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def busy_share(times: Sequence[dict[str, Any]], slots: int) -> dict[str, Any]:
    """Return which share of the slots' time was training, while there was work for all of them.

    Counted are the parts of trainings alone: not what a training waits for its report to be taken
    in. From when all slots were first taken until the last trial of a search was handed out.
    """
    first = {part["key"]: part["from"] for part in sorted(times, key=lambda p: -p["from"])}
    last = {part["key"]: part["to"] for part in sorted(times, key=lambda p: p["to"])}
    changes = sorted([(at, 1) for at in first.values()] + [(at, -1) for at in last.values()])
    taken, filled = 0, changes[-1][0]
    for at, change in changes:
        taken += change
        if taken >= slots:
            filled = at
            break
    left = max(part["from"] for part in times if part["kind"] == "search" and _begins(part, first))
    trained = sum(max(0.0, min(p["to"], left) - max(p["from"], filled)) for p in times)
    waited = [later - earlier for earlier, later in _handovers(times)]
    began = [at for at in first.values() if filled <= at <= left]
    reports = [part for part in times if filled <= part["to"] <= left]
    window = max(left - filled, 1e-9)
    return {
        "slots": slots,
        "processes": len({part["pid"] for part in times}),
        "filled_after_s": round(filled - changes[0][0], 1),
        "full_s": round(left - filled, 1),
        "busy": round(trained / (slots * window), 4),
        "trained_s_each": round(sum(last[k] - first[k] for k in first) / len(first), 1),
        "starts_per_s": round(len(began) / window, 2),
        "reports_per_s": round(len(reports) / window, 2),
        "wait_ms_median": round(1000 * sorted(waited)[len(waited) // 2], 1),
        "wait_ms_most": round(1000 * max(waited), 1),
    }


def _begins(part: dict[str, Any], first: dict[str, float]) -> bool:
    return bool(part["from"] == first[part["key"]])


def _handovers(times: Sequence[dict[str, Any]]) -> list[tuple[float, float]]:
    """Return when a process had trained a part and when it began the next, of any training."""
    mine: dict[int, list[dict[str, Any]]] = {}
    for part in times:
        mine.setdefault(part["pid"], []).append(part)
    found = []
    for parts in mine.values():
        parts.sort(key=lambda part: part["from"])
        found += [(a["to"], b["from"]) for a, b in pairwise(parts)]
    return found


class Watched:
    """Notes what the driver's process takes, every two seconds and at every write of the log."""

    def __init__(self, writer: Any, finished: Callable[[], int]) -> None:
        self.writer, self.finished = writer, finished
        self.notes: list[tuple[int, float, int]] = []
        self.written, self.writing, self.log_cpu = 0, 0.0, 0.0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._note, daemon=True)
        inner = writer._write

        def write(events: Any) -> None:
            started, cpu = time.monotonic(), time.thread_time()
            inner(events)
            self.writing += time.monotonic() - started
            self.log_cpu += time.thread_time() - cpu
            self.written += len(events)

        writer._write = write
        self._machine = _machine_cpu()
        self._thread.start()

    def end(self) -> None:
        """Note no more: all trainings have ended, and what the log has yet to write is known."""
        self.waiting = self.writer._queue.qsize()
        self._over.set()
        self._thread.join()
        idle, whole = (b - a for a, b in zip(self._machine, _machine_cpu(), strict=True))
        self.machine_busy = 1 - idle / whole

    def figures(self) -> dict[str, Any]:
        """Return what was noted."""
        counted = [note for note in self.notes if note[0] >= 10] or self.notes
        (done, rss, _), (done_last, rss_last, _) = counted[0], counted[-1]
        return {
            "rss_mib": [round(self.notes[0][1]), round(rss_last)],
            "rss_mib_per_1000": round(1000 * (rss_last - rss) / max(1, done_last - done), 1),
            "mlflow_events": self.written,
            "mlflow_events_per_s": round(self.written / max(self.writing, 1e-9), 1),
            "mlflow_cpu_s": round(self.log_cpu, 1),
            "mlflow_waiting_most": max(note[2] for note in self.notes),
            "mlflow_waiting_at_end": self.waiting,
            "load": round(os.getloadavg()[1], 1),
            "machine_cpu": round(self.machine_busy, 2),
        }

    def _note(self) -> None:
        while True:
            self.notes.append((self.finished(), rss_mib(), self.writer._queue.qsize()))
            if self._over.wait(_PAUSE_S):
                return


def _machine_cpu() -> tuple[float, float]:
    """Return the seconds times cores that the machine was idle, and all of them."""
    values = [float(text) for text in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    return values[3] + values[4], sum(values)
