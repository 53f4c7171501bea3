"""Allocation: which arm of which experiment a listener is in. Pure, and the hash's only caller.

A hash with its own salt answers each question, so the answers are independent: is the listener held
out, in which slot of the layer is it, does it enter the experiment, which arm does it get. So a
higher `traffic` never moves a listener between arms.
"""

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import mmh3

from core.draw import FinalDraw

SLOTS = 10_000
SERVING = "serving"
"""The layer whose arms name strategies."""

Attributes = Mapping[str, Any]


def slot(listener: str, salt: str) -> int:
    """Compute a listener's slot under a salt, in 0..9999.

    It is the first 64 bits of MurmurHash3_x64_128 of salt, a zero byte and the listener's id,
    scaled by multiply and shift. There is no modulo, so the bias is below SLOTS / 2**64.
    """
    # By keyword: mmh3 5.3.1 ignores `signed` when it comes as the fourth positional argument.
    word: int = mmh3.hash64(f"{salt}\0{listener}", signed=False)[0]
    return (word * SLOTS) >> 64


@dataclass(frozen=True, slots=True)
class Arm:
    """A named treatment.

    Attributes:
        name: Unique in its experiment.
        weight: Share of the experiment's listeners, in units of the weights' sum.
        strategy: Name of the strategy that answers; None in a layer of labels.
        draw: How the track is drawn at the end of the chain; None for the strategies' own draw.
    """

    name: str
    weight: float
    strategy: str | None = None
    draw: FinalDraw | None = None


