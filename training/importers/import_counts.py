"""The counts of an import while it runs."""

from collections import Counter
from dataclasses import dataclass, field

from core.errors import Fault


@dataclass(slots=True)
class Counts:
    """The counts of an import so far; a copy of them undoes the reading of a file.

    Attributes:
        rows: Listens in the store.
        lines: Lines read.
        bad: Reason -> lines that could not be used.
        left_out: Reason -> lines that are left out on purpose.
        notes: Correction -> number of listens that were corrected.
        examples: The first few bad lines.
        stamped: Listens with a time.
        in_session: Listens with a session.
        placed: Listens with a place in their session.
        rising: Steps forwards minus steps backwards in time, from a listen of a listener to the
            next line of the same listener.
        last: Listener and time of the last listen.
    """

    rows: int = 0
    lines: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    examples: list[Fault] = field(default_factory=list)
    stamped: int = 0
    in_session: int = 0
    placed: int = 0
    rising: int = 0
    last: tuple[int, int] = (-1, 0)
