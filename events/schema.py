"""One line of the event log: a superset of botify's line, made from a turn alone."""

from typing import Any

import orjson

from core.decision import Decision, FailedTurn, Forgotten, LoggedTurn

SCHEMA = 2


def line(turn: LoggedTurn) -> bytes:
    """Format the event of a turn: one JSON object and a newline."""
    return orjson.dumps(event(turn), option=orjson.OPT_APPEND_NEWLINE)


def event(turn: LoggedTurn) -> dict[str, Any]:
    """Give the event as plain values, without fields that are absent or have the usual value.

    `message` is `next` for a decision, `last` for feedback that ends a session, and `heard` for
    feedback within a session, which botify's log does not have. `error` is a turn that got no
    answer, because strategies failed; it has no place among the listener's turns, nor has `forget`,
    which says that the listener's history was deleted. `seat` marks a turn of somebody on the
    board. Schema 2 adds `took_us`, and its ids count the lines of a process, without gaps.
    """
    assignment = turn.assignment
    fields: dict[str, Any] = {
        "message": "next",
        "timestamp": turn.at_ms,
        "user": turn.user,
        "track": turn.track,
        "time": turn.time,
        "latency": turn.latency_s,
        "experiments": assignment.arms,
        "schema": SCHEMA,
        "decision": turn.id,
        "session": turn.session,
        "turn": turn.number,
        "config": turn.config,
        "forced": assignment.forced,
    }
    if isinstance(turn, Decision):
        fields["recommendation"] = turn.tracks[0]
        fields["strategy"] = turn.strategy
        fields["answered_by"] = turn.answered_by
        fields["depth"] = turn.depth
        fields["candidates"] = turn.candidates
        fields["propensity"] = turn.propensity
        fields["took_us"] = turn.took_us
        if turn.n > 1:
            fields["n"] = turn.n
            fields["recommendations"] = turn.tracks
        if turn.exclude:
            fields["exclude"] = turn.exclude
        if turn.filter:
            fields["filter"] = turn.filter
        if turn.failed:
            fields["failed"] = turn.failed
    elif isinstance(turn, FailedTurn):
        fields |= {"message": "error", "session": None, "turn": None}
        fields |= {"strategy": turn.strategy, "failed": turn.failed}
    elif isinstance(turn, Forgotten):
        fields |= {"message": "forget", "session": None, "turn": None}
    else:
        fields["message"] = "last" if turn.final else "heard"
    if turn.attributes:
        fields["attributes"] = turn.attributes
    if assignment.asked is not None:
        fields["asked"] = assignment.asked
    if assignment.seat:
        fields["seat"] = True
    if turn.key is not None:
        fields["key"] = turn.key
    if turn.reset:
        fields["reset"] = True
    if turn.degraded:
        fields |= {"session": None, "turn": None, "degraded": True}
    return fields
