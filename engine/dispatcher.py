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

from app.requests import FeedbackRequest, RecommendRequest
from core.allocation import Assignment
from core.catalog import TrackId
from core.decision import Decision, Feedback
from core.draw import draw
from core.errors import NoCandidatesLeft, UndeclaredAnswer
from core.listener import History, Listener, pack
from core.rng import Stream
from engine.metrics import ServerMetrics
from engine.runtime import Runtime
from engine.state import StateStore
from events.writer import EventWriter

TurnBefore = tuple[int, str, int, int, bool, int | None]
"""What `rollback_turn` needs: session_start, session, turn and seen_ms as they were, whether a
listen came in, and the listen that went out for it."""


def start_turn(
    runtime: Runtime,
    history: History,
    track: TrackId | None,
    time: float | None,
    at_ms: int,
    id: str,  # noqa: A002
) -> TurnBefore:
    """Begin a turn: close a session that fell silent, take in what was heard, open one if none is.

    Args:
        runtime: What decides.
        history: The listener's; it is changed.
        track: What they heard; None on a first visit.
        time: Share of it that was heard.
        at_ms: Unix time in ms.
        id: Of the turn.

    Returns:
        What takes the turn back, by `rollback_turn`.
    """
    if history.catalog is not runtime.catalog:
        history.move_to(runtime.catalog)
    start = history.session_start
    session, turn, seen_ms = history.session, history.turn, history.seen_ms
    if session and at_ms - seen_ms > runtime.session_gap_ms:
        history.end_session()
    heard = False
    dropped: int | None = None
    if track is not None and time is not None:
        listens = history.listens
        if len(listens) >= runtime.history:
            # One out before one in; more only after a reload with a shorter history.
            history.trim(runtime.history)
            dropped = listens.pop(0)
            history.session_start = max(0, history.session_start - 1)
        listens.append(pack(runtime.catalog.index_of(track), time))
        heard = True
    if not history.session:
        history.session = id
    history.turn = turn + 1
    history.seen_ms = at_ms
    return start, session, turn, seen_ms, heard, dropped


def rollback_turn(history: History, before: TurnBefore) -> None:
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
    runtime: Runtime,
    ask: RecommendRequest | FeedbackRequest,
    forced: Mapping[str, str] | None,
    history: History | None = None,
) -> Assignment:
    """The one place where a request's arms are computed.

    Where neither attributes nor a tester have a say they are a function of the listener's id, so
    the listener's `history` keeps them, until another allocation serves.
    """
    keeper = history if forced is None and ask.attributes is None else None
    if keeper is not None and keeper.allocation is runtime.allocation:
        known = keeper.assignment
        if known is not None:
            return known
    assignment = runtime.allocation.assign(str(ask.user), ask.attributes, forced)
    if keeper is not None:
        keeper.allocation, keeper.assignment = runtime.allocation, assignment
    return assignment


def newly_exposed(runtime: Runtime, history: History, assignment: Assignment) -> bool:
    """Whether the listener is in an experiment that the history has not grown under.

    A tester with a forced arm enters nothing.
    """
    fingerprints, grown = runtime.fingerprints, history.exposed_experiments
    for name in assignment.arms:  # a loop and not any(): this is asked at every turn
        if fingerprints[name] not in grown:
            return not assignment.forced
    return False


