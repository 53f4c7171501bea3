"""Allocation: shares, ramps, layers, holdout, targeting and forced arms."""

from collections import Counter
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from core.allocation import SLOTS, UNASSIGNED, Allocation, Arm, Experiment, bounds, eligible, slot

LISTENERS = [str(listener) for listener in range(20_000)]
WEIGHTS = some.lists(some.integers(0, 20), min_size=1, max_size=5).filter(lambda w: sum(w) > 0)


def experiment(name: str = "test", weights: tuple[float, ...] = (50, 50), **rest) -> Experiment:
    arms = tuple(Arm(f"T{i}" if i else "C", w, f"s{i}") for i, w in enumerate(weights))
    if rest.get("layer", "serving") != "serving":
        arms = tuple(Arm(arm.name, arm.weight) for arm in arms)
    return Experiment(name, arms, **rest)


def arms_of(*experiments: Experiment, name: str = "test", **rest) -> dict[str, str | None]:
    allocation = Allocation(experiments, **rest)
    return {listener: allocation.assign(listener).arms.get(name) for listener in LISTENERS}


def share(arms: dict[str, str | None], arm: str | None) -> float:
    return sum(found == arm for found in arms.values()) / len(arms)


def chi_square(observed: list[int], expected: list[float]) -> float:
    return sum((o - e) ** 2 / e for o, e in zip(observed, expected, strict=True))


def test_no_experiment_assigns_nobody() -> None:
    assert Allocation().assign("7") == UNASSIGNED


def test_one_listener_always_gets_the_same_arm() -> None:
    first, second = Allocation([experiment()]), Allocation([experiment()])
    assert [first.assign(u) for u in LISTENERS[:500]] == [second.assign(u) for u in LISTENERS[:500]]


def test_the_arm_names_the_strategy() -> None:
    allocation = Allocation([experiment(weights=(1, 1, 1))])
    for listener in LISTENERS[:200]:
        found = allocation.assign(listener)
        assert found.strategy == {"C": "s0", "T1": "s1", "T2": "s2"}[found.arms["test"]]
        assert not found.forced


@given(WEIGHTS)
def test_arms_take_exactly_their_share_of_the_slots(weights: list[int]) -> None:
    ends = [0, *bounds(weights), SLOTS]
    for weight, (start, end) in zip(weights, pairwise(ends), strict=True):
        assert abs((end - start) - weight * SLOTS / sum(weights)) <= 1
        assert weight > 0 or start == end


@given(WEIGHTS, some.data())
def test_widening_an_arm_into_its_neighbour_moves_the_fewest_slots(
    weights: list[int], data: some.DataObject
) -> None:
    """Every slot that changes its arm goes from the shrinking arm to the growing arm."""
    if len(weights) < 2:
        weights = [*weights, 1]
    left = data.draw(some.integers(0, len(weights) - 2))
    moved = data.draw(some.integers(0, weights[left]))
    widened = list(weights)
    widened[left] -= moved
    widened[left + 1] += moved
    before, after = bounds(weights), bounds(widened)
    assert [b for i, b in enumerate(before) if i != left] == [
        b for i, b in enumerate(after) if i != left
    ]
    assert after[left] <= before[left]


@given(some.floats(0, 1), some.floats(0, 1))
def test_ramping_traffic_up_moves_only_the_listeners_that_enter(low: float, high: float) -> None:
    low, high = sorted((low, high))
    small = Allocation([experiment(traffic=low)])
    large = Allocation([experiment(traffic=high)])
    for listener in LISTENERS[:300]:
        before, after = small.assign(listener), large.assign(listener)
        assert before.arms in ({}, after.arms)


def test_arms_and_traffic_have_their_configured_shares() -> None:
    arms = arms_of(experiment(weights=(20, 30, 50), traffic=0.5))
    for arm, expected in {None: 0.5, "C": 0.1, "T1": 0.15, "T2": 0.25}.items():
        assert share(arms, arm) == pytest.approx(expected, abs=0.012)  # over 4 standard errors


def test_entry_and_arm_are_independent() -> None:
    arms = arms_of(experiment(traffic=0.1))
    entered = [arm for arm in arms.values() if arm]
    assert entered.count("C") / len(entered) == pytest.approx(0.5, abs=0.045)


