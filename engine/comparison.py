"""Proposals of several arms for one history: what each would play next, and why."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.allocation import Assignment
from core.candidates import Candidates
from core.catalog import TrackId
from core.draw import FinalDraw, as_drawn
from core.errors import failure_name
from core.listener import History, Listener
from core.request import Request
from engine.runtime import Runtime
from engine.turn import start_turn

_NO_ID = "seat"
"""Stands for the id of a turn that is not taken."""


@dataclass(frozen=True, slots=True)
class ArmProposal:
    """The proposal of an arm.

    Attributes:
        experiment: Name of the experiment; None for the default.
        arm: Name of the arm; None for the default.
        strategy: The strategy that the arm names.
        own: Whether it is the listener's own.
        answered_by: The strategy that proposed; None if none did.
        depth: Its place in the chain.
        candidates: Number of candidates.
        first: (track, its probability) of the most likely ones.
        why: The reasons, in the order noted.
        problem: Why there are no candidates; None if there are.
    """

    experiment: str | None
    arm: str | None
    strategy: str
    own: bool
    answered_by: str | None = None
    depth: int = 0
    candidates: int = 0
    first: Sequence[tuple[TrackId, float]] = ()
    why: Sequence[str] = ()
    problem: str | None = None


def compare_arms(
    runtime: Runtime,
    history: History,
    request: Request,
    own: Assignment,
    at_ms: int,
    shown: int = 5,
) -> list[ArmProposal]:
    """Let every arm propose for the history with the request's listen.

    Args:
        runtime: The runtime whose arms propose.
        history: A copy of the listener's history, which the call changes.
        request: What the listener heard.
        own: The listener's own arms.
        at_ms: Unix time in ms.
        shown: Most tracks to name of a proposal.
    """
    start_turn(runtime, history, request.track, request.time, at_ms, _NO_ID)
    found = [
        _propose(
            runtime, history, request, shown, experiment.name, arm.name, arm.strategy, arm.draw,
            own.arms.get(experiment.name) == arm.name,
        )
        for experiment in runtime.allocation.experiments
        for arm in experiment.arms
        if arm.strategy is not None
    ]  # fmt: skip
    if own.strategy is None:
        mode = runtime.default_draw
        found.insert(
            0, _propose(runtime, history, request, shown, None, None, runtime.default, mode, True)
        )
    return found


def _propose(
    runtime: Runtime,
    history: History,
    request: Request,
    shown: int,
    experiment: str | None,
    arm: str | None,
    strategy: str,
    mode: FinalDraw | None,
    own: bool,
) -> ArmProposal:
    """Ask the members of a chain, as a turn does, without a draw."""
    why: list[str] = []
    for depth, (name, propose) in enumerate(runtime.chains[strategy].asked(mode)):
        notes: list[str] = []
        listener = Listener(
            str(request.user), history.listens, history.session_start, history.turn, notes
        )
        try:
            candidates = propose(listener)
            if candidates is not None and mode is not None:
                candidates = as_drawn(mode, candidates)
        except Exception as error:
            why.append(f"{name}: failed with {failure_name(error)}: {error}")
            continue
        why += [f"{name}: {note}" for note in notes]
        if candidates is None:
            why.append(f"{name}: abstained")
            continue
        return ArmProposal(
            experiment, arm, strategy, own, candidates.source or name, depth, len(candidates),
            most_likely(runtime, candidates, shown), why,
        )  # fmt: skip
    return ArmProposal(
        experiment, arm, strategy, own, why=why, problem="no strategy of the chain proposes a track"
    )


def most_likely(
    runtime: Runtime, candidates: Candidates, shown: int
) -> list[tuple[TrackId, float]]:
    """List the most likely candidates, each with its probability; of equal ones the first."""
    ids = runtime.catalog.ids
    if candidates.weights is None:
        return [(ids[track], 1 / len(candidates)) for track in candidates.first(shown)]
    chances = candidates.chances()
    order = (-chances).argsort(kind="stable")[:shown].tolist()
    tracks = candidates.listed()
    return [(ids[tracks[place]], float(chances[place])) for place in order]
