"""You are the recommender: what was heard is shown, and you name the next track."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from core.catalog import UNKNOWN
from simulator.play.in_process_runner import Stopped
from simulator.play.session_batch import SessionBatch
from simulator.play.session_table import Arm
from simulator.random_keys import Indices

FOUND = 15
"""How many tracks a search shows."""


class Console:
    """Asks a person; shows what a recommender would know, and nothing of the listener's mind.

    Args:
        say: Shows a line.
        ask: Shows a prompt and gives what was typed; EOFError or KeyboardInterrupt ends it all.
    """

    def __init__(self, say: Callable[[str], object], ask: Callable[[str], str]) -> None:
        self._say = say
        self._ask = ask

    def begin(self, stage: SessionBatch, slots: Indices) -> None:
        """Say who comes."""
        for slot in slots.tolist():
            user = stage.listeners.world.users[stage.listener[slot]]
            self._say(f"\nListener {user} begins a session. Name tracks by id, or search by words.")

    def recommend(self, stage: SessionBatch, slots: Indices) -> npt.NDArray[np.integer]:
        """One track for each slot, as typed."""
        chosen = []
        for slot in slots.tolist():
            self._say(self._heard(stage, slot))
            chosen.append(self._choose(stage))
        return np.array(chosen, dtype=np.int64)

    def end(self, stage: SessionBatch, slots: Indices) -> list[Arm]:
        """Say how it went."""
        for slot in slots.tolist():
            self._say(self._heard(stage, slot))
            self._say(
                f"That was enough: {stage.steps[slot]} recommendations, "
                f"{stage.total[slot]:.2f} of them heard."
            )
        return [Arm("", "you")] * len(slots)

    def _heard(self, stage: SessionBatch, slot: int) -> str:
        return f"  heard {stage.time[slot]:4.0%} of {self._named(stage, int(stage.track[slot]))}"

    def _choose(self, stage: SessionBatch) -> int:
        """Ask until a track is named."""
        catalog = stage.listeners.world.catalog
        while True:
            try:
                typed = self._ask("next> ").strip()
            except (EOFError, KeyboardInterrupt):
                raise Stopped from None
            if not typed:
                continue
            track = catalog.index_of(typed)
            if track != UNKNOWN:
                return track
            found = self._search(stage, typed)
            for index in found[:FOUND]:
                self._say(f"  {self._named(stage, index)}")
            if len(found) > FOUND:
                self._say(f"  ... and {len(found) - FOUND} more; add a word")
            if not found:
                self._say("  no track has that id, and no artist or title those words")

    def _search(self, stage: SessionBatch, typed: str) -> list[int]:
        """Tracks whose artist and title have all the words."""
        catalog = stage.listeners.world.catalog
        words = typed.lower().split()
        return [
            index
            for index, title in enumerate(catalog.titles)
            if all(
                word in f"{catalog.artists[catalog.artist_of[index]]} {title}".lower()
                for word in words
            )
        ]

    def _named(self, stage: SessionBatch, track: int) -> str:
        shown = stage.listeners.world.catalog.describe(track)
        return f"{shown['artist']} - {shown['title'] or 'untitled'} ({shown['track']})"