def decide(
    runtime: Runtime,
    history: History,
    ask: RecommendRequest,
    assignment: Assignment,
    id: str,  # noqa: A002
    at_ms: int,
    key: str | None = None,
) -> Decision:
    """Answer a turn of a history that has already taken in what was heard.

    Args:
        runtime: What decides.
        history: The listener's, after `start_turn`.
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
    strategy = assignment.strategy or runtime.default
    chain = runtime.chains[strategy]
    notes: list[str] | None = [] if ask.explain else None
    listener = Listener(unit, history.listens, history.session_start, history.turn, notes)
    excluded = {runtime.catalog.index_of(track) for track in ask.exclude} if ask.exclude else ()
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
        raise NoCandidatesLeft(f"every strategy of '{strategy}' abstained or was excluded")
    answered_by = candidates.source or name
    if answered_by not in chain.declared:
        raise UndeclaredAnswer(
            f"strategy '{name}' says that '{answered_by}' answered, which '{strategy}' does not "
            f"declare. Declared: {', '.join(sorted(chain.declared))}"
        )
    tracks, propensity = draw(candidates, Stream(seed_of(id, unit, key)), ask.n)
    ids = runtime.catalog.ids
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
        runtime.digest,
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
        runtime: What decides, until another is to `serve`.
        state: The listeners' histories.
        log: The event log.
        metrics: What is counted.
        now_ms: Unix time in ms.

    Attributes:
        since_ms: When it was made, Unix time in ms.
    """

    def __init__(
        self,
        runtime: Runtime,
        state: StateStore,
        log: EventWriter,
        metrics: ServerMetrics,
        now_ms: Callable[[], int],
    ) -> None:
        self.state = state
        self.log = log
        self.metrics = metrics
        self.since_ms = now_ms()
        self._now_ms = now_ms
        # Listeners of the same experiments share one set, so that it costs them a pointer each.
        self._grown: dict[frozenset[str], frozenset[str]] = {}
        self.serve(runtime)
        # Unique without a look-up: 48 random bits for this process, then a count.
        self._id_stem = secrets.token_hex(6)
        self._ids = count(1)

    def serve(self, runtime: Runtime) -> None:
        """Decide the next request by this."""
        self.metrics.began(runtime)
        self.runtime = runtime

    def recommend(
        self,
        ask: RecommendRequest,
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
        runtime = self.runtime
        unit = str(ask.user)
        at_ms = self._now_ms()
        id = f"{self._id_stem}-{next(self._ids):x}"  # noqa: A001
        history = self.state.get(unit) or History(runtime.catalog)
        assignment = assign(runtime, ask, forced, history)
        entering = newly_exposed(runtime, history, assignment)
        reset = entering and _forgets(runtime, history)
        if reset:
            history = History(runtime.catalog)
        before = start_turn(runtime, history, ask.track, ask.time, at_ms, id)
        try:
            decision = decide(runtime, history, ask, assignment, id, at_ms, key)
            decision.reset = reset
            decision.latency_s = perf_counter() - arrived_s
            self.log.append(decision)
        except BaseException:
            rollback_turn(history, before)
            raise
        self.state.keep(unit, history)
        if entering:
            self._enter(runtime, history, assignment)
        self.metrics.decided(decision)
        return decision

    def feedback(
        self,
        heard: FeedbackRequest,
        arrived_s: float,
        key: str | None = None,
        forced: Mapping[str, str] | None = None,
    ) -> Feedback:
        """Take in what was heard, log, remember; or raise, and nothing has changed."""
        runtime = self.runtime
        unit = str(heard.user)
        at_ms = self._now_ms()
        id = f"{self._id_stem}-{next(self._ids):x}"  # noqa: A001
        history = self.state.get(unit) or History(runtime.catalog)
        assignment = assign(runtime, heard, forced, history)
        entering = newly_exposed(runtime, history, assignment)
        reset = entering and _forgets(runtime, history)
        if reset:
            history = History(runtime.catalog)
        before = start_turn(runtime, history, heard.track, heard.time, at_ms, id)
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
                config=runtime.digest,
                latency_s=perf_counter() - arrived_s,
                attributes=heard.attributes,
                key=key,
                reset=reset,
                final=heard.final,
            )
            self.log.append(turn)
        except BaseException:
            rollback_turn(history, before)
            raise
        if heard.final:
            history.end_session()
        self.state.keep(unit, history)
        if entering:
            self._enter(runtime, history, assignment)
        return turn

    def _enter(self, runtime: Runtime, history: History, assignment: Assignment) -> None:
        """Count the listener in the arms entered; the history grows under them from now on."""
        fingerprints = runtime.fingerprints
        for name, arm in assignment.arms.items():
            if fingerprints[name] not in history.exposed_experiments:
                self.metrics.entered(fingerprints[name], arm)
        grown = history.exposed_experiments.union(fingerprints[name] for name in assignment.arms)
        history.exposed_experiments = self._grown.setdefault(grown, grown)


def _forgets(runtime: Runtime, history: History) -> bool:
    """Whether a history that enters an experiment is to be started afresh, and is not fresh yet."""
    return history.turn > 0 and runtime.settings.state.reset_state_on_new_experiment