@pytest.mark.parametrize(
    "other",
    [experiment("other"), experiment(version=2), experiment(salt="new")],
    ids=["other-name", "other-version", "other-salt"],
)
def test_arms_under_two_salts_are_independent(other: Experiment) -> None:
    one, two = arms_of(experiment()), arms_of(other, name=other.name)
    cells = [
        sum(one[u] == a and two[u] == b for u in LISTENERS)
        for a in ("C", "T1")
        for b in ("C", "T1")
    ]
    assert chi_square(cells, [len(LISTENERS) / 4] * 4) < 16.27  # p = 0.001 at 3 degrees of freedom


def test_experiments_of_one_layer_never_share_a_listener() -> None:
    allocation = Allocation(
        [experiment("a", slots=(0, 4000)), experiment("b", slots=(4000, 9000), traffic=0.5)]
    )
    found = [allocation.assign(listener).arms for listener in LISTENERS]
    assert all(len(arms) <= 1 for arms in found)
    assert sum("a" in arms for arms in found) / len(LISTENERS) == pytest.approx(0.4, abs=0.015)
    assert sum("b" in arms for arms in found) / len(LISTENERS) == pytest.approx(0.25, abs=0.015)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)], ids=["in-order", "shuffled"])
def test_the_order_in_the_file_does_not_matter_within_a_layer(order: tuple[int, ...]) -> None:
    all_three = [
        experiment("a", slots=(0, 3000)),
        experiment("b", slots=(3000, 5000)),
        experiment("c", slots=(7000, 10_000)),
    ]
    given, shuffled = Allocation(all_three), Allocation([all_three[i] for i in order])
    assert [given.assign(u).arms for u in LISTENERS[:1000]] == [
        shuffled.assign(u).arms for u in LISTENERS[:1000]
    ]


def test_two_layers_are_independent() -> None:
    """The joint distribution of two layers is the product of the single ones."""
    allocation = Allocation(
        [
            experiment("a", slots=(0, 5000)),
            experiment("b", slots=(5000, 10_000)),
            experiment("label", layer="client", slots=(0, 5000)),
            experiment("rest", layer="client", slots=(5000, 10_000)),
        ]
    )
    cells: dict[tuple[str, ...], int] = {}
    for listener in LISTENERS:
        arms = allocation.assign(listener).arms
        key = tuple(f"{name}{arm}" for name, arm in sorted(arms.items()))
        cells[key] = cells.get(key, 0) + 1
    assert len(cells) == 16
    # p = 0.001 at 15 degrees of freedom
    assert chi_square(list(cells.values()), [len(LISTENERS) / 16] * 16) < 37.70


def test_holdout_layer_entry_and_arm_are_drawn_independently() -> None:
    """Each question has a salt of its own: the joint distribution is the product of the shares."""
    cells: Counter[tuple[bool, bool, str | None]] = Counter()
    allocation = Allocation(
        [experiment("a", weights=(30, 70), slots=(0, 4000), traffic=0.5)],
        holdout=0.25,
    )
    place = Allocation([experiment("a", slots=(0, 4000))])
    free = Allocation([experiment("a", weights=(30, 70), slots=(0, 4000), traffic=0.5)])
    for listener in LISTENERS:
        in_slots = bool(place.assign(listener).arms)
        arm = free.assign(listener).arms.get("a")
        out = allocation.held_out(listener)
        assert allocation.assign(listener).arms.get("a") == (None if out else arm)
        cells[out, in_slots, arm] += 1
    shares = {
        (out, in_slots, arm): share_out * share_in * share_arm
        for out, share_out in ((True, 0.25), (False, 0.75))
        for in_slots, share_in in ((True, 0.4), (False, 0.6))
        for arm, share_arm in (
            ((None, 0.5), ("C", 0.15), ("T1", 0.35)) if in_slots else ((None, 1.0),)
        )
    }
    assert cells.keys() == shares.keys()
    observed = [cells[key] for key in shares]
    # p = 0.001 at 7 degrees of freedom
    assert chi_square(observed, [len(LISTENERS) * share for share in shares.values()]) < 24.32


