"""Progress bars on stderr, with rate and time left; silent if stderr is no terminal."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from cli.terminal import terminal


class Bars:
    """Progress bars, one at a time."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: int | None = None

    def start(self, what: str, total: float | None = None) -> None:
        """End the present bar and begin the next."""
        self._done()
        self._task = self._progress.add_task(what, total=total)

    def advance(self, steps: float = 1) -> None:
        """Advance the present bar."""
        if self._task is not None:
            self._progress.advance(self._task, steps)  # type: ignore[arg-type]

    def say(self, what: str) -> None:
        """Print a line above the bars."""
        self._progress.console.print(what, highlight=False)

    def _done(self) -> None:
        if self._task is not None:
            task = self._progress.tasks[-1]
            total = task.total if task.total is not None else max(task.completed, 1)
            self._progress.update(task.id, total=total, completed=total)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if not speed:
            return Text("")
        for unit, size in (("M", 1e6), ("k", 1e3)):
            if speed >= size:
                return Text(f"{speed / size:.1f} {unit}/s", style="dim")
        return Text(f"{speed:.1f} /s", style="dim")


@contextmanager
def bars() -> Iterator[Bars]:
    """Show bars during the block."""
    errors = terminal(stderr=True)
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=errors,
        disable=not errors.is_terminal,
    ) as progress:
        shown = Bars(progress)
        yield shown
        shown._done()
