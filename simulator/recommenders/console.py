"""A person as the recommender: the console shows each listen and asks for the next track."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from core.catalog import UNKNOWN
from simulator.play.in_process_runner import Stopped
from simulator.play.session_batch import SessionBatch
from simulator.play.session_table import Arm
from simulator.random_keys import Indices

FOUND = 15
"""Tracks that a search shows, at most."""


class Console:
    """Asks a person, who sees what any recommender sees: no true tastes.

    Args:
        show: Prints a line.
        prompt: Prints a prompt and returns the line typed; EOFError or KeyboardInterrupt quits.
    """

    def __init__(self, show: Callable[[str], object], prompt: Callable[[str], str]) -> None:
        self._show = show
        self._prompt = prompt

    def begin(self, batch: SessionBatch, slots: Indices) -> None:
        """Announce the listener of each slot."""
        for slot in slots.tolist():
            user = batch.listeners.world.users[batch.listener[slot]]
            self._show(
                f"\nListener {user} begins a session. Name tracks by id, or search by words."
            )

    def recommend(self, batch: SessionBatch, slots: Indices) -> npt.NDArray[np.integer]:
        """Ask for a track for each slot."""
        tracks = []
        for slot in slots.tolist():
            self._show(self._last_listen(batch, slot))
            tracks.append(self._choose(batch))
        return np.array(tracks, dtype=np.int64)

    def end(self, batch: SessionBatch, slots: Indices) -> list[Arm]:
        """Show how each session went."""
        for slot in slots.tolist():
            self._show(self._last_listen(batch, slot))
            self._show(
                f"The listener left after {batch.steps[slot]} recommendations and heard "
                f"{batch.total[slot]:.2f} tracks of them."
            )
        return [Arm("", "you")] * len(slots)

    def _last_listen(self, batch: SessionBatch, slot: int) -> str:
        return f"  heard {batch.time[slot]:4.0%} of {self._name(batch, int(batch.track[slot]))}"

    def _choose(self, batch: SessionBatch) -> int:
        """Ask until the person names a track."""
        catalog = batch.listeners.world.catalog
        while True:
            try:
                typed = self._prompt("next> ").strip()
            except (EOFError, KeyboardInterrupt):
                raise Stopped from None
            if not typed:
                continue
            track = catalog.index_of(typed)
            if track != UNKNOWN:
                return track
            found = self._search(batch, typed)
            for index in found[:FOUND]:
                self._show(f"  {self._name(batch, index)}")
            if len(found) > FOUND:
                self._show(f"  ... and {len(found) - FOUND} more; add a word")
            if not found:
                self._show("  no track has that id, and no artist and title have those words")

    def _search(self, batch: SessionBatch, typed: str) -> list[int]:
        """Find the tracks whose artist and title have all the words."""
        catalog = batch.listeners.world.catalog
        words = typed.lower().split()
        return [
            index
            for index, title in enumerate(catalog.titles)
            if all(
                word in f"{catalog.artists[catalog.artist_of[index]]} {title}".lower()
                for word in words
            )
        ]

    def _name(self, batch: SessionBatch, track: int) -> str:
        fields = batch.listeners.world.catalog.describe(track)
        return f"{fields['artist']} - {fields['title'] or 'untitled'} ({fields['track']})"
