"""Preparation: the part of proposals that turns of one batch can compute together.

A strategy may have a method `prepare(listeners)`, for instance one matrix product for all of them.
It changes no proposal. So an expectation that fails here costs time alone: a turn whose listener
was not prepared, or came to be a different one, is proposed for by itself.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from core.allocation import Assignment
from core.listener import History, Listener
from core.request import Request, TurnInput
from engine.runtime import Runtime
from engine.turn import start_turn

Expected = tuple[str, History, Assignment]
"""A turn that is about to be decided: listener's id, history with the turn's listen, arms."""
PrepareFor = Callable[[Sequence[Listener]], None]


def preparer_of(runtime: Runtime, assignment: Assignment) -> PrepareFor | None:
    """Find what prepares proposals of the strategy that answers first; None if nothing does."""
    name, mode = assignment.strategy, assignment.draw
    if name is None:
        name, mode = runtime.default, runtime.default_draw
    chain = runtime.chains[name]
    return chain.prepare if mode is None else chain.prepare_ranked


def prepare(runtime: Runtime, expected: Iterable[Expected]) -> None:
    """Let the strategies that answer first prepare their proposals for these turns."""
    groups: dict[PrepareFor, list[Listener]] = {}
    for user, history, assignment in expected:
        prepare_for = preparer_of(runtime, assignment)
        if prepare_for is not None:
            listener = Listener(user, history.listens, history.session_start, history.turn)
            groups.setdefault(prepare_for, []).append(listener)
    for prepare_for, listeners in groups.items():
        if len(listeners) > 1:
            with suppress(Exception, SystemExit):  # each turn asks alone then, and fails alone
                prepare_for(listeners)


def history_after(runtime: Runtime, history: History, sent: TurnInput, at_ms: int) -> History:
    """Give a copy of the history as the turn will have it."""
    copy = History(history.catalog)
    copy.listens = history.listens[:]
    copy.session_start, copy.session = history.session_start, history.session
    copy.turn, copy.seen_ms = history.turn, history.seen_ms
    start_turn(runtime, copy, sent.track, sent.time, at_ms, "-")
    return copy


def asks(sent: TurnInput) -> bool:
    """Test whether a turn asks for a proposal."""
    return isinstance(sent, Request)
