"""Allocation: which arm of which experiment a listener is in. Pure, and the hash's only caller.

Every question is answered by a hash of its own salt, so the answers are independent: is the
listener held out, where in the layer does it stand, does it enter the experiment, which arm.
Ramping `traffic` therefore never moves a listener between arms.
"""

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import mmh3

SLOTS = 10_000
SERVING = "serving"
"""The layer whose arms name strategies."""

Attributes = Mapping[str, Any]


def slot(unit: str, salt: str) -> int:
    """Slot of a unit under a salt, in 0..9999.

    The first 64 bits of MurmurHash3_x64_128 of salt, a zero byte and unit, scaled by multiply
    and shift: no modulo, so the bias is below SLOTS / 2**64.
    """
    word: int = mmh3.hash64(f"{salt}\0{unit}", signed=False)[0]
    return (word * SLOTS) >> 64


@dataclass(frozen=True, slots=True)
class Arm:
    """A named treatment.

    Attributes:
        name: Unique in its experiment.
        weight: Share of the experiment's listeners, in units of the weights' sum.
        strategy: Name of the strategy that answers; None in a layer of labels.
    """

    name: str
    weight: float
    strategy: str | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment's definition; `Allocation` compiles it.

    Attributes:
        name: Unique among experiments.
        arms: In the order of the file; the first is the control unless the reader says otherwise.
        salt: Changes who gets which arm.
        version: Changes who gets which arm as well; raised when a started experiment changes.
        layer: Experiments of a layer never share a listener.
        slots: Half-open range of the layer's slots that this experiment may take.
        traffic: Share of the listeners in those slots that enter, in [0, 1].
        hash: "segue", or "botify" for the predecessor's assignment bit for bit.
        targeting: Attribute -> allowed values; others are in no arm.
        forced: Listener id -> arm, for testing.
    """

    name: str
    arms: tuple[Arm, ...]
    salt: str = ""
    version: int = 1
    layer: str = SERVING
    slots: tuple[int, int] = (0, SLOTS)
    traffic: float = 1.0
    hash: Literal["segue", "botify"] = "segue"
    targeting: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    forced: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, definition: Mapping[str, Any]) -> "Experiment":
        """The experiment that `to_dict` described."""
        given = dict(definition)
        given["arms"] = tuple(Arm(**arm) for arm in given["arms"])
        given["slots"] = tuple(given["slots"])
        given["targeting"] = {k: tuple(v) for k, v in given["targeting"].items()}
        return cls(**given)

    def to_dict(self) -> dict[str, Any]:
        """The definition as plain JSON values, for logs and digests."""
        return {
            "name": self.name,
            "arms": [
                {"name": arm.name, "weight": arm.weight, "strategy": arm.strategy}
                for arm in self.arms
            ],
            "salt": self.salt,
            "version": self.version,
            "layer": self.layer,
            "slots": list(self.slots),
            "traffic": self.traffic,
            "hash": self.hash,
            "targeting": {key: list(values) for key, values in sorted(self.targeting.items())},
            "forced": dict(sorted(self.forced.items())),
        }

    @property
    def digest(self) -> str:
        """Fingerprint of the whole definition, 12 hex digits."""
        return digest_of(self.to_dict())


@dataclass(frozen=True, slots=True)
class Assignment:
    """A listener's arms, computed once a request; the log and the answer are written from it.

    Attributes:
        arms: Experiment -> arm, only of experiments that the listener is in.
        strategy: What the serving arm names; None where the default answers.
        forced: Whether any arm was forced on the listener for testing.
    """

    arms: Mapping[str, str]
    strategy: str | None = None
    forced: bool = False


NOBODY = Assignment({})


class Allocation:
    """All running experiments, ready to assign listeners.

    Args:
        experiments: Checked definitions: those of a layer have slots that do not overlap.
        holdout: Share of listeners that no experiment gets, in [0, 1].
        holdout_salt: Changes who is held out.
    """

    def __init__(
        self,
        experiments: Iterable[Experiment] = (),
        holdout: float = 0.0,
        holdout_salt: str = "",
    ) -> None:
        self.experiments = tuple(experiments)
        self.holdout_slots = round(holdout * SLOTS)
        self._holdout_salt = f"holdout\0{holdout_salt}"
        self._compiled = [_Compiled(experiment) for experiment in self.experiments]

    def assign(
        self,
        unit: str,
        attributes: Attributes | None = None,
        forced: Mapping[str, str] | None = None,
    ) -> Assignment:
        """Arms of a listener.

        Args:
            unit: The listener's id as a string.
            attributes: The request's attributes, for targeting.
            forced: Experiment -> arm that an authorised tester asks for.
        """
        if not self._compiled:
            return NOBODY
        if self.holdout_slots and not forced and self.held_out(unit):
            return NOBODY
        arms: dict[str, str] = {}
        strategy: str | None = None
        was_forced = False
        for compiled in self._compiled:
            experiment = compiled.experiment
            wanted = experiment.forced.get(unit) if experiment.forced else None
            if forced is not None:
                wanted = forced.get(experiment.name, wanted)
            if wanted is not None:
                arm = compiled.by_name[wanted]
                was_forced = True
            else:
                found = compiled.arm(unit, attributes)
                if found is None:
                    continue
                arm = found
            arms[experiment.name] = arm.name
            if arm.strategy is not None:
                strategy = arm.strategy
        return Assignment(arms, strategy, was_forced)

    def held_out(self, unit: str) -> bool:
        """Whether no experiment may have this listener."""
        return slot(unit, self._holdout_salt) < self.holdout_slots


class _Compiled:
    """An experiment with its salts and slot boundaries worked out."""

    __slots__ = (
        "_arm_salt",
        "_arms",
        "_botify_seed",
        "_bounds",
        "_enters",
        "_entry_salt",
        "_layer_salt",
        "_targeting",
        "_whole_layer",
        "by_name",
        "experiment",
    )

    def __init__(self, experiment: Experiment) -> None:
        name, salt, version = experiment.name, experiment.salt, experiment.version
        self.experiment = experiment
        self._arms = experiment.arms
        self.by_name = {arm.name: arm for arm in experiment.arms}
        self._bounds = bounds([arm.weight for arm in experiment.arms])
        self._enters = round(experiment.traffic * SLOTS)
        self._layer_salt = f"layer\0{experiment.layer}"
        self._entry_salt = f"entry\0{name}\0{salt}\0{version}"
        self._arm_salt = f"arm\0{name}\0{salt}\0{version}"
        self._whole_layer = experiment.slots == (0, SLOTS)
        self._targeting = experiment.targeting
        self._botify_seed = mmh3.hash(name, signed=False) if experiment.hash == "botify" else None

    def arm(self, unit: str, attributes: Attributes | None) -> Arm | None:
        if self._targeting and not eligible(self._targeting, attributes or {}):
            return None
        if not self._whole_layer:
            start, end = self.experiment.slots
            if not start <= slot(unit, self._layer_salt) < end:
                return None
        if self._enters < SLOTS and slot(unit, self._entry_salt) >= self._enters:
            return None
        if self._botify_seed is not None:
            word: int = mmh3.hash(unit, self._botify_seed, signed=False)
            return self._arms[word % len(self._arms)]
        return self._arms[bisect_right(self._bounds, slot(unit, self._arm_salt))]


def bounds(weights: Sequence[float]) -> list[int]:
    """The slot below which each arm but the last ends: cumulative weights, rounded to slots.

    The arms lie side by side in the order given, so that when one arm widens into the next,
    only the slots between the old boundary and the new one change hands.
    """
    total = sum(weights)
    reached = 0.0
    ends = []
    for weight in weights[:-1]:
        reached += weight
        ends.append(round(reached * SLOTS / total))
    return ends


def eligible(targeting: Mapping[str, Sequence[Any]], attributes: Attributes) -> bool:
    """Whether every targeted attribute has one of its allowed values."""
    return all(
        key in attributes and attributes[key] in allowed for key, allowed in targeting.items()
    )


def digest_of(definition: Any) -> str:
    """Fingerprint of plain JSON values: the first 12 hex digits of their SHA-256."""
    canonical = json.dumps(definition, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]
