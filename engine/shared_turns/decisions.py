"""The decision of one turn: on the history that Redis gave, or without any."""

from time import perf_counter

from core.decision import Decision
from core.errors import StrategiesFailed
from core.listener import History
from engine.base_dispatcher import failed_turn
from engine.proposals import ProposalWatch
from engine.shared_state.record_format import TakenTurn
from engine.shared_turns.tickets import Staged, Ticket
from engine.turn import answer_turn, take_turn

_new = tuple.__new__


def decide_taken(ticket: Ticket, taken: TakenTurn, watch: ProposalWatch) -> Staged:
    """Decide a turn that Redis has taken.

    Without an answer of any strategy, the result has the failure, and the turn is to be taken back.
    """
    runtime, arrival = ticket.runtime, ticket.arrival
    history = taken.history(runtime.catalog)
    if not history.session:  # a final report: the record has the session's end already
        history.session = _ended_session(ticket, taken)
    try:
        turn = answer_turn(
            runtime, history, arrival.sent, ticket.assignment, ticket.id, ticket.at_ms,
            arrival.key, (), watch,
        )  # fmt: skip
    except StrategiesFailed as error:
        return _failed(ticket, error)
    turn.reset = taken.was_reset
    # Faster: a named tuple's own constructor is a Python function around this one.
    return _new(Staged, (ticket, turn, taken, None))


def decide_fresh(ticket: Ticket, watch: ProposalWatch) -> Staged:
    """Decide a turn from what the request carries: `degraded`."""
    runtime, arrival = ticket.runtime, ticket.arrival
    began_s = perf_counter()
    try:
        turn, _ = take_turn(
            runtime, History(runtime.catalog), arrival.sent, ticket.assignment, ticket.id,
            ticket.at_ms, arrival.key, (), watch,
        )  # fmt: skip
    except StrategiesFailed as error:
        return _failed(ticket, error)
    turn.degraded, turn.session, turn.number = True, "", 0
    if isinstance(turn, Decision):
        turn.took_us = int((perf_counter() - began_s) * 1e7) / 10
    return Staged(ticket, turn, None, None)


def _failed(ticket: Ticket, error: StrategiesFailed) -> Staged:
    turn = failed_turn(
        ticket.runtime, ticket.id, ticket.arrival, ticket.at_ms, ticket.assignment, error
    )
    return Staged(ticket, turn, None, error)


def _ended_session(ticket: Ticket, taken: TakenTurn) -> str:
    """Give the session that a final report has ended."""
    old = taken.old_head
    silent = ticket.at_ms - old.seen_ms > ticket.limits.gap_ms
    return ticket.id if not old.session or silent or taken.was_reset else old.session
