"""Explanation of one decision of a log: the decision is made again, with all that led to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from audit.replay import Event, assignment_of, differences, failed_members, request_of
from core.allocation import Assignment
from core.candidates import Candidates
from core.catalog import UNKNOWN
from core.decision import Decision
from core.draw import as_drawn
from core.listener import History, Listener, unpack
from core.request import Request
from engine.runtime import Runtime
from engine.turn import seed_of, take_turn

SHOWN = 10
"""Most listens and candidates that an explanation names."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """The reasons for a decision.

    Attributes:
        heard: (track, its description, share heard, whether in this session), newest last.
        heard_count: Number of listens that the strategies saw.
        arms: The steps by which the hash gave the listener these arms, one sentence each.
        chain: Strategies in the order in which they may propose.
        why: Their reasons, in the order noted.
        candidates: Number of candidates.
        most_likely: (track, its description, probability) of the most likely candidates; of equal
            ones the first.
        stream: Name of the random stream of the draw.
        tracks: (track, its description) of the drawn tracks.
        propensity: Propensity of the first of them.
        differing: (field, logged, replayed) of every field that differs.
    """

    heard: Sequence[tuple[Any, str, float, bool]]
    heard_count: int
    arms: Sequence[str]
    chain: Sequence[str]
    why: Sequence[str]
    candidates: int
    most_likely: Sequence[tuple[Any, str, float]]
    stream: str
    tracks: Sequence[tuple[Any, str]]
    propensity: float
    differing: Sequence[tuple[str, Any, Any]]


def explain(event: Event, history: History, runtime: Runtime, shown: int = SHOWN) -> Explanation:
    """Make a decision again and explain it.

    Args:
        event: The logged decision.
        history: The listener's history before it; the call changes it.
        runtime: The config that decided.
        shown: Most listens and candidates to name.
    """
    catalog = runtime.catalog
    at_ms, decision_id, key = event["timestamp"], event["decision"], event.get("key")
    request = request_of(event, explain=True)
    user = str(event["user"])
    assignment = assignment_of(runtime, request, event)
    made, _ = take_turn(
        runtime, history, request, assignment, decision_id, at_ms, key, failed_members(event)
    )
    chain = [name for name, _ in runtime.chains[made.strategy].members]
    candidates = _propose_again(runtime, history, made, assignment, request)
    listens = [unpack(word) for word in history.listens]
    return Explanation(
        heard=[
            (
                "unknown" if listen.track == UNKNOWN else catalog.ids[listen.track],
                "" if listen.track == UNKNOWN else _label_of(runtime, listen.track),
                listen.time,
                position >= history.session_start,
            )
            for position, listen in enumerate(listens)
        ][-shown:],
        heard_count=len(listens),
        arms=[
            *(["a tester forced the arms"] if event["forced"] else []),
            *runtime.allocation.trace(user, request.attributes),
        ],
        chain=chain,
        why=made.why or (),
        candidates=made.candidates,
        most_likely=_most_likely(candidates, runtime, shown),
        stream=seed_of(decision_id, user, key),
        tracks=[(each, _label_of(runtime, catalog.index_of(each))) for each in made.tracks],
        propensity=made.propensity,
        differing=differences(event, made),
    )


def _propose_again(
    runtime: Runtime,
    history: History,
    made: Decision,
    assignment: Assignment,
    request: Request,
) -> Candidates:
    """Propose the candidates of the draw again."""
    mode = runtime.default_draw if assignment.strategy is None else assignment.draw
    _, propose = runtime.chains[made.strategy].asked(mode)[made.depth]
    listener = Listener(
        str(request.user),
        history.listens,
        history.session_start,
        history.turn,
        conditions=request.filter or {},
    )
    candidates = propose(listener)
    if candidates is not None and request.exclude:
        excluded = {runtime.catalog.index_of(track) for track in request.exclude}
        candidates = candidates.without(excluded)
    assert candidates is not None, "this member of the chain has just answered"
    return candidates if mode is None else as_drawn(mode, candidates)


def _most_likely(
    candidates: Candidates, runtime: Runtime, shown: int
) -> list[tuple[Any, str, float]]:
    if candidates.weights is None:
        chance = 1 / len(candidates)
        best = [(track, chance) for track in candidates.first(shown)]
    else:
        chances = candidates.chances()
        order = (-chances).argsort(kind="stable")[:shown].tolist()
        tracks = candidates.listed()
        best = [(tracks[place], float(chances[place])) for place in order]
    ids = runtime.catalog.ids
    return [(ids[track], _label_of(runtime, track), chance) for track, chance in best]


def _label_of(runtime: Runtime, track: int) -> str:
    about = runtime.catalog.describe(track)
    return f"{about['artist']}: {about['title']}"
