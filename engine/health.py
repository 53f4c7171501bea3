"""Health: what keeps a server from acknowledging turns, and what else is wrong with it.

Nobody reports a problem here and takes it back later. Whoever can have a problem gives a probe,
which says what is wrong at this moment. So the server is well again as soon as the problem is gone.
"""

from collections.abc import Callable
from dataclasses import dataclass

Probe = Callable[[], str | None]
"""Returns a sentence about the problem of this moment, or None if there is none. It must not wait:
`GET /readyz` calls it on the server's loop."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem of this moment.

    Attributes:
        code: Name of the problem, for programs.
        message: What is wrong and what to do, for people.
    """

    code: str
    message: str


class Health:
    """The probes of one server."""

    def __init__(self) -> None:
        self._blocking: dict[str, Probe] = {}
        self._warning: dict[str, Probe] = {}

    def block(self, code: str, probe: Probe) -> None:
        """Add a probe of a problem with which no turn can be acknowledged."""
        self._blocking[code] = probe

    def warn(self, code: str, probe: Probe) -> None:
        """Add a probe of a problem with which the server still acknowledges turns."""
        self._warning[code] = probe

    def blocking(self) -> list[Problem]:
        """List the problems with which no turn can be acknowledged."""
        return _found(self._blocking)

    def warnings(self) -> list[Problem]:
        """List the problems with which the server still acknowledges turns."""
        return _found(self._warning)


def _found(probes: dict[str, Probe]) -> list[Problem]:
    said = ((code, probe()) for code, probe in probes.items())
    return [Problem(code, message) for code, message in said if message is not None]
