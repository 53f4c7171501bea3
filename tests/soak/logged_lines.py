"""The lines of an event log, read more strictly than any reader of ours reads them."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class LoggedLines:
    """The lines of a log.

    Attributes:
        lines: Number of whole lines.
        decisions: Decision id -> times on file.
        marks: Mark of a request (see `tests.soak.ledger`) -> times on file.
        torn: Files whose last line has no end: a kill cut it off before it was acknowledged.
        faults: A sentence for each line that is not one event.
    """

    lines: int = 0
    decisions: Counter[str] = field(default_factory=Counter)
    marks: Counter[int] = field(default_factory=Counter)
    torn: int = 0
    faults: list[str] = field(default_factory=list)
    _seen: dict[str, tuple[Path, int]] = field(default_factory=dict)

    def count(self, folder: Path, line: bytes, event: dict[str, Any]) -> None:
        """Count an event, unless it is a copy.

        A batch that was in the file when the file was removed is written again, with the same
        content, into the new file: the folder with the copies then has it too.
        """
        decision = event["decision"]
        seen = self._seen.setdefault(decision, (folder, hash(line)))
        if seen[0] != folder and seen[1] == hash(line):
            return
        self.decisions[decision] += 1
        mark = (event.get("attributes") or {}).get("mark")
        if isinstance(mark, int):
            self.marks[mark] += 1

    def decided_twice(self) -> list[str]:
        """List the decision ids that are on file more than once."""
        return [decision for decision, times in self.decisions.items() if times > 1]


def read_lines(folders: Iterable[Path]) -> LoggedLines:
    """Read every event file of these folders."""
    read = LoggedLines()
    for folder in folders:
        for path in sorted(folder.glob("events-*.jsonl")):
            _read_file(path, read)
    return read


def _read_file(path: Path, read: LoggedLines) -> None:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                read.torn += 1
                continue
            read.lines += 1
            try:
                event = json.loads(
                    line.decode(), object_pairs_hook=_once, parse_constant=_refuse_constant
                )
                read.count(path.parent, line, event)
            except (ValueError, KeyError, TypeError) as error:
                read.faults.append(f"{path.name}:{number}: {error!r}: {line[:200]!r}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError(f"a key stands twice: {[name for name, _ in pairs]}")
    return found


def _refuse_constant(text: str) -> None:
    raise ValueError(f"{text} is not JSON")
