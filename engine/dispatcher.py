"""The request's way: what was heard -> the arm -> candidates -> a track -> the event -> the answer.

`decide` is the whole of it, and pure but for the history that it is given: the server, `replay`
and the simulator's in-process mode all call this one function. `Dispatcher` adds what lives: the
histories, the event log, the ids and the clock. Nothing in here awaits, so two requests of one
listener never mingle.
"""

import secrets
from collections.abc import Callable, Mapping
from itertools import count
from time import perf_counter

from app.requests import Heard, Recommend
from core.allocation import Assignment
from core.catalog import TrackId
from core.decision import Decision, Feedback
from core.draw import draw
from core.errors import Exhausted, UndeclaredAnswer
from core.listener import History, Listener, pack
from core.rng import Stream
from engine.metrics import Meters
from engine.runtime import Serving
from engine.state import StateStore
from events.writer import EventWriter

Before = tuple[int, str, int, int, bool, int | None]
"""What `undo` needs: session_start, session, turn and seen_ms as they were, whether a listen came
in, and the listen that went out for it."""


def begin(
    serving: Serving,
    history: History,
    track: TrackId | None,
    time: float | None,
    at_ms: int,
    id: str,  # noqa: A002
) -> Before:
    """Begin a turn: close a session that fell silent, take in what was heard, open one if none is.

    Args:
        serving: What decides.
        history: The listener's; it is changed.
        track: What they heard; None on a first visit.
        time: Share of it that was heard.
        at_ms: Unix time in ms.
        id: Of the turn.

    Returns:
        What takes the turn back, by `undo`.
    """
    if history.catalog is not serving.catalog:
        history.move_to(serving.catalog)
    start = history.session_start
    session, turn, seen_ms = history.session, history.turn, history.seen_ms
    if session and at_ms - seen_ms > serving.session_gap_ms:
        history.end_session()
    heard = False
    dropped: int | None = None
    if track is not None and time is not None:
        listens = history.listens
        if len(listens) >= serving.history:
            # One out before one in; more only after a reload with a shorter history.
            history.trim(serving.history)
            dropped = listens.pop(0)
            history.session_start = max(0, history.session_start - 1)
        listens.append(pack(serving.catalog.index_of(track), time))
        heard = True
    if not history.session:
        history.session = id
    history.turn = turn + 1
    history.seen_ms = at_ms
    return start, session, turn, seen_ms, heard, dropped


def undo(history: History, before: Before) -> None:
    """Take a turn back: the request was not answered, so it must have changed nothing."""
    start, session, turn, seen_ms, heard, dropped = before
    if heard:
        history.listens.pop()
        if dropped is not None:
            history.listens.insert(0, dropped)
    history.session_start, history.session, history.turn, history.seen_ms = (
        start,
        session,
        turn,
        seen_ms,
    )


def assign(
    serving: Serving,
    ask: Recommend | Heard,
    forced: Mapping[str, str] | None,
    history: History | None = None,
) -> Assignment:
    """The one place where a request's arms are computed.

    Where neither attributes nor a tester have a say they are a function of the listener's id, so
    the listener's `history` keeps them, until another allocation serves.
    """
    keeper = history if forced is None and ask.attributes is None else None
    if keeper is not None and keeper.allocation is serving.allocation:
        known = keeper.assignment
        if known is not None:
            return known
    assignment = serving.allocation.assign(str(ask.user), ask.attributes, forced)
    if keeper is not None:
        keeper.allocation, keeper.assignment = serving.allocation, assignment
    return assignment


def enters(serving: Serving, history: History, assignment: Assignment) -> bool:
    """Whether the listener is in an experiment that the history has not grown under.

    A tester with a forced arm enters nothing.
    """
    lineages, grown = serving.lineages, history.grown_under
    for name in assignment.arms:  # a loop and not any(): this is asked at every turn
        if lineages[name] not in grown:
            return not assignment.forced
    return False


def decide(
    serving: Serving,
    history: History,
    ask: Recommend,
    assignment: Assignment,
    id: str,  # noqa: A002
    at_ms: int,
    key: str | None = None,
) -> Decision:
    """Answer a turn of a history that has already taken in what was heard.

    Args:
        serving: What decides.
        history: The listener's, after `begin`.
        ask: The request.
        assignment: The listener's arms.
        id: Of the decision.
        at_ms: Unix time in ms.
        key: The request's idempotency key.

    Raises:
        Exhausted: The request's exclusions leave nothing to play.
        UndeclaredAnswer: A strategy named a source that the arm does not declare.
    """
    unit = str(ask.user)
    strategy = assignment.strategy or serving.default
    chain = serving.chains[strategy]
    notes: list[str] | None = [] if ask.explain else None
    listener = Listener(unit, history.listens, history.session_start, history.turn, notes)
    excluded = {serving.catalog.index_of(track) for track in ask.exclude} if ask.exclude else ()
    why: list[str] | None = [] if ask.explain else None
    for depth, (name, propose) in enumerate(chain.members):  # noqa: B007 (used after the loop)
        candidates = propose(listener)
        if candidates is not None and excluded:
            candidates = candidates.without(excluded)
        if why is not None and notes is not None:
            outcome = [] if candidates is not None else ["abstained"]
            why.extend(f"{name}: {reason}" for reason in [*notes, *outcome])
            notes.clear()
        if candidates is not None:
            break
    else:
        raise Exhausted(f"every strategy of '{strategy}' abstained or was excluded")
    answered_by = candidates.source or name
    if answered_by not in chain.declared:
        raise UndeclaredAnswer(
            f"strategy '{name}' says that '{answered_by}' answered, which '{strategy}' does not "
            f"declare. Declared: {', '.join(sorted(chain.declared))}"
        )
    tracks, propensity = draw(candidates, Stream(seed_of(id, unit, key)), ask.n)
    ids = serving.catalog.ids
    if why is not None:
        why.append(f"drawn from {len(candidates)} candidates, chance {propensity:.4g}")
    # By position: 22 names would cost three times as much, 1 us of the request.
    return Decision(
        id,
        ask.user,
        ask.track,
        ask.time,
        at_ms,
        history.session,
        history.turn,
        assignment,
        serving.digest,
        0.0,  # latency_s, known when the event is written
        ask.attributes,
        key,
        False,  # reset
        [ids[track] for track in tracks],
        strategy,
        answered_by,
        depth,
        candidates.size,
        propensity,
        ask.n,
        ask.exclude,
        why,
    )


