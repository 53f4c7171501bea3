"""Explaining one decision of a log: made again, with everything that led to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from audit.replay import Event, assigned, differences, request_of
from core.candidates import Candidates
from core.listener import UNKNOWN, History, Listener, unpack
from engine.dispatcher import begin, decide, seed_of
from engine.runtime import Serving

SHOWN = 10


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a decision came out as it did.

    Attributes:
        heard: (track, its description, share heard, whether in this session), newest last.
        heard_in_all: How many listens the strategies saw.
        arms: How the hash came to the listener's arms, a sentence a step.
        chain: Strategies in the order asked.
        why: What they said, in the order said.
        candidates: How many tracks could have come.
        likeliest: (track, its description, chance) of the likeliest, or the first of equals.
        stream: Name of the random stream that drew.
        tracks: (track, its description) of those that came.
        propensity: Chance that the first of them had.
        differing: (field, logged, replayed) of what came out otherwise.
    """

    heard: Sequence[tuple[Any, str, float, bool]]
    heard_in_all: int
    arms: Sequence[str]
    chain: Sequence[str]
    why: Sequence[str]
    candidates: int
    likeliest: Sequence[tuple[Any, str, float]]
    stream: str
    tracks: Sequence[tuple[Any, str]]
    propensity: float
    differing: Sequence[tuple[str, Any, Any]]


def explain(event: Event, history: History, serving: Serving) -> Explanation:
    """Make a decision again and say why.

    Args:
        event: Of a decision.
        history: The listener's as it was before; it is changed.
        serving: The config that decided.
    """
    catalog = serving.catalog
    at_ms, id = event["timestamp"], event["decision"]  # noqa: A001
    begin(serving, history, event["track"], event["time"], at_ms, id)
    ask = request_of(event, explain=True)
    unit = str(event["user"])
    assignment = assigned(serving, ask, event)
    key = event.get("key")
    made = decide(serving, history, ask, assignment, id, at_ms, key)
    chain = [name for name, _ in serving.chains[made.strategy].members]
    candidates = _candidates(serving, history, unit, made.strategy, made.depth, ask.exclude)
    listens = [unpack(word) for word in history.listens]
    return Explanation(
        heard=[
            (
                "unknown" if listen.track == UNKNOWN else catalog.ids[listen.track],
                "" if listen.track == UNKNOWN else _described(serving, listen.track),
                listen.time,
                position >= history.session_start,
            )
            for position, listen in enumerate(listens)
        ][-SHOWN:],
        heard_in_all=len(listens),
        arms=[
            *(["arms were forced by a tester"] if event["forced"] else []),
            *serving.allocation.trace(unit, ask.attributes),
        ],
        chain=chain,
        why=made.why or (),
        candidates=made.candidates,
        likeliest=_likeliest(candidates, serving),
        stream=seed_of(id, unit, key),
        tracks=[(each, _described(serving, catalog.index_of(each))) for each in made.tracks],
        propensity=made.propensity,
        differing=differences(event, made),
    )


def _candidates(
    serving: Serving,
    history: History,
    unit: str,
    strategy: str,
    depth: int,
    exclude: Sequence[Any],
) -> Candidates:
    """What was drawn from, proposed once more."""
    _, propose = serving.chains[strategy].members[depth]
    listener = Listener(unit, history.listens, history.session_start, history.turn)
    candidates = propose(listener)
    if candidates is not None and exclude:
        candidates = candidates.without({serving.catalog.index_of(track) for track in exclude})
    assert candidates is not None, "this member of the chain has just answered"
    return candidates


def _likeliest(candidates: Candidates, serving: Serving) -> list[tuple[Any, str, float]]:
    if candidates.weights is None:
        chance = 1 / len(candidates)
        best = [(track, chance) for track in candidates.first(SHOWN)]
    else:
        chances = candidates.chances()
        order = (-chances).argsort(kind="stable")[:SHOWN].tolist()
        tracks = candidates.listed()
        best = [(tracks[place], float(chances[place])) for place in order]
    ids = serving.catalog.ids
    return [(ids[track], _described(serving, track), chance) for track, chance in best]


def _described(serving: Serving, track: int) -> str:
    about = serving.catalog.describe(track)
    return f"{about['artist']}: {about['title']}"
