"""Progress: how long work tells whoever started it how far it is."""

from typing import Protocol


class Progress(Protocol):
    """Shows work under way; the command line draws bars, tests and libraries show nothing."""

    def start(self, what: str, total: float | None = None) -> None:
        """Begin a piece of work of `total` steps; None where nobody knows how many."""

    def advance(self, steps: float = 1) -> None:
        """Some steps of the present piece are done."""

    def say(self, what: str) -> None:
        """Say in passing how it goes, for instance the loss after an epoch."""


class Silent:
    """Shows nothing."""

    def start(self, what: str, total: float | None = None) -> None:
        """Nothing."""

    def advance(self, steps: float = 1) -> None:
        """Nothing."""

    def say(self, what: str) -> None:
        """Nothing."""


SILENT = Silent()