@pytest.mark.parametrize("hash_name", ["segue", "botify"])
def test_slots_of_two_questions_are_independent(hash_name: str) -> None:
    """Two versions, two names, two salts, holdout and layer: every pair of their slots is even."""
    salts = [
        "holdout\0", "layer\0serving", "entry\0a\0a\x001", "arm\0a\0a\x001", "arm\0a\0a\x002",
        "arm\0b\0a\x001", "arm\0a\0b\x001",
    ]  # fmt: skip
    fifths = [[slot(listener, salt) * 5 // SLOTS for listener in LISTENERS] for salt in salts]
    if hash_name == "botify":
        twins = experiment("a", (1, 1, 1, 1, 1), hash="botify"), experiment("a", (1, 1, 1, 1, 1))
        fifths = [
            [int(f"0{arm}"[-1]) if arm != "C" else 0 for arm in arms_of(e, name="a").values()]
            for e in twins
        ]
    for one, two in combinations(fifths, 2):
        pairs = Counter(zip(one, two, strict=True))
        # p = 0.0001 at 24 degrees of freedom, since 21 pairs are looked at
        assert (
            chi_square(
                [pairs[a, b] for a in range(5) for b in range(5)], [len(LISTENERS) / 25] * 25
            )
            < 62.0
        )


@pytest.mark.parametrize(
    ("before", "after", "moves"),
    [
        ((90, 10), (50, 50), {("C", "T1")}),
        ((50, 50), (90, 10), {("T1", "C")}),
        ((80, 10, 10), (60, 30, 10), {("C", "T1")}),
        ((80, 10, 10), (80, 5, 15), {("T1", "T2")}),
        ((80, 10, 10), (60, 20, 20), {("C", "T1"), ("T1", "T2")}),
    ],
    ids=["the-second", "the-first", "of-three", "the-last-of-three", "two-of-three"],
)
def test_widening_an_arm_moves_only_listeners_over_the_boundaries_between_neighbours(
    before: tuple[float, ...], after: tuple[float, ...], moves: set[tuple[str, str]]
) -> None:
    was, now = arms_of(experiment(weights=before)), arms_of(experiment(weights=after))
    moved = {
        listener: (was[listener], now[listener])
        for listener in LISTENERS
        if was[listener] != now[listener]
    }
    assert set(moved.values()) == moves
    # The boundaries shift by so much, and nobody moves who does not stand between old and new.
    shifts = sum(
        abs(one - two) / SLOTS for one, two in zip(bounds(before), bounds(after), strict=True)
    )
    assert len(moved) / len(LISTENERS) == pytest.approx(shifts, abs=0.012)


def test_held_out_listeners_are_in_no_experiment_of_any_layer() -> None:
    experiments = [experiment(), experiment("label", layer="client")]
    allocation = Allocation(experiments, holdout=0.1, holdout_salt="x")
    out = [listener for listener in LISTENERS if not allocation.assign(listener).arms]
    assert out == [listener for listener in LISTENERS if allocation.held_out(listener)]
    assert len(out) / len(LISTENERS) == pytest.approx(0.1, abs=0.01)


def test_widening_the_holdout_keeps_held_out_listeners() -> None:
    small, large = Allocation([], holdout=0.05), Allocation([], holdout=0.1)
    assert all(large.held_out(listener) for listener in LISTENERS if small.held_out(listener))


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"country": "nl", "plan": "free"}, True),
        ({"country": "be", "plan": "free", "more": 1}, True),
        ({"country": "de", "plan": "free"}, False),
        ({"country": "nl"}, False),
        ({}, False),
        (None, False),
    ],
    ids=["both", "other-of-the-allowed", "not-allowed", "one-is-missing", "none", "no-attributes"],
)
def test_only_targeted_listeners_are_in_an_arm(
    attributes: dict[str, str] | None, expected: bool
) -> None:
    targeting = {"country": ("nl", "be"), "plan": ("free",)}
    allocation = Allocation([experiment(targeting=targeting)])
    assert bool(allocation.assign("7", attributes).arms) is expected


def test_true_is_not_the_number_one_to_targeting() -> None:
    assert not eligible({"age": (1,)}, {"age": True})
    assert not eligible({"adult": (True,)}, {"adult": 1})


def test_an_attribute_that_is_no_scalar_is_not_targeted() -> None:
    assert not eligible({"country": ("nl",)}, {"country": ["nl"]})


