"""Damage small files of every kind at random and see that the readers refuse or read them soundly.

Run with ``python benchmarks/fuzz_readers.py --inputs 10000``, or ``--seconds 60`` to stop after a
time. Each kind is read in a process of its own, whose address space may grow by 1 GiB. An input is
a finding when anything but `InputError` escapes (a warning counts), when what was read is not
sound, when it takes more than 2 s of processor time, or when the process dies. ``--only
png-label:17`` does one input again and shows where it fails; ``--first`` starts at other inputs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path

from uda_study.testing.fuzz_targets import Target, targets

MEMORY = 1 << 30
SECONDS = 2.0
HUNG = 60.0
# Radiographs are written whole, 8 MiB for every input.
COSTLY = {"img": 20}


@dataclass
class Tally:
    """What came of the inputs of one target."""

    outcomes: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    memory: int = 0
    findings: list[str] = field(default_factory=list)


def child(target: Target, numbers: range, folder: Path, results: Connection) -> None:
    """Read inputs one after another, telling before and after each."""
    warnings.simplefilter("error")
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for number in numbers:
        results.send(number)
        began = time.process_time()
        problem = ""
        try:
            outcome: str = target.attempt(folder, number)
        except Exception as error:
            outcome, problem = type(error).__name__, traceback.format_exc()
        took = time.process_time() - began
        if took > SECONDS:
            outcome, problem = "slow", f"{took:.1f} s"
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        results.send((outcome, problem, took, grown * 1024))
        shutil.rmtree(folder)
    results.send(None)


def run(target: Target, numbers: range, until: float, tally: Tally) -> None:
    """Fuzz one target in children; a child that dies is replaced after the input that killed it."""
    context = multiprocessing.get_context("fork")
    while numbers and time.monotonic() < until:
        folder = Path(tempfile.mkdtemp())
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=child, args=(target, numbers, folder, sender))
        process.start()
        sender.close()
        number = numbers.start
        try:
            while time.monotonic() < until and receiver.poll(HUNG):
                message = receiver.recv()
                if message is None:
                    return
                if isinstance(message, int):
                    number = message
                    continue
                outcome, problem, took, grown = message
                tally.outcomes[outcome] += 1
                tally.slowest = max(tally.slowest, took)
                tally.memory = max(tally.memory, grown)
                if problem:
                    tally.findings.append(f"{target.name}:{number} {outcome}\n{problem}")
                numbers = range(number + 1, numbers.stop)
            if time.monotonic() < until:
                lost(target, number, "hung", tally)
        except EOFError:
            lost(target, number, "died", tally)
        finally:
            process.kill()
            process.join()
            shutil.rmtree(folder, ignore_errors=True)
        numbers = range(number + 1, numbers.stop)


def lost(target: Target, number: int, how: str, tally: Tally) -> None:
    """Note an input whose child did not come back."""
    tally.outcomes[how] += 1
    tally.findings.append(f"{target.name}:{number} {how}")


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--inputs", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", help="a target, or TARGET:NUMBER")
    options = parser.parse_args()
    every = targets(Path(tempfile.mkdtemp()) / "sound")
    if options.only and ":" in options.only:
        name, _, number = options.only.partition(":")
        (target,) = (one for one in every if one.name == name)
        with tempfile.TemporaryDirectory() as folder:
            print(target.attempt(Path(folder) / "one", int(number)))
        return 0
    chosen = [one for one in every if options.only in (None, one.name)]
    shares = sum(1 / COSTLY.get(one.name, 1) for one in chosen)
    until = time.monotonic() + options.seconds
    tallies: dict[str, Tally] = {}
    print(f"{'':22} inputs    read refused  findings  slowest  memory")
    for index, target in enumerate(chosen):
        count = -(-options.inputs // (shares * COSTLY.get(target.name, 1)))
        left = (until - time.monotonic()) / (len(chosen) - index)
        tally = tallies[target.name] = Tally()
        numbers = range(options.first, options.first + int(count))
        run(target, numbers, time.monotonic() + left, tally)
        done = tally.outcomes
        print(
            f"{target.name:22} {done.total():6} {done['read']:7} {done['refused']:7}"
            f" {len(tally.findings):9} {tally.slowest:6.2f} s {tally.memory / 2**20:4.0f} MiB",
            flush=True,
        )
    findings = [text for tally in tallies.values() for text in tally.findings]
    print(f"{sum(tally.outcomes.total() for tally in tallies.values())} inputs")
    print("\n".join(findings) or "nothing found")
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
