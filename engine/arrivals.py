"""A turn as it arrives at the dispatcher, and its outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from core.decision import Decision, Feedback, Forgotten
from core.request import ListenReport, Request


@dataclass(slots=True)
class Arrival:
    """A client's request or report, on its way into a batch.

    Attributes:
        sent: The request or the report.
        arrived_s: Time of its arrival, on `perf_counter`'s clock.
        key: Its idempotency key.
        forced: Experiment -> arm that an authorised tester requests.
        retry: Route's name and digest of the body, by which shared state knows a retry; None
            without shared state.
    """

    sent: Request | ListenReport
    arrived_s: float
    key: str | None = None
    forced: Mapping[str, str] | None = None
    retry: tuple[str, bytes] | None = None
    seat: ClassVar[bool] = False


@dataclass(slots=True)
class SeatArrival(Arrival):
    """A turn of a person on the board, which no analysis counts.

    `forced` is never None, so that nobody takes its arms for those that the listener always has.
    """

    forced: Mapping[str, str] | None = field(default_factory=dict)
    seat: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """The answer that an idempotency key got before, from a process of the same shared state.

    Attributes:
        body: The answer's body.
    """

    body: bytes


Outcome = Decision | Feedback | Forgotten | KeptAnswer | Exception
"""The outcome of a turn: its value, or the error because of which it changed nothing."""