@dataclass(frozen=True, slots=True)
class Experiment:
    """An experiment's definition; `Allocation` compiles it.

    Attributes:
        name: Unique among experiments.
        arms: In the order of the file; the first is the control unless the report names one.
        salt: With a new salt, listeners get new arms.
        version: With a new version, listeners get new arms; raise it when a started experiment
            changes.
        layer: Experiments of a layer never share a listener.
        slots: Half-open range of the layer's slots that this experiment may take.
        traffic: Share of the listeners in those slots that enter, in [0, 1].
        hash: "segue", or "botify" for the assignment of botify, bit for bit.
        targeting: Attribute -> allowed values; listeners without them are in no arm.
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
        """Build the experiment that `to_dict` describes."""
        given = dict(definition)
        given["arms"] = tuple(Arm(**arm) for arm in given["arms"])
        given["slots"] = tuple(given["slots"])
        given["targeting"] = {k: tuple(v) for k, v in given["targeting"].items()}
        return cls(**given)

    def to_dict(self) -> dict[str, Any]:
        """Return the definition as plain JSON values."""
        return {
            "name": self.name,
            "arms": [
                {
                    "name": arm.name,
                    "weight": arm.weight,
                    "strategy": arm.strategy,
                    "draw": arm.draw,
                }
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

    def without_defaults(self) -> dict[str, Any]:
        """Return `to_dict` without the keys at their default; digests cover this."""
        given = _given(self.to_dict(), EXPERIMENT_DEFAULTS)
        return {**given, "arms": [_given(arm, ARM_DEFAULTS) for arm in given["arms"]]}

    @property
    def digest(self) -> str:
        """Fingerprint of the whole definition, 12 hex digits."""
        return digest_of(self.without_defaults())


ARM_DEFAULTS: Mapping[str, Any] = {"strategy": None, "draw": None}
EXPERIMENT_DEFAULTS: Mapping[str, Any] = {
    key: value
    for key, value in Experiment("", ()).to_dict().items()
    if key not in ("name", "arms", "salt")
}
"""Meaning of each key that is absent from a definition. The salt always stands there, since its
default in config.yaml is the name."""


def _given(described: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in described.items() if k not in defaults or v != defaults[k]}


@dataclass(slots=True)
class Assignment:
    """A listener's arms, computed once per request; the log and the answer get them from here.

    No code changes one, and listeners of an arm share one. It is not frozen for speed: a frozen one
    raises the cost of an assignment by half.

    Attributes:
        arms: Experiment -> arm, only of experiments that the listener is in.
        strategy: Strategy of the serving arm; None if the default answers.
        forced: Whether any arm was forced on the listener for testing.
        asked: Experiment -> arm that a tester asked for in the request; a replay needs it.
        draw: The serving arm's draw at the end of the chain, if it has one.
        seat: Whether a person on the board takes the turn.
        pairs: `arms` as a tuple, the key under which answers are counted.
        left_out: Whether no analysis counts the turn: an arm was forced, or it is one of a seat.
    """

    arms: Mapping[str, str]
    strategy: str | None = None
    forced: bool = False
    asked: Mapping[str, str] | None = None
    draw: FinalDraw | None = None
    seat: bool = False
    pairs: tuple[tuple[str, str], ...] = field(init=False, repr=False, compare=False)
    left_out: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.pairs = tuple(self.arms.items())
        self.left_out = self.forced or self.seat


UNASSIGNED = Assignment({})


class Allocation:
    """All running experiments, ready to assign listeners.

    Args:
        experiments: Checked definitions; within a layer their slots do not overlap.
        holdout: Share of listeners that no experiment gets, in [0, 1].
        holdout_salt: A new salt holds out different listeners.
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
        names = dict.fromkeys(experiment.layer for experiment in self.experiments)
        self._layers = [
            _Layer(name, [e for e in self.experiments if e.layer == name]) for name in names
        ]
        self._only = self._layers[0] if len(self._layers) == 1 else None
        self._any_forced = any(experiment.forced for experiment in self.experiments)

    def assign(
        self,
        listener: str,
        attributes: Attributes | None = None,
        forced: Mapping[str, str] | None = None,
    ) -> Assignment:
        """Compute the arms of a listener.

        A forced arm takes its layer: the listener is in no second experiment of the layer. Holdout,
        slots, traffic and targeting do not count for a forced arm.

        Args:
            listener: The listener's id as a string.
            attributes: The request's attributes, for targeting.
            forced: Experiment -> arm that an authorised tester asks for.
        """
        if forced or self._any_forced:
            wanted = self._forced_on(listener, forced or {})
            if wanted:
                return self._assign_forced(listener, attributes, wanted, forced or None)
        if self.holdout_slots and self.held_out(listener):
            return UNASSIGNED
        if self._only is not None:
            alone = self._only.arm(listener, attributes)
            return UNASSIGNED if alone is None else alone.assignment
        return _joined([layer.arm(listener, attributes) for layer in self._layers])

    def held_out(self, listener: str) -> bool:
        """Return whether no experiment may have this listener."""
        return slot(listener, self._holdout_salt) < self.holdout_slots

    def trace(self, listener: str, attributes: Attributes | None = None) -> list[str]:
        """Explain the result of `assign`, one sentence for each step."""
        steps = []
        if self.holdout_slots:
            found = slot(listener, self._holdout_salt)
            side = "held out of all" if self.held_out(listener) else "not held out"
            steps.append(f"holdout: slot {found}, below {self.holdout_slots} is out: {side}")
        for layer in self._layers:
            for compiled in layer.compiled:
                forced = compiled.experiment.forced.get(listener)
                if forced is not None:
                    steps.append(f"{compiled.experiment.name}: arm {forced} is forced by config")
                else:
                    steps.append(compiled.trace(listener, attributes or {}, layer.salt))
        return steps

    def _forced_on(self, listener: str, asked: Mapping[str, str]) -> dict[str, str]:
        wanted = {e.name: e.forced[listener] for e in self.experiments if listener in e.forced}
        return {**wanted, **{e.name: asked[e.name] for e in self.experiments if e.name in asked}}

    def _assign_forced(
        self,
        listener: str,
        attributes: Attributes | None,
        wanted: Mapping[str, str],
        asked: Mapping[str, str] | None,
    ) -> Assignment:
        out = self.held_out(listener)
        found = [
            layer.forced_arm(wanted) or (None if out else layer.arm(listener, attributes))
            for layer in self._layers
        ]
        made = _joined(found)
        return Assignment(made.arms, made.strategy, True, asked, made.draw)


class _GivenArm(NamedTuple):
    """An arm, its experiment, and the assignment of a listener who is in this experiment alone."""

    experiment: str
    name: str
    strategy: str | None
    draw: FinalDraw | None
    assignment: Assignment


def _joined(found: Iterable[_GivenArm | None]) -> Assignment:
    """Join the arms of the layers; only an arm of the serving layer names a strategy."""
    given = [arm for arm in found if arm is not None]
    arms = {arm.experiment: arm.name for arm in given}
    for arm in given:
        if arm.strategy is not None:
            return Assignment(arms, arm.strategy, draw=arm.draw)
    return Assignment(arms)