def seed_of(id: str, unit: str, key: str | None) -> str:  # noqa: A002
    """Name of the draw's stream: the decision's id, or what a retry of the request would share."""
    return id if key is None else f"{unit}\0{key}"


class Dispatcher:
    """Takes requests, keeps histories, writes the log.

    Args:
        serving: What decides, until another is to `serve`.
        state: The listeners' histories.
        log: The event log.
        meters: What is counted.
        now_ms: Unix time in ms.

    Attributes:
        since_ms: When it was made, Unix time in ms.
    """

    def __init__(
        self,
        serving: Serving,
        state: StateStore,
        log: EventWriter,
        meters: Meters,
        now_ms: Callable[[], int],
    ) -> None:
        self.state = state
        self.log = log
        self.meters = meters
        self.since_ms = now_ms()
        self._now_ms = now_ms
        # Listeners of the same experiments share one set, so that it costs them a pointer each.
        self._grown: dict[frozenset[str], frozenset[str]] = {}
        self.serve(serving)
        # Unique without a look-up: 48 random bits for this process, then a count.
        self._id_stem = secrets.token_hex(6)
        self._ids = count(1)

    def serve(self, serving: Serving) -> None:
        """Decide the next request by this."""
        self.meters.began(serving)
        self.serving = serving

    def recommend(
        self,
        ask: Recommend,
        arrived_s: float,
        key: str | None = None,
        forced: Mapping[str, str] | None = None,
    ) -> Decision:
        """Decide, log, remember; or raise, and nothing has changed.

        Args:
            ask: The request.
            arrived_s: When it arrived, on `perf_counter`'s clock.
            key: Its idempotency key.
            forced: Experiment -> arm that an authorised tester asks for.
        """
        serving = self.serving
        unit = str(ask.user)
        at_ms = self._now_ms()
        id = f"{self._id_stem}-{next(self._ids):x}"  # noqa: A001
        history = self.state.get(unit) or History(serving.catalog)
        assignment = assign(serving, ask, forced, history)
        entering = enters(serving, history, assignment)
        reset = entering and _forgets(serving, history)
        if reset:
            history = History(serving.catalog)
        before = begin(serving, history, ask.track, ask.time, at_ms, id)
        try:
            decision = decide(serving, history, ask, assignment, id, at_ms, key)
            decision.reset = reset
            decision.latency_s = perf_counter() - arrived_s
            self.log.append(decision)
        except BaseException:
            undo(history, before)
            raise
        self.state.keep(unit, history)
        if entering:
            self._enter(serving, history, assignment)
        self.meters.decided(decision)
        return decision

    def feedback(
        self,
        heard: Heard,
        arrived_s: float,
        key: str | None = None,
        forced: Mapping[str, str] | None = None,
    ) -> Feedback:
        """Take in what was heard, log, remember; or raise, and nothing has changed."""
        serving = self.serving
        unit = str(heard.user)
        at_ms = self._now_ms()
        id = f"{self._id_stem}-{next(self._ids):x}"  # noqa: A001
        history = self.state.get(unit) or History(serving.catalog)
        assignment = assign(serving, heard, forced, history)
        entering = enters(serving, history, assignment)
        reset = entering and _forgets(serving, history)
        if reset:
            history = History(serving.catalog)
        before = begin(serving, history, heard.track, heard.time, at_ms, id)
        try:
            turn = Feedback(
                id=id,
                user=heard.user,
                track=heard.track,
                time=heard.time,
                at_ms=at_ms,
                session=history.session,
                number=history.turn,
                assignment=assignment,
                config=serving.digest,
                latency_s=perf_counter() - arrived_s,
                attributes=heard.attributes,
                key=key,
                reset=reset,
                final=heard.final,
            )
            self.log.append(turn)
        except BaseException:
            undo(history, before)
            raise
        if heard.final:
            history.end_session()
        self.state.keep(unit, history)
        if entering:
            self._enter(serving, history, assignment)
        return turn

    def _enter(self, serving: Serving, history: History, assignment: Assignment) -> None:
        """Count the listener in the arms entered; the history grows under them from now on."""
        lineages = serving.lineages
        for name, arm in assignment.arms.items():
            if lineages[name] not in history.grown_under:
                self.meters.entered(lineages[name], arm)
        grown = history.grown_under.union(lineages[name] for name in assignment.arms)
        history.grown_under = self._grown.setdefault(grown, grown)


def _forgets(serving: Serving, history: History) -> bool:
    """Whether a history that enters an experiment is to be started afresh, and is not fresh yet."""
    return history.turn > 0 and serving.settings.state.reset_state_on_new_experiment