def test_a_listed_tester_gets_the_forced_arm_whatever_else_holds() -> None:
    forced = experiment(traffic=0.0, targeting={"country": ("nl",)}, forced={"7": "T1"})
    found = Allocation([forced], holdout=1.0).assign("7")
    assert (found.arms, found.strategy, found.forced) == ({"test": "T1"}, "s1", True)


def test_a_requested_arm_wins_over_the_listed_one() -> None:
    allocation = Allocation([experiment(forced={"7": "T1"})])
    assert allocation.assign("7", forced={"test": "C"}).arms == {"test": "C"}


def test_a_forced_arm_takes_its_layer_and_leaves_the_remaining_layers() -> None:
    experiments = [
        experiment("a", slots=(0, 5000)),
        experiment("b", slots=(5000, 10_000)),
        experiment("label", layer="client"),
    ]
    allocation = Allocation(experiments)
    for listener in LISTENERS[:100]:
        free = allocation.assign(listener)
        found = allocation.assign(listener, forced={"b": "T1"})
        assert found.arms == {"b": "T1", "label": free.arms["label"]}
        assert found.strategy == "s1"
        assert found.forced


def test_a_list_forces_only_its_testers() -> None:
    assert not Allocation([experiment(forced={"7": "T1"})]).assign("8").forced


def test_labels_name_no_strategy() -> None:
    found = Allocation([experiment("label", layer="client")]).assign("7")
    assert found.arms
    assert found.strategy is None


def test_a_definition_survives_its_plain_values() -> None:
    full = experiment(
        traffic=0.3, slots=(10, 20), targeting={"c": ("nl",)}, forced={"7": "C"}, version=3
    )
    again = Experiment.from_dict(full.to_dict())
    assert again == full
    assert again.digest == full.digest


@pytest.mark.parametrize(
    "change",
    [
        {"weights": (60, 40)},
        {"salt": "x"},
        {"version": 2},
        {"layer": "client"},
        {"slots": (0, 100)},
        {"traffic": 0.5},
        {"hash": "botify"},
        {"targeting": {"c": (1,)}},
        {"forced": {"7": "C"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_the_digest_knows_every_part_of_the_definition(change: dict) -> None:
    assert experiment(**change).digest != experiment().digest


def test_the_trace_gives_slots_and_arm() -> None:
    experiments = [experiment("a", slots=(0, 5000)), experiment("b", slots=(5000, 10_000))]
    allocation = Allocation(experiments, holdout=0.1)
    for listener in LISTENERS[:200]:
        arms = allocation.assign(listener).arms
        steps = allocation.trace(listener)
        for name, arm in arms.items():
            (step,) = [step for step in steps if step.startswith(f"{name}:")]
            assert step.endswith(f": {arm}")


@given(some.text(), some.text())
def test_a_slot_is_one_of_ten_thousand(listener: str, salt: str) -> None:
    assert 0 <= slot(listener, salt) < SLOTS


def test_slots_are_even() -> None:
    tens = [0] * 100
    for listener in LISTENERS:
        tens[slot(listener, "even") // 100] += 1
    assert chi_square(tens, [len(LISTENERS) / 100] * 100) < 148.23  # p = 0.001 at 99


def test_no_rule_moves_the_fewest_slots_for_every_change_of_three_arms() -> None:
    """Three steps around a circle of weights contradict themselves, so arms lie side by side.

    Two slots. (1, 1, 0) is A B. A gives its slot to C: C B. B gives its to A: C A. C gives its
    to B: B A. The weights are (1, 1, 0) again, but the arms are swapped.
    """
    slots = ["A", "B"]
    for giver, taker in [("A", "C"), ("B", "A"), ("C", "B")]:
        slots[slots.index(giver)] = taker
    assert sorted(slots) == ["A", "B"]
    assert slots == ["B", "A"]


def test_an_experiment_without_traffic_has_no_listener() -> None:
    assert set(arms_of(experiment(traffic=0.0)).values()) == {None}


def test_a_held_out_tester_is_only_in_forced_experiments() -> None:
    experiments = [experiment("a"), experiment("label", layer="client")]
    found = Allocation(experiments, holdout=1.0).assign("7", forced={"a": "T1"})
    assert found.arms == {"a": "T1"}
