"""The decision ledger: each decision of the loop with its reason, a JSON line each, on the disk."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import orjson

from core.errors import InputError

LEDGER_FILE = "decisions.jsonl"

Outcome = Literal[
    "round", "nothing_new", "failed", "refused", "piloted", "goes_on", "promoted", "rolled_back"
]


@dataclass(frozen=True, slots=True)
class LearningDecision:
    """A decision of the loop.

    Attributes:
        outcome: What was decided; `round` stands before those of a round, with its figures.
        reason: Why, as a sentence.
        serves: The version that serves afterwards.
        version: The version that it is about; None for none.
        figures: What it rests on.
        at_ms: Unix time in ms.
    """

    outcome: Outcome
    reason: str
    serves: int
    version: int | None = None
    figures: Mapping[str, Any] = field(default_factory=dict)
    at_ms: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return plain values, as they stand in the file."""
        at = datetime.fromtimestamp(self.at_ms / 1000, UTC).isoformat(timespec="seconds")
        return {
            "at": at,
            "at_ms": self.at_ms,
            "outcome": self.outcome,
            "version": self.version,
            "serves": self.serves,
            "reason": self.reason,
            "figures": dict(self.figures),
        }


class DecisionLedger:
    """The ledger of one folder of versions.

    Args:
        folder: The folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LEDGER_FILE

    def append(self, decision: LearningDecision) -> None:
        """Write a decision; when this returns, a power cut does not lose it.

        Raises:
            InputError: The file is not writable.
        """
        line = orjson.dumps(decision.as_json(), option=orjson.OPT_SERIALIZE_NUMPY) + b"\n"
        try:
            with self.path.open("ab+") as file:
                if file.tell() and self._is_torn():
                    line = b"\n" + line
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise InputError.one(
                str(self.path), f"cannot be written: {error.strerror}. Make it writable"
            ) from error

    def read(self) -> Sequence[dict[str, Any]]:
        """Read all decisions; a line that a killed process left unfinished is none."""
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        found = []
        for line in lines:
            try:
                found.append(orjson.loads(line))
            except orjson.JSONDecodeError:
                continue
        return found

    def _is_torn(self) -> bool:
        return not self.path.read_bytes().endswith(b"\n")
