"""The truth log: what really happened in each session, tastes included. For checking, only.

Whoever recommends, trains or reports must not read it; a test walks their imports and paths.
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
    """Gathers the truth of sessions: lines by session number."""

    def __init__(self) -> None:
        self.lines: dict[int, bytes] = {}

    def add(
        self, stage: SessionBatch, slots: Indices, truncated: npt.NDArray[np.bool_], arms: list[Arm]
    ) -> None:
        """Take in sessions that have ended."""
        ids = stage.listeners.world.catalog.ids
        users = stage.listeners.world.users
        for slot, cut, arm in zip(slots.tolist(), truncated.tolist(), arms, strict=True):
            tracks, times = stage.heard(slot)
            number = int(stage.number[slot])
            self.lines[number] = orjson.dumps(
                {
                    "session": number,
                    "day": int(stage.day[slot]),
                    "user": users[stage.listener[slot]],
                    "interest": ids[stage.interest[slot]],
                    "experiments": arm.experiments,
                    "strategy": arm.strategy,
                    "tracks": [ids[track] for track in tracks.tolist()],
                    "times": times.tolist(),
                    "truncated": cut,
                },
                option=orjson.OPT_APPEND_NEWLINE,
            )


def write_truth(lines: Mapping[int, bytes], path: Path) -> None:
    """Write one JSON object a session, by number; same sessions, same bytes."""
    beside = path.with_name(path.name + ".part")
    with beside.open("wb") as file:
        file.writelines(lines[number] for number in sorted(lines))
    beside.replace(path)
