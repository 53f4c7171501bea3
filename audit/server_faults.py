"""Known faults that can be injected into a running server, to prove that the canary finds them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from core.allocation import SERVING, Allocation
from core.decision import LoggedTurn
from engine.base_dispatcher import EventSink
from engine.dispatcher import Dispatcher


class ServerFault(NamedTuple):
    """A fault of the server.

    Attributes:
        name: Name in tables.
        what: What goes wrong, as a clause.
        inject: Injects the fault into the server's dispatcher.
    """

    name: str
    what: str
    inject: Callable[[Dispatcher], None]


class _RecomputingLog:
    """An event log that computes the arm again, with a salt of its own."""

    def __init__(self, log: EventSink, allocation: Allocation) -> None:
        self._log = log
        self._allocation = allocation

    def append_all(self, turns: Sequence[LoggedTurn]) -> None:
        """Append each turn under the arms that the logger computes."""
        assign = self._allocation.assign
        self._log.append_all(
            [replace(turn, assignment=assign(str(turn.user), turn.attributes)) for turn in turns]
        )


def recompute_in_logger(dispatcher: Dispatcher) -> None:
    """Let the logger compute the arm again, from a different copy of the config.

    The copy has our hash: that of botify ignores the salt, and would give the same arms.
    """
    copied = [
        replace(experiment, salt=f"{experiment.salt} of the logger", hash="segue")
        for experiment in dispatcher.runtime.allocation.experiments
    ]
    dispatcher.log = _RecomputingLog(dispatcher.log, Allocation(copied))


def swap_branches(dispatcher: Dispatcher) -> None:
    """Swap two branches of a server that branches on the arm."""
    runtime = dispatcher.runtime
    arms = [
        str(arm.strategy)
        for experiment in runtime.allocation.experiments
        if experiment.layer == SERVING
        for arm in experiment.arms
    ]
    first, last = arms[0], arms[-1]
    chains = {**runtime.chains, first: runtime.chains[last], last: runtime.chains[first]}
    # A server with such branches declares nothing, so each chain declares the answers of both.
    declared = chains[first].declared | chains[last].declared
    chains |= {name: replace(chains[name], declared=declared) for name in (first, last)}
    dispatcher.runtime = replace(runtime, chains=chains)


SERVER_FAULTS = (
    ServerFault(
        "logger recomputes the arm", "the logger hashes with a different salt", recompute_in_logger
    ),
    ServerFault("branches swapped", "two arms are served by each other's strategy", swap_branches),
)
"""The canary must find each; each needs an experiment that names strategies."""
