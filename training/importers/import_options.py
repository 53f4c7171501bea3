"""Options of an import: which listens to keep, and how to read them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import time

from core.progress import SILENT, Progress


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Options of an import.

    Attributes:
        columns: Meaning -> name of its column, for `table`.
        percent: Whether the time of `table` is in percent and not a share.
        artists: File of (artist_id, item_id), for `yambda`.
        gap_s: Silence after which a new session begins, where the format has no sessions.
        min_plays: Tracks played less often are left out, a count.
        most_tracks: Number of tracks to keep, the most played ones; None for all.
        progress: Shows the bytes read.
        now_ms: The time of the import, Unix time in ms; no listen can be a day later.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    percent: bool = False
    artists: Path | None = None
    gap_s: float = 1800
    min_plays: int = 1
    most_tracks: int | None = None
    progress: Progress = SILENT
    now_ms: float = field(default_factory=lambda: time() * 1000)
