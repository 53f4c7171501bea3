"""Target policy: the candidates that a strategy would have proposed at a turn of the log."""

from typing import Any

from audit.replay import Event
from core.candidates import Candidates
from core.draw import FinalDraw, as_drawn
from core.errors import InputError, unknown_name
from core.listener import History, Listener
from engine.runtime import Runtime


class TargetPolicy:
    """A strategy and its chain, applied to listeners as they were.

    Args:
        runtime: The config that has it.
        strategy: Its name.
        draw: Draw at the end of its chain, as an arm may have one.

    Raises:
        InputError: The config has no such strategy.
    """

    def __init__(self, runtime: Runtime, strategy: str, draw: FinalDraw | None = None) -> None:
        if strategy not in runtime.chains:
            raise InputError.one(
                f"{runtime.settings.path}: strategies",
                unknown_name("strategy", strategy, runtime.chains),
            )
        self.name = strategy
        self.catalog = runtime.catalog
        self._draw = draw
        self._members = runtime.chains[strategy].asked(draw)

    def candidates(self, history: History, event: Event) -> Candidates | None:
        """Propose for a logged decision; None if the whole chain abstains.

        Args:
            history: The listener's history when the track was drawn; it does not change.
            event: The logged decision.
        """
        listens = history.listens
        if history.catalog.checksum != self.catalog.checksum:
            moved = History(history.catalog)
            moved.listens = listens[:]
            moved.move_to(self.catalog)
            listens = moved.listens
        listener = Listener(
            str(event["user"]),
            listens,
            history.session_start,
            history.turn,
            conditions=event.get("filter") or {},
        )
        excluded: Any = event.get("exclude")
        for _, propose in self._members:
            candidates = propose(listener)
            if candidates is not None and excluded:
                candidates = candidates.without({self.catalog.index_of(t) for t in excluded})
            if candidates is not None:
                return candidates if self._draw is None else as_drawn(self._draw, candidates)
        return None

    def propensity_of(self, candidates: Candidates | None, track: int | str) -> float:
        """Return the propensity of a track, by its id; 0 if there are no candidates."""
        if candidates is None:
            return 0.0
        return candidates.chance_of(self.catalog.index_of(track))
