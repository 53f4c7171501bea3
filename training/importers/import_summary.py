"""The summary of an import: where every line went, and what came out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from core.errors import Fault


@dataclass(frozen=True, slots=True)
class FileSummary:
    """One file that was read.

    Attributes:
        name: Path below the folder that was named.
        lines: Lines, rows or entries read.
        listens: Listens in them; 0 for a copy.
        checksum: SHA-256 of its content, unpacked unless it is Parquet.
        copy_of: The file with the same content that was read before; None if there is none.
    """

    name: str
    lines: int
    listens: int
    checksum: str
    copy_of: str | None


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """The counts of an import: `lines` = `used` + all of `bad` + all of `left_out` + `copies`.

    Attributes:
        kind: Name of the format.
        lines: Lines (of text), rows (of Parquet) or entries (of JSON arrays) read.
        used: Listens in the training table.
        bad: Reason -> lines that could not be used.
        left_out: Reason -> lines that are left out on purpose.
        copies: Lines of files whose content was read before.
        notes: Correction -> number of listens that were corrected and used.
        files: Every file that was read, in order.
        ignored: Files of the folder whose names do not fit, so that they were not read.
        examples: The first few bad lines, each with file, line and column.
        period_ms: Unix time of the first and last listen; None where the data has no times.
        origin: Meaning of the times, if they do not count from 1970.
        sessions: Sessions in the training table.
        listeners: Listeners in the training table.
        tracks: Tracks in the catalog.
    """

    kind: str
    lines: int
    used: int
    bad: Mapping[str, int]
    left_out: Mapping[str, int]
    copies: int
    notes: Mapping[str, int]
    files: Sequence[FileSummary]
    ignored: Sequence[str]
    examples: Sequence[Fault]
    period_ms: tuple[int, int] | None
    origin: str
    sessions: int
    listeners: int
    tracks: int

    def __post_init__(self) -> None:
        told = self.used + sum(self.bad.values()) + sum(self.left_out.values()) + self.copies
        assert self.lines == told, f"{self.lines} lines were read, and {told} are accounted for"

    def as_json(self) -> dict[str, Any]:
        """The summary as JSON, for `--json` and for the training table's metadata."""
        period = self.period_ms
        return {
            "import": self.kind,
            "lines": self.lines,
            "used": self.used,
            "bad": dict(self.bad),
            "left_out": dict(self.left_out),
            "copies": self.copies,
            "notes": dict(self.notes),
            "sessions": self.sessions,
            "listeners": self.listeners,
            "tracks": self.tracks,
            "period": None if period is None or self.origin else [iso(at_ms) for at_ms in period],
            "files": [
                {
                    "name": file.name,
                    "lines": file.lines,
                    "listens": file.listens,
                    "sha256": file.checksum,
                    **({"copy_of": file.copy_of} if file.copy_of else {}),
                }
                for file in self.files
            ],
            "ignored": list(self.ignored),
            "examples": [str(fault) for fault in self.examples],
        }


def iso(at_ms: int) -> str:
    """Unix time in ms as ISO 8601, UTC, to the second."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).isoformat().replace("+00:00", "Z")
