"""How a running study looks: a live table in a terminal, a line per change elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.live import Live
from rich.progress import Progress as Progressbar
from rich.table import Table

from uda_study.cli.console import Screen
from uda_study.engine.progress import Progress
from uda_study.study.duration import readable


@contextmanager
def watching(screen: Screen) -> Iterator[Callable[[Progress], None]]:
    """Yield what is to be called at every change."""
    console = screen.err
    if screen.quiet:
        yield _ignore
    elif console.is_terminal:
        with Live(console=console, refresh_per_second=2, transient=True) as live:
            yield lambda progress: live.update(_table(progress))
    else:
        yield _Lines(screen)


@contextmanager
def counting(screen: Screen, what: str) -> Iterator[Callable[[int, int], None]]:
    """Yield what is to be called with the items done and all items."""
    if screen.quiet or not screen.err.is_terminal:
        yield lambda *_: None
        return
    with Progressbar(console=screen.err, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _ignore(progress: Progress) -> None:
    """Show nothing."""
    del progress


class _Lines:
    """Prints a line whenever one more training has ended."""

    def __init__(self, screen: Screen) -> None:
        self.screen = screen
        self.shown = -1

    def __call__(self, progress: Progress) -> None:
        if progress.done != self.shown:
            self.shown = progress.done
            scores = [cell.best for cell in progress.cells if cell.best is not None]
            best = f"  best blind score {max(scores):.3f}" if scores else ""
            self.screen.note(
                f"{progress.done}/{progress.total} trainings done{best}  {_left(progress)}"
            )


def _table(progress: Progress) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column(f"{progress.done}/{progress.total} trainings", min_width=24)
    for name in ("done", "running", "pruned", "failed", "best blind score"):
        table.add_column(name, justify="right")
    for cell in progress.cells:
        best = "-" if cell.best is None else f"{cell.best:.3f}"
        counts = (cell.done, cell.running, cell.pruned, cell.failed)
        table.add_row(cell.key, *map(str, counts), best)
    table.add_row(_left(progress))
    return table


def _left(progress: Progress) -> str:
    if progress.seconds_left is None:
        return f"{readable(progress.seconds)} so far"
    return f"{readable(progress.seconds_left)} left"
