"""One turn: hear, ask the arm's chain, draw. This module alone has the order of a turn.

A turn changes nothing but the listener's history. The server, replay, explanations and the
simulator's in-process recommender all call `take_turn`.
"""

from collections.abc import Collection, Mapping
from time import perf_counter
from typing import Protocol, overload

from core.allocation import Assignment
from core.candidates import Candidates
from core.catalog import UNKNOWN, TrackId
from core.decision import Decision, Feedback
from core.draw import draw, draw_as
from core.errors import (
    InvalidCandidates,
    InvalidFilter,
    NoCandidatesLeft,
    StrategiesFailed,
    UndeclaredAnswer,
    failure_name,
    unknown_name,
)
from core.listener import History, Listener, pack
from core.request import ListenReport, Request, TurnInput
from core.rng import Stream
from core.track_fields import Where, fault_of
from engine.runtime import Chain, Runtime

_MOST_LIKELY = 1.000001
"""Bound of a propensity: a sum of shares may be above 1 by rounding."""
Before = tuple[int, str, int, int, bool, int | None]
"""The state before a turn, for `rollback_turn`: session_start, session, turn, seen_ms, whether the
turn added a listen, and the listen that it removed for that."""


class Watch(Protocol):
    """The server's look at proposals: `engine.proposals.ProposalWatch`.

    Attributes:
        meters: By strategy: a list for the times that it took, s, and the time above which `look`
            is to be called.
    """

    meters: Mapping[str, tuple[list[float], float]]

    def look(self, name: str, candidates: Candidates | None, took_s: float) -> None:
        """Look at a proposal; an exception discards it."""

    def failed(self, name: str, error: BaseException, decision: str) -> None:
        """Hear that a member failed."""


@overload
def take_turn(
    runtime: Runtime,
    history: History,
    sent: Request,
    assignment: Assignment,
    decision_id: str,
    at_ms: int,
    key: str | None = None,
    skip: Collection[str] = (),
    watch: Watch | None = None,
) -> tuple[Decision, Before]: ...


@overload
def take_turn(
    runtime: Runtime,
    history: History,
    sent: ListenReport,
    assignment: Assignment,
    decision_id: str,
    at_ms: int,
    key: str | None = None,
    skip: Collection[str] = (),
    watch: Watch | None = None,
) -> tuple[Feedback, Before]: ...


def take_turn(
    runtime: Runtime,
    history: History,
    sent: Request | ListenReport,
    assignment: Assignment,
    decision_id: str,
    at_ms: int,
    key: str | None = None,
    skip: Collection[str] = (),
    watch: Watch | None = None,
) -> tuple[Decision | Feedback, Before]:
    """Take one turn of a listener; if the turn fails, the history is as it was before.

    Args:
        runtime: The runtime that decides.
        history: The listener's history; the turn changes it.
        sent: The client's request or report.
        assignment: The listener's arms.
        decision_id: Id of the turn.
        at_ms: Unix time in ms.
        key: The request's idempotency key.
        skip: Members of the chain that failed when the turn was decided; replay does not ask them.
        watch: Measures the members, and hears who failed; a server has one.

    Returns:
        The turn, and the state by which `rollback_turn` takes it back.

    Raises:
        InvalidFilter: No strategy reads the request's filter, or the catalog lacks its field.
        NoCandidatesLeft: The request's exclusions leave no track to play.
        StrategiesFailed: A strategy raised, and no strategy after it answered.
    """
    before = start_turn(runtime, history, sent.track, sent.time, at_ms, decision_id)
    try:
        # Not through `answer_turn`: the call with its nine arguments costs 1 % of a request.
        if isinstance(sent, Request):
            return (
                _decide(runtime, history, sent, assignment, decision_id, at_ms, key, skip, watch),
                before,
            )
        turn = _take_report(runtime, history, sent, assignment, decision_id, at_ms, key)
    except BaseException:
        rollback_turn(history, before)
        raise
    return turn, before


def answer_turn(
    runtime: Runtime,
    history: History,
    sent: Request | ListenReport,
    assignment: Assignment,
    decision_id: str,
    at_ms: int,
    key: str | None = None,
    skip: Collection[str] = (),
    watch: Watch | None = None,
) -> Decision | Feedback:
    """Answer a turn that was started: by `start_turn`, or by the script of the shared state.

    Args:
        runtime: The runtime that decides.
        history: The history with the turn's listen; a final report ends its session.
        sent: The client's request or report.
        assignment: The listener's arms.
        decision_id: Id of the turn.
        at_ms: Unix time in ms.
        key: The request's idempotency key.
        skip: Members of the chain that a replay does not ask.
        watch: Measures the members, and hears who failed; a server has one.

    Raises:
        NoCandidatesLeft: The request's exclusions leave no track to play.
        StrategiesFailed: A strategy raised, and no strategy after it answered.
    """
    if isinstance(sent, Request):
        return _decide(runtime, history, sent, assignment, decision_id, at_ms, key, skip, watch)
    return _take_report(runtime, history, sent, assignment, decision_id, at_ms, key)


