"""Measure what it costs to notice that the event file was removed, before a batch is answered.

Run with `python -m benchmarks log_watch`. The three ways take turns, and the fastest of 200 rounds
counts, so a busy machine changes little.
"""

import tempfile
from pathlib import Path
from time import perf_counter

from rich.console import Console
from rich.table import Table

from core.allocation import UNASSIGNED
from core.decision import Feedback
from events.name_watch import NameWatch
from events.open_file import OpenFile
from events.writer import EventWriter

ROUNDS, TIMES = 200, 200


class _NoWatch(NameWatch):
    """No watch at all: the cost of writing alone."""

    def is_removed(self, file: OpenFile) -> bool:
        return False


def main() -> None:
    """Print the time to append a batch, by way and size of the batch."""
    turns = [_turn(number) for number in range(64)]
    table = Table("turns in a batch", "no watch, us", "inotify, us", "fstat, us")
    with tempfile.TemporaryDirectory(dir=".") as folder:
        writers = [EventWriter(Path(folder) / way, 10**12, lambda: 0) for way in "abc"]
        writers[0]._watch = _NoWatch()
        writers[2]._watch.close()
        for size in (1, 8, 64):
            best = [1e9] * len(writers)
            for _ in range(ROUNDS):
                for way, writer in enumerate(writers):
                    began_s = perf_counter()
                    for _ in range(TIMES):
                        writer.append_all(turns[:size])
                    best[way] = min(best[way], (perf_counter() - began_s) / TIMES)
            table.add_row(str(size), *(f"{each * 1e6:.2f}" for each in best))
        for writer in writers:
            writer.close()
    Console().print(table)


def _turn(number: int) -> Feedback:
    return Feedback(f"id-{number}", 7, 1000, 0.5, 1, "s", number, UNASSIGNED, "c")


if __name__ == "__main__":
    main()
