"""Where commands write: results to stdout, everything else to stderr."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from rich.console import Console

from uda_study.errors import InputError, UdaStudyError

# Of tables that go to a file or a pipe: none of their columns is cut.
_WIDTH = 240

OK, FAILED, INVALID, BUDGET, INTERRUPTED = 0, 1, 2, 3, 4
TERMINATED = 128 + 15
"""What a shell shows of a process that SIGTERM ended; schedulers know it."""


@dataclass(frozen=True)
class Screen:
    """The two streams of a command; ``quiet`` drops notes, ``as_json`` everything but the result.

    Without a terminal rich prints plain lines without colours.
    """

    quiet: bool = False
    as_json: bool = False

    @property
    def out(self) -> Console:
        """Standard output, for people; not to be used with ``as_json``."""
        width = None if sys.stdout.isatty() else _WIDTH
        return Console(file=sys.stdout, highlight=False, soft_wrap=True, width=width)

    @property
    def err(self) -> Console:
        """Standard error."""
        return Console(file=sys.stderr, highlight=False, soft_wrap=True)

    def note(self, text: str) -> None:
        """Tell how things go, unless asked to be quiet."""
        if not self.quiet:
            self.err.print(text, markup=False)

    def result(self, value: Any) -> None:
        """Print the one JSON document of a command."""
        sys.stdout.write(json.dumps(value, indent=1, allow_nan=False) + "\n")


@contextmanager
def reported_errors() -> Iterator[None]:
    """Turn the project's errors into lines and exit codes; others are bugs and shown whole."""
    try:
        yield
    except InputError as error:
        for problem in error.problems:
            sys.stderr.write(f"uda-study: error: {problem}\n")
        raise SystemExit(INVALID) from error
    except UdaStudyError as error:
        sys.stderr.write(f"uda-study: failed: {error}\n")
        raise SystemExit(FAILED) from error
    except KeyboardInterrupt as error:
        sys.stderr.write("uda-study: interrupted\n")
        raise SystemExit(INTERRUPTED) from error
    except BrokenPipeError as error:
        raise SystemExit(FAILED) from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        place = error.filename or "a disk"
        sys.stderr.write(f"uda-study: failed: {place}: no space is left; free some and try again\n")
        raise SystemExit(FAILED) from error