class _Layer:
    """The experiments of a layer; a listener's slot in the layer is hashed once for all of them."""

    __slots__ = ("_only", "_starts", "compiled", "salt")

    def __init__(self, name: str, experiments: Sequence[Experiment]) -> None:
        self.salt = f"layer\0{name}"
        self.compiled = sorted(
            (_Compiled(experiment) for experiment in experiments), key=lambda c: c.start
        )
        self._starts = [compiled.start for compiled in self.compiled]
        only = self.compiled[0]
        self._only = only if (only.start, only.end) == (0, SLOTS) else None

    def arm(self, listener: str, attributes: Attributes | None) -> _GivenArm | None:
        if self._only is not None:
            return self._only.arm(listener, attributes)
        place = slot(listener, self.salt)
        position = bisect_right(self._starts, place) - 1
        if position < 0:
            return None
        compiled = self.compiled[position]
        return compiled.arm(listener, attributes) if place < compiled.end else None

    def forced_arm(self, wanted: Mapping[str, str]) -> _GivenArm | None:
        for compiled in self.compiled:
            name = wanted.get(compiled.experiment.name)
            if name is not None:
                return compiled.by_name[name]
        return None


class _Compiled:
    """An experiment with precomputed salts and slot boundaries."""

    __slots__ = (
        "_arm_salt",
        "_arms",
        "_botify_seed",
        "_bounds",
        "_enters",
        "_entry_salt",
        "_targeting",
        "by_name",
        "end",
        "experiment",
        "start",
    )

    def __init__(self, experiment: Experiment) -> None:
        name, salt, version = experiment.name, experiment.salt, experiment.version
        self.experiment = experiment
        self.start, self.end = experiment.slots
        self._arms = [
            _GivenArm(
                name,
                arm.name,
                arm.strategy,
                arm.draw,
                Assignment({name: arm.name}, arm.strategy, draw=arm.draw),
            )
            for arm in experiment.arms
        ]
        self.by_name = {arm.name: arm for arm in self._arms}
        self._bounds = bounds([arm.weight for arm in experiment.arms])
        self._enters = round(experiment.traffic * SLOTS)
        self._entry_salt = f"entry\0{name}\0{salt}\0{version}"
        self._arm_salt = f"arm\0{name}\0{salt}\0{version}"
        self._targeting = experiment.targeting
        self._botify_seed = mmh3.hash(name, signed=False) if experiment.hash == "botify" else None

    def arm(self, listener: str, attributes: Attributes | None) -> _GivenArm | None:
        if self._targeting and not eligible(self._targeting, attributes or {}):
            return None
        if self._enters < SLOTS and slot(listener, self._entry_salt) >= self._enters:
            return None
        if self._botify_seed is not None:
            return self._arms[self._botify(listener)]
        return self._arms[bisect_right(self._bounds, slot(listener, self._arm_salt))]

    def trace(self, listener: str, attributes: Attributes, layer_salt: str) -> str:
        name = self.experiment.name
        if self._targeting and not eligible(self._targeting, attributes):
            return f"{name}: not targeted"
        place = slot(listener, layer_salt)
        if not self.start <= place < self.end:
            return f"{name}: layer slot {place} is outside of {self.start}..{self.end - 1}"
        entry = slot(listener, self._entry_salt)
        if entry >= self._enters:
            return f"{name}: entry slot {entry}, below {self._enters} enters: not in the traffic"
        if self._botify_seed is not None:
            position = self._botify(listener)
            how = f"murmur3_32 seeded by the name, modulo {len(self._arms)}, is {position}"
        else:
            found = slot(listener, self._arm_salt)
            position = bisect_right(self._bounds, found)
            ends = [0, *self._bounds, SLOTS]
            how = f"arm slot {found}, in {ends[position]}..{ends[position + 1] - 1}"
        return f"{name}: layer slot {place}, entry slot {entry}, {how}: {self._arms[position].name}"

    def _botify(self, listener: str) -> int:
        word: int = mmh3.hash(listener, self._botify_seed or 0, signed=False)
        return word % len(self._arms)


def bounds(weights: Sequence[float]) -> list[int]:
    """Compute the slot below which each arm but the last ends: cumulative weights, rounded.

    The arms lie side by side in the order given. When one arm widens into the next, only the slots
    between the old and the new boundary change their arm.
    """
    total = sum(weights)
    reached = 0.0
    ends = []
    for weight in weights[:-1]:
        reached += weight
        ends.append(round(reached * SLOTS / total))
    return ends


def eligible(targeting: Mapping[str, Sequence[Any]], attributes: Attributes) -> bool:
    """Return whether every targeted attribute is there with one of its allowed values.

    Values are compared by equality, but `true` is not 1. A list or an object equals no value.
    """
    return all(
        key in attributes and any(_equal(attributes[key], value) for value in allowed)
        for key, allowed in targeting.items()
    )


def _equal(one: Any, other: Any) -> bool:
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def digest_of(definition: Any) -> str:
    """Compute the fingerprint of plain JSON values: 12 hex digits of their SHA-256."""
    canonical = json.dumps(definition, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]
