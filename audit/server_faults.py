"""Known faults to plant into a running server, so that the canary is seen to find them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from core.allocation import SERVING, Allocation
from core.decision import Decision, Feedback
from engine.dispatcher import Dispatcher, EventSink


class ServerFault(NamedTuple):
    """A fault of the server.

    Attributes:
        name: In a table.
        what: What goes wrong, as a clause.
        inject: Puts it into the server's dispatcher.
    """

    name: str
    what: str
    inject: Callable[[Dispatcher], None]


class _Recomputing:
    """An event log that computes the arm once more, with a salt of its own."""

    def __init__(self, log: EventSink, allocation: Allocation) -> None:
        self._log = log
        self._allocation = allocation

    def append_all(self, turns: Sequence[Decision | Feedback]) -> None:
        """Append each turn under the arms that the logger computes."""
        assign = self._allocation.assign
        self._log.append_all(
            [replace(turn, assignment=assign(str(turn.user), turn.attributes)) for turn in turns]
        )


def recompute_in_logger(dispatcher: Dispatcher) -> None:
    """The logger asks the hash again, and its copy of the config is another one."""
    elsewhere = [
        replace(experiment, salt=f"{experiment.salt} of the logger")
        for experiment in dispatcher.runtime.allocation.experiments
    ]
    dispatcher.log = _Recomputing(dispatcher.log, Allocation(elsewhere))


def swap_branches(dispatcher: Dispatcher) -> None:
    """Where the server branches on the arm, two branches stand in each other's place."""
    runtime = dispatcher.runtime
    arms = [
        str(arm.strategy)
        for experiment in runtime.allocation.experiments
        if experiment.layer == SERVING
        for arm in experiment.arms
    ]
    one, other = arms[0], arms[-1]
    chains = {**runtime.chains, one: runtime.chains[other], other: runtime.chains[one]}
    # What one of them answers would be undeclared for the other; such a server has no such check.
    declared = chains[one].declared | chains[other].declared
    chains |= {name: replace(chains[name], declared=declared) for name in (one, other)}
    dispatcher.runtime = replace(runtime, chains=chains)


SERVER_FAULTS = (
    ServerFault("logger recomputes the arm", "the logger asks another salt", recompute_in_logger),
    ServerFault("branches swapped", "two arms are served by each other's strategy", swap_branches),
)
"""Found by the canary; each needs an experiment that names strategies."""