def _take_report(
    runtime: Runtime,
    history: History,
    sent: ListenReport,
    assignment: Assignment,
    decision_id: str,
    at_ms: int,
    key: str | None,
) -> Feedback:
    """Make the feedback of a report; a final one ends the session."""
    feedback = Feedback(
        decision_id,
        sent.user,
        sent.track,
        sent.time,
        at_ms,
        history.session,
        history.turn,
        assignment,
        runtime.digest,
        attributes=sent.attributes,
        key=key,
        final=sent.final,
    )
    if sent.final:
        history.end_session()
    return feedback


def start_turn(
    runtime: Runtime,
    history: History,
    track: TrackId | None,
    time: float | None,
    at_ms: int,
    decision_id: str,
) -> Before:
    """Start a turn: end a silent session, take in the listen, open a session.

    Args:
        runtime: The runtime that decides.
        history: The listener's history; the turn changes it.
        track: Track that the listener heard; None on a first visit.
        time: Share of it that was heard.
        at_ms: Unix time in ms.
        decision_id: Id of the turn; the first turn's id names the session.

    Returns:
        The state by which `rollback_turn` takes the turn back.
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
            # One goes before one comes; more go only after a reload with a shorter history.
            history.trim(runtime.history)
            dropped = listens.pop(0)
            history.session_start = max(0, history.session_start - 1)
        listens.append(pack(runtime.catalog.index_of(track), time))
        heard = True
    if not history.session:
        history.session = decision_id
    history.turn = turn + 1
    history.seen_ms = at_ms
    return start, session, turn, seen_ms, heard, dropped


def rollback_turn(history: History, before: Before) -> None:
    """Take a turn back: a request without an answer must change nothing."""
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


def is_repeated_end(runtime: Runtime, history: History, sent: TurnInput, at_ms: int) -> bool:
    """Test whether a report ends the session that the listener's last turn has ended already.

    A client that does not get its answer sends the end again. As a turn, that would be a session of
    its own, without a recommendation. Nothing is kept for this test: an end is the only turn that
    leaves no session open, and its listen is the newest.

    Args:
        runtime: The runtime that decides; the same after its session gap is a new report.
        history: The listener's history.
        sent: What the client sends.
        at_ms: Unix time in ms.
    """
    if history.session or not history.listens or sent.track is None or sent.time is None:
        return False
    if not isinstance(sent, ListenReport) or not sent.final:
        return False
    track = history.catalog.index_of(sent.track)
    # Unknown tracks are all alike in a history, so they may be different ones.
    return (
        track != UNKNOWN
        and history.listens[-1] == pack(track, sent.time)
        and at_ms - history.seen_ms <= runtime.session_gap_ms
    )


def seed_of(decision_id: str, user: str, key: str | None) -> str:
    """Name the draw's stream: by the decision's id, or by user and key, which a retry has too."""
    return decision_id if key is None else f"{user}\0{key}"


def _decide(
    runtime: Runtime,
    history: History,
    request: Request,
    assignment: Assignment,
    decision_id: str,
    at_ms: int,
    key: str | None,
    skip: Collection[str],
    watch: Watch | None,
) -> Decision:
    """Decide for a history that has already taken in the listen.

    If a member of the chain raises, is late, or proposes faulty candidates, the chain continues as
    if it had abstained; the decision names it.
    """
    user = str(request.user)
    strategy, mode = assignment.strategy, assignment.draw
    if strategy is None:
        strategy, mode = runtime.default, runtime.default_draw
    chain = runtime.chains[strategy]
    notes: list[str] | None = [] if request.explain else None
    why: list[str] | None = [] if request.explain else None
    listener = Listener(user, history.listens, history.session_start, history.turn, notes)
    if request.filter:
        check_filter(runtime, request.filter)
        listener.filter = request.filter
    excluded = frozenset(map(runtime.catalog.index_of, request.exclude)) if request.exclude else ()
    stream_name = decision_id if key is None else seed_of(decision_id, user, key)
    ids = runtime.catalog.ids
    failed: list[dict[str, str]] = []
    members = chain.members if mode is None else chain.asked(mode)
    for depth, (name, propose) in enumerate(members):  # noqa: B007 (used after the loop)
        if name in skip:
            continue
        try:
            if watch is None:
                candidates = propose(listener)
            else:  # inline: as a function of its own it would cost 2 % of the request
                times, look_from_s = watch.meters[name]
                began_s = perf_counter()
                candidates = propose(listener)
                took_s = perf_counter() - began_s
                times.append(took_s)
                if took_s > look_from_s:
                    watch.look(name, candidates, took_s)
            if candidates is not None and excluded:
                candidates = candidates.without(excluded)
            if why is not None and notes is not None:
                _explain_member(name, notes, candidates, why)
            if candidates is None:
                continue
            answered_by = candidates.source or name
            if answered_by not in chain.declared:
                raise UndeclaredAnswer(_undeclared(name, answered_by, strategy, chain))
            stream = Stream(stream_name)
            if mode is None:
                drawn, propensity = draw(candidates, stream, request.n)
            else:
                candidates, drawn, propensity = draw_as(mode, candidates, stream, request.n)
            if len(drawn) == 1 and drawn[0] >= 0 and 0.0 < propensity < _MOST_LIKELY:
                tracks = [ids[drawn[0]]]  # most turns: no call, no loop
            else:
                _check_drawn(drawn, propensity)
                tracks = [ids[track] for track in drawn]
        except (Exception, SystemExit) as error:  # a SystemExit would end the server
            failed.append({"strategy": name, "error": failure_name(error)})
            if why is not None:
                why.append(f"{name}: failed with {failure_name(error)}: {error}")
            if watch is not None:
                watch.failed(name, error, decision_id)
        else:
            break
    else:
        if failed:
            raise StrategiesFailed(strategy, failed)
        raise NoCandidatesLeft(
            f"no track is left: each strategy of '{strategy}' abstained or proposed only excluded "
            "tracks"
        )
    if why is not None:
        how = "" if mode is None else f", draw: {mode}"
        why.append(f"drawn from {len(candidates)} candidates{how}, propensity {propensity:.4g}")
    # Positional: 23 keyword arguments would cost three times as much, 1 us of the request.
    return Decision(
        decision_id,
        request.user,
        request.track,
        request.time,
        at_ms,
        history.session,
        history.turn,
        assignment,
        runtime.digest,
        0.0,  # latency_s, known when the event is written
        request.attributes,
        key,
        False,  # reset
        False,  # degraded
        tracks,
        strategy,
        answered_by,
        depth,
        candidates.size,
        propensity,
        request.n,
        request.exclude,
        why,
        failed,
        0.0,  # took_us, known after this call
        request.filter,
    )


def check_filter(runtime: Runtime, conditions: Where) -> None:
    """Refuse a filter that no strategy of the config would read, or that names no field.

    Raises:
        InvalidFilter: The filter, or the config, does not fit.
    """
    if not runtime.takes_filters:
        raise InvalidFilter(
            "the config has no strategy that reads it. Leave it out, or add a strategy "
            "`{type: filter, request: true}`"
        )
    fields = runtime.catalog.fields
    for name, condition in conditions.items():
        if name not in fields:
            raise InvalidFilter(unknown_name("field of the catalog", name, fields))
        fault = fault_of(condition)
        if fault is not None:
            raise InvalidFilter(f"{name}: {fault}")


def _check_drawn(drawn: list[int], propensity: float) -> None:
    """Refuse a draw that only faulty candidates can give; constant time for one track.

    Raises:
        InvalidCandidates: A track is below 0, which Python would take from the catalog's end, or
            the propensity is none: weights were negative, infinite or not numbers.
    """
    if drawn[0] < 0 or (len(drawn) > 1 and min(drawn) < 0):
        raise InvalidCandidates(f"proposed the catalog index {min(drawn)}; it must be 0 or more")
    if not 0.0 < propensity < _MOST_LIKELY:
        raise InvalidCandidates(
            f"gave a propensity of {propensity}; it must be in (0, 1]. Weights must be finite and "
            "positive"
        )


def _explain_member(
    name: str, notes: list[str], candidates: Candidates | None, why: list[str]
) -> None:
    """Move a chain member's notes to the reasons, under its name."""
    outcome = [] if candidates is not None else ["abstained"]
    why.extend(f"{name}: {reason}" for reason in [*notes, *outcome])
    notes.clear()


def _undeclared(name: str, answered_by: str, strategy: str, chain: Chain) -> str:
    return (
        f"strategy '{name}' says that '{answered_by}' answered, which '{strategy}' does not "
        f"declare. Declared: {', '.join(sorted(chain.declared))}"
    )
