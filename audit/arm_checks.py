"""Soundness of the arms: each answers for itself, no two are one, and the shares are as stated."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from core.allocation import SERVING, SLOTS, Experiment
from core.candidates import Candidates
from core.listener import Listener
from core.rng import Stream
from engine.runtime import Propose, Runtime

TIMES = (0.0, 0.05, 0.2, 0.5, 0.8, 0.95, 1.0)
NO_ARM = "no arm"


@dataclass(frozen=True, slots=True)
class ArmSample:
    """What an arm proposed to a sample of listeners.

    Attributes:
        experiment, arm, strategy: Which.
        own: Listeners to whom its own strategy, and no fallback, proposed something.
        listeners: How many were asked.
        smallest: Fewest candidates of its own; 0 where it never had any.
    """

    experiment: str
    arm: str
    strategy: str
    own: int
    listeners: int
    smallest: int


def sample_listeners(runtime: Runtime, n: int, seed: int = 0) -> list[Listener]:
    """Listeners of all kinds: new ones, and with up to 6 listens, some before this session."""
    stream = Stream(f"sample {seed}")
    ids = listener_ids(runtime, n)
    tracks = len(runtime.catalog)
    found = []
    for unit in ids:
        listens = [
            (stream.below(tracks), TIMES[stream.below(len(TIMES))]) for _ in range(stream.below(7))
        ]
        before = stream.below(len(listens) + 1) if listens else 0
        found.append(Listener.of(str(unit), listens[before:], listens[:before], len(listens) + 1))
    return found


def listener_ids(runtime: Runtime, n: int) -> list[int | str]:
    """Ids to try things with: of lists by listener, where there are some, and made-up ones."""
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
    """What every arm proposes, and a sentence for each that is dead or the same as another."""
    samples: list[ArmSample] = []
    faults: list[str] = []
    for experiment in runtime.allocation.experiments:
        if experiment.layer != SERVING:
            continue
        prints: dict[str, list[Any]] = {}
        for arm in experiment.arms:
            strategy = str(arm.strategy)
            propose = runtime.chains[strategy].members[0][1]
            own = [propose(listener) for listener in listeners]
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
                    f"{len(listeners)} listeners, so its fallback is all that would be measured"
                )
            members = [member for _, member in runtime.chains[strategy].members]
            prints[arm.name] = [_fingerprint(_first(members, each)) for each in listeners]
        faults += _same(experiment, prints)
    return samples, faults


def _same(experiment: Experiment, prints: dict[str, list[Any]]) -> list[str]:
    strategies = {arm.name: arm.strategy for arm in experiment.arms}
    return [
        f"{experiment.name}: arms {one} ('{strategies[one]}') and {other} ('{strategies[other]}') "
        f"propose the same to every one of {len(prints[one])} listeners"
        for one, other in combinations(prints, 2)
        # The same strategy twice is an A/A test, and meant.
        if strategies[one] != strategies[other] and prints[one] == prints[other]
    ]


def _first(members: Iterable[Propose], listener: Listener) -> Candidates | None:
    for propose in members:
        candidates = propose(listener)
        if candidates is not None:
            return candidates
    return None


def _fingerprint(candidates: Candidates | None) -> Any:
    if candidates is None:
        return None
    tracks = candidates.tracks
    if isinstance(tracks, range):
        return ("all", len(candidates))
    chances = candidates.chances().round(12)
    return tuple(sorted(zip(candidates.listed(), chances.tolist(), strict=True)))


def arm_shares(
    runtime: Runtime, experiment: Experiment, n: int
) -> tuple[list[str], list[int], list[float]]:
    """Arms and nobody, how many of `n` made-up ids each got, and the shares that they should."""
    seen: Counter[str] = Counter()
    attributes = {key: allowed[0] for key, allowed in experiment.targeting.items()}
    assign = runtime.allocation.assign
    name = experiment.name
    for number in range(n):
        seen[assign(f"id {number}", attributes).arms.get(name, NO_ARM)] += 1
    open_to = 1 - runtime.allocation.holdout_slots / SLOTS
    entering = (
        open_to
        * (experiment.slots[1] - experiment.slots[0])
        / SLOTS
        * round(experiment.traffic * SLOTS)
        / SLOTS
    )
    total = sum(arm.weight for arm in experiment.arms)
    names = [*(arm.name for arm in experiment.arms), NO_ARM]
    planned = [*(entering * arm.weight / total for arm in experiment.arms), 1 - entering]
    return names, [seen[arm] for arm in names], planned
