"""Checks of arms: each answers by its own strategy, all differ, and their shares are as planned."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from core.allocation import SERVING, SLOTS, Experiment
from core.candidates import Candidates
from core.draw import FinalDraw, as_drawn
from core.listener import Listener
from core.rng import Stream
from engine.runtime import Propose, Runtime

TIMES = (0.0, 0.05, 0.2, 0.5, 0.8, 0.95, 1.0)
NO_ARM = "no arm"


@dataclass(frozen=True, slots=True)
class ArmSample:
    """The proposals of an arm to a sample of listeners.

    Attributes:
        experiment, arm, strategy: Names.
        own: Listeners for whom the arm's own strategy, not its fallback, proposed tracks, a count.
        listeners: Size of the sample.
        smallest: Fewest candidates of the own strategy; 0 if it never proposed any.
    """

    experiment: str
    arm: str
    strategy: str
    own: int
    listeners: int
    smallest: int


def sample_listeners(runtime: Runtime, n: int, seed: int = 0) -> list[Listener]:
    """Draw listeners of many kinds: new ones, and some with up to 6 listens in two sessions."""
    stream = Stream(f"sample {seed}")
    ids = listener_ids(runtime, n)
    tracks = len(runtime.catalog)
    listeners = []
    for listener_id in ids:
        listens = [
            (stream.below(tracks), TIMES[stream.below(len(TIMES))]) for _ in range(stream.below(7))
        ]
        before = stream.below(len(listens) + 1) if listens else 0
        listeners.append(
            Listener.of(str(listener_id), listens[before:], listens[:before], len(listens) + 1)
        )
    return listeners


def listener_ids(runtime: Runtime, n: int) -> list[int | str]:
    """Return n ids: those of lists by listener first, then made-up ones."""
    known = [
        str(user)
        for lists in runtime.artifacts.lists.values()
        if lists.key == "user"
        for user in lists.keys
    ]
    distinct = list(dict.fromkeys(known))
    step = max(1, len(distinct) // n)
    ids: list[int | str] = [*distinct[::step][:n]]
    ids += [f"made up {number}" for number in range(n - len(ids))]
    return ids


def sample_arms(
    runtime: Runtime, listeners: Sequence[Listener]
) -> tuple[list[ArmSample], list[str]]:
    """Sample every arm; return a sentence for each arm that is dead or equal to a second one."""
    samples: list[ArmSample] = []
    faults: list[str] = []
    for experiment in runtime.allocation.experiments:
        if experiment.layer != SERVING:
            continue
        fingerprints: dict[str, list[Any]] = {}
        for arm in experiment.arms:
            strategy = str(arm.strategy)
            members = [member for _, member in runtime.chains[strategy].asked(arm.draw)]
            own = [members[0](listener) for listener in listeners]
            sizes = [len(candidates) for candidates in own if candidates is not None]
            samples.append(
                ArmSample(
                    experiment.name, arm.name, strategy, len(sizes), len(listeners),
                    min(sizes, default=0),
                )
            )  # fmt: skip
            if not sizes:
                faults.append(
                    f"{experiment.name} {arm.name}: '{strategy}' proposed nothing to any of "
                    f"{len(listeners)} listeners, so the experiment would measure only its fallback"
                )
            fingerprints[arm.name] = [
                _fingerprint(_first_candidates(members, each), arm.draw) for each in listeners
            ]
        faults += _identical_arms(experiment, fingerprints)
    return samples, faults


def _identical_arms(experiment: Experiment, fingerprints: dict[str, list[Any]]) -> list[str]:
    treatments = {arm.name: (arm.strategy, arm.draw) for arm in experiment.arms}
    return [
        f"{experiment.name}: arms {first} ('{treatments[first][0]}') and {second} "
        f"('{treatments[second][0]}') propose the same to every one of "
        f"{len(fingerprints[first])} listeners"
        for first, second in combinations(fingerprints, 2)
        # The same treatment twice is an intended A/A test.
        if treatments[first] != treatments[second] and fingerprints[first] == fingerprints[second]
    ]


def _first_candidates(members: Iterable[Propose], listener: Listener) -> Candidates | None:
    for propose in members:
        candidates = propose(listener)
        if candidates is not None:
            return candidates
    return None


def _fingerprint(candidates: Candidates | None, draw: FinalDraw | None) -> Any:
    if candidates is None:
        return None
    if draw is not None:
        candidates = as_drawn(draw, candidates)
    tracks = candidates.tracks
    if isinstance(tracks, range):
        return ("all", len(candidates))
    chances = candidates.chances().round(12)
    return tuple(sorted(zip(candidates.listed(), chances.tolist(), strict=True)))


def arm_shares(
    runtime: Runtime, experiment: Experiment, n: int
) -> tuple[list[str], list[int], list[float]]:
    """Assign `n` made-up ids; return the arms with `NO_ARM`, their counts, and planned shares."""
    counts: Counter[str] = Counter()
    attributes = {key: allowed[0] for key, allowed in experiment.targeting.items()}
    assign = runtime.allocation.assign
    name = experiment.name
    for number in range(n):
        counts[assign(f"id {number}", attributes).arms.get(name, NO_ARM)] += 1
    outside_holdout = 1 - runtime.allocation.holdout_slots / SLOTS
    entering_share = (
        outside_holdout
        * (experiment.slots[1] - experiment.slots[0])
        / SLOTS
        * round(experiment.traffic * SLOTS)
        / SLOTS
    )
    total = sum(arm.weight for arm in experiment.arms)
    names = [*(arm.name for arm in experiment.arms), NO_ARM]
    planned = [
        *(entering_share * arm.weight / total for arm in experiment.arms),
        1 - entering_share,
    ]
    return names, [counts[arm] for arm in names], planned
