"""Playing sessions against a recommender in the same process, many at a time."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Protocol

import numpy as np
import numpy.typing as npt

from simulator.listeners.model import ListenerModel, SessionPlan
from simulator.play.ground_truth import TruthLog
from simulator.play.session_batch import MAX_STEPS, SessionBatch
from simulator.play.session_table import Arm, SessionRecorder
from simulator.play.workers import Outcome
from simulator.random_keys import Indices

SLOTS = 2048
"""Sessions under way at once: enough that numpy's overhead vanishes, few enough for the caches."""


class Stopped(Exception):
    """A recommender wants no more: what was played so far is what there is."""


class Recommender(Protocol):
    """Answers batches of sessions.

    It is given the stage that the sessions are on; one that claims to work without knowing the
    listeners' minds reads of it `listener`, `number`, `steps`, `track` and `time` only.
    """

    def begin(self, stage: SessionBatch, slots: Indices) -> None:
        """Sessions have begun in these slots."""

    def recommend(self, stage: SessionBatch, slots: Indices) -> npt.NDArray[np.integer]:
        """A track for each slot, after `stage.track` was heard for `stage.time`.

        Returns:
            Catalog indices, (n,).
        """

    def end(self, stage: SessionBatch, slots: Indices) -> list[Arm]:
        """Sessions have ended, their last listen is in the stage; says who answered in each."""


class SessionQueue:
    """Visits that wait to be played: in order, but one session of a listener at a time.

    So a listener's sessions follow each other in the order of the visits, whatever the number of
    slots, processes or connections.
    """

    def __init__(self, visits: SessionPlan) -> None:
        self._listeners: list[int] = visits.listener.tolist()
        self._next = 0
        self._busy: set[int] = set()
        self._ready: deque[int] = deque()
        self._parked: dict[int, deque[int]] = {}

    def take(self, most: int) -> list[int]:
        """Up to `most` visits, by their position, whose listeners are free."""
        taken: list[int] = []
        while self._ready and len(taken) < most:
            taken.append(self._ready.popleft())
        while len(taken) < most and self._next < len(self._listeners):
            visit, self._next = self._next, self._next + 1
            listener = self._listeners[visit]
            if listener in self._busy:
                self._parked.setdefault(listener, deque()).append(visit)
            else:
                self._busy.add(listener)
                taken.append(visit)
        return taken

    def done(self, listener: int) -> None:
        """A listener's session is over, so that the next of theirs may begin."""
        parked = self._parked.get(listener)
        if parked is None:
            self._busy.discard(listener)
            return
        self._ready.append(parked.popleft())
        if not parked:
            del self._parked[listener]


class InProcessRunner:
    """Plays visits against a recommender in this process.

    Args:
        listeners: Who comes.
        recommender: What answers them.
        slots: Sessions under way at once, a count; changes no result.
        max_steps: Recommendations after which a session is truncated.
        keep_truth: Whether to gather the truth log.
    """

    def __init__(
        self,
        listeners: ListenerModel,
        recommender: Recommender,
        slots: int = SLOTS,
        max_steps: int = MAX_STEPS,
        keep_truth: bool = False,
    ) -> None:
        self._stage = SessionBatch(listeners, slots, max_steps)
        self._recommender = recommender
        self._keep_truth = keep_truth

    def play(
        self,
        visits: SessionPlan,
        advanced: Callable[[int], object] = abs,  # of no effect
        stopped: Callable[[], bool] = lambda: False,
    ) -> Outcome:
        """Play all visits to their end, or until `stopped`."""
        stage = self._stage
        record = SessionRecorder()
        truth = TruthLog() if self._keep_truth else None
        with suppress(Stopped):
            for ended, truncated in _steps(stage, visits, self._recommender, stopped):
                names = self._recommender.end(stage, ended)
                stage.end(ended)
                record.add(stage, ended, truncated, names)
                if truth is not None:
                    truth.add(stage, ended, truncated, names)
                advanced(len(ended))
        return Outcome(
            record.played(),
            asked=record.steps,
            unfinished=len(visits) - record.sessions,
            truth=truth.lines if truth is not None else {},
        )

    def close(self) -> None:
        """Nothing to close."""


def _steps(
    stage: SessionBatch, visits: SessionPlan, recommender: Recommender, stopped: Callable[[], bool]
) -> Iterator[tuple[Indices, npt.NDArray[np.bool_]]]:
    """Step until nothing is left; yields the slots whose sessions ended, and which were cut off."""
    queue = SessionQueue(visits)
    free = np.arange(stage.slots)
    under_way = np.empty(0, dtype=np.int64)
    while not stopped():
        taken = np.array(queue.take(len(free)), dtype=np.int64)
        if len(taken):
            begun, free = free[: len(taken)], free[len(taken) :]
            stage.begin(begun, visits.rows(taken))
            recommender.begin(stage, begun)
            under_way = np.sort(np.concatenate([under_way, begun]))
        if not len(under_way):
            return
        heard = stage.hear(under_way, recommender.recommend(stage, under_way))
        over = heard.ended | heard.truncated
        if over.any():
            ended = under_way[over]
            yield ended, heard.truncated[over]
            for listener in stage.listener[ended].tolist():
                queue.done(listener)
            under_way = under_way[~over]
            free = np.concatenate([free, ended])
