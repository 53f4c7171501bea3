"""The truth log: what really happened in each session, tastes included. It serves checks only.

Code that recommends, trains or reports must not read it; a test walks its imports and paths.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import orjson

from simulator.play.session_batch import SessionBatch
from simulator.play.session_table import Arm
from simulator.random_keys import Indices


class TruthLog:
    """Collects the truth of sessions, as lines by session number."""

    def __init__(self) -> None:
        self.lines: dict[int, bytes] = {}

    def add(
        self, batch: SessionBatch, slots: Indices, truncated: npt.NDArray[np.bool_], arms: list[Arm]
    ) -> None:
        """Add sessions that have ended."""
        ids = batch.listeners.world.catalog.ids
        users = batch.listeners.world.users
        for slot, is_truncated, arm in zip(slots.tolist(), truncated.tolist(), arms, strict=True):
            tracks, times = batch.listens(slot)
            number = int(batch.number[slot])
            self.lines[number] = orjson.dumps(
                {
                    "session": number,
                    "day": int(batch.day[slot]),
                    "user": users[batch.listener[slot]],
                    "interest": ids[batch.interest[slot]],
                    "experiments": arm.experiments,
                    "strategy": arm.strategy,
                    "tracks": [ids[track] for track in tracks.tolist()],
                    "times": times.tolist(),
                    "truncated": is_truncated,
                },
                option=orjson.OPT_APPEND_NEWLINE,
            )


def write_truth(lines: Mapping[int, bytes], path: Path) -> None:
    """Write one JSON object per session, by number; the same sessions give the same bytes."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.writelines(lines[number] for number in sorted(lines))
    part.replace(path)
