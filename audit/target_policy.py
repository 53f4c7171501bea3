"""What another strategy would have proposed at a moment of the log."""

from typing import Any

from audit.replay import Event
from core.candidates import Candidates
from core.errors import InputError, unknown_name
from core.listener import History, Listener
from engine.runtime import Runtime


class TargetPolicy:
    """A strategy with its chain, asked about listeners of the past.

    Args:
        runtime: The config that has it.
        strategy: Its name.

    Raises:
        InputError: The config has no such strategy.
    """

    def __init__(self, runtime: Runtime, strategy: str) -> None:
        if strategy not in runtime.chains:
            raise InputError.one(
                f"{runtime.settings.path}: strategies",
                unknown_name("strategy", strategy, runtime.chains),
            )
        self.name = strategy
        self.catalog = runtime.catalog
        self._chain = runtime.chains[strategy]

    def candidates(self, history: History, event: Event) -> Candidates | None:
        """What it would have proposed; None when its whole chain abstains.

        Args:
            history: The listener's when the track was chosen; not changed.
            event: The decision that was logged.
        """
        listens = history.listens
        if history.catalog.checksum != self.catalog.checksum:
            moved = History(history.catalog)
            moved.listens = listens[:]
            moved.move_to(self.catalog)
            listens = moved.listens
        listener = Listener(str(event["user"]), listens, history.session_start, history.turn)
        excluded: Any = event.get("exclude")
        for _, propose in self._chain.members:
            candidates = propose(listener)
            if candidates is not None and excluded:
                candidates = candidates.without({self.catalog.index_of(t) for t in excluded})
            if candidates is not None:
                return candidates
        return None

    def chance(self, candidates: Candidates | None, track: int | str) -> float:
        """Chance of a track, by its id; 0 where nothing is proposed."""
        if candidates is None:
            return 0.0
        return candidates.chance_of(self.catalog.index_of(track))
