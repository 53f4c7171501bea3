"""Progress: how long-running work reports its state to the user."""

from typing import Protocol


class Progress(Protocol):
    """A display of progress; the command line draws bars, tests and libraries show nothing."""

    def start(self, what: str, total: float | None = None) -> None:
        """Begin a piece of work of `total` steps; None if the number is unknown."""

    def advance(self, steps: float = 1) -> None:
        """Count steps of the current piece as done."""

    def say(self, what: str) -> None:
        """Print a remark, for instance the loss after an epoch."""


class Silent:
    """A progress that shows nothing."""

    def start(self, what: str, total: float | None = None) -> None:
        """Do nothing."""

    def advance(self, steps: float = 1) -> None:
        """Do nothing."""

    def say(self, what: str) -> None:
        """Do nothing."""


SILENT = Silent()
