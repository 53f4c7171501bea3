"""Play sessions against a recommender in the same process, many at a time."""

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
    """The recommender quits; the sessions played so far count."""


class Recommender(Protocol):
    """Answers a batch of sessions.

    A recommender that claims not to know the true tastes reads only `listener`, `number`, `day`,
    `steps`, `track` and `time` of the batch.
    """

    def begin(self, batch: SessionBatch, slots: Indices) -> None:
        """Take note of the sessions that begin in these slots."""

    def recommend(self, batch: SessionBatch, slots: Indices) -> npt.NDArray[np.integer]:
        """Return a track for each slot, after `batch.track` was heard for `batch.time`.

        Returns:
            Catalog indices, (n,).
        """

    def end(self, batch: SessionBatch, slots: Indices) -> list[Arm]:
        """Take the last listen of sessions that have ended; return the arm of each session."""


class SessionQueue:
    """Sessions that wait to be played: in order, but one session of a listener at a time.

    So the sessions of one listener follow each other in order, whatever the number of slots,
    processes or connections.
    """

    def __init__(self, sessions: SessionPlan) -> None:
        self._listeners: list[int] = sessions.listener.tolist()
        self._next = 0
        self._busy: set[int] = set()
        self._ready: deque[int] = deque()
        self._parked: dict[int, deque[int]] = {}

    def take(self, most: int) -> list[int]:
        """Return the positions of up to `most` sessions whose listeners are free."""
        positions: list[int] = []
        while self._ready and len(positions) < most:
            positions.append(self._ready.popleft())
        while len(positions) < most and self._next < len(self._listeners):
            position, self._next = self._next, self._next + 1
            listener = self._listeners[position]
            if listener in self._busy:
                self._parked.setdefault(listener, deque()).append(position)
            else:
                self._busy.add(listener)
                positions.append(position)
        return positions

    def release(self, listener: int) -> None:
        """Free a listener whose session is over, so that their next session can begin."""
        parked = self._parked.get(listener)
        if parked is None:
            self._busy.discard(listener)
            return
        self._ready.append(parked.popleft())
        if not parked:
            del self._parked[listener]


class InProcessRunner:
    """Plays sessions against a recommender in this process.

    Args:
        listeners: The model that plays.
        recommender: The recommender that answers.
        slots: Sessions under way at once, a count; changes no result.
        max_steps: Recommendations after which a session is truncated.
        keep_truth: Whether to keep the truth log.
    """

    def __init__(
        self,
        listeners: ListenerModel,
        recommender: Recommender,
        slots: int = SLOTS,
        max_steps: int = MAX_STEPS,
        keep_truth: bool = False,
    ) -> None:
        self._batch = SessionBatch(listeners, slots, max_steps)
        self._recommender = recommender
        self._keep_truth = keep_truth

    def play(
        self,
        sessions: SessionPlan,
        advance: Callable[[int], object] = abs,  # of no effect
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Outcome:
        """Play all sessions to their end, or until `should_stop`."""
        batch = self._batch
        recorder = SessionRecorder()
        truth = TruthLog() if self._keep_truth else None
        with suppress(Stopped):
            for slots, truncated in _steps(batch, sessions, self._recommender, should_stop):
                arms = self._recommender.end(batch, slots)
                batch.end(slots)
                recorder.add(batch, slots, truncated, arms)
                if truth is not None:
                    truth.add(batch, slots, truncated, arms)
                advance(len(slots))
        return Outcome(
            recorder.table(),
            requests=recorder.steps,
            unfinished=len(sessions) - recorder.sessions,
            truth=truth.lines if truth is not None else {},
        )

    def close(self) -> None:
        """Nothing to close."""


def _steps(
    batch: SessionBatch,
    sessions: SessionPlan,
    recommender: Recommender,
    should_stop: Callable[[], bool],
) -> Iterator[tuple[Indices, npt.NDArray[np.bool_]]]:
    """Step until nothing is left; yield the slots of ended sessions, and which were truncated."""
    queue = SessionQueue(sessions)
    free = np.arange(batch.slots)
    under_way = np.empty(0, dtype=np.int64)
    while not should_stop():
        positions = np.array(queue.take(len(free)), dtype=np.int64)
        if len(positions):
            slots, free = free[: len(positions)], free[len(positions) :]
            batch.begin(slots, sessions.rows(positions))
            recommender.begin(batch, slots)
            under_way = np.sort(np.concatenate([under_way, slots]))
        if not len(under_way):
            return
        step = batch.listen(under_way, recommender.recommend(batch, under_way))
        over = step.ended | step.truncated
        if over.any():
            ended = under_way[over]
            yield ended, step.truncated[over]
            for listener in batch.listener[ended].tolist():
                queue.release(listener)
            under_way = under_way[~over]
            free = np.concatenate([free, ended])
