"""Changes of a started experiment: an allowed one moves no listener out of an arm."""

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from core.allocation import Allocation, Arm, Experiment
from core.experiment_changes import breaking_changes, widest_definition

STARTED = Experiment(
    "test",
    (Arm("C", 50, "control"), Arm("T1", 50, "new")),
    salt="test",
    slots=(2000, 6000),
    traffic=0.5,
    targeting={"country": ("nl", "be"), "adult": (True,)},
)
LISTENERS = [str(listener) for listener in range(300)]


def changed(**changes: Any) -> Experiment:
    return dataclasses.replace(STARTED, **changes)


@pytest.mark.parametrize(
    "after",
    [
        STARTED,
        changed(traffic=0.6),
        changed(slots=(2000, 7000)),
        changed(slots=(0, 10_000)),
        changed(targeting={"country": ("be", "de", "nl"), "adult": (True,)}),
        changed(targeting={"adult": (True,)}),
        changed(targeting={}),
        changed(forced={"7": "T1"}),
        changed(arms=(Arm("C", 0.5, "control"), Arm("T1", 0.5, "new"))),
    ],
    ids=[
        "nothing",
        "more-traffic",
        "more-slots",
        "all-slots",
        "one-more-country",
        "any-country",
        "no-targeting",
        "a-tester",
        "weights-in-other-units",
    ],
)
def test_this_may_change(after: Experiment) -> None:
    assert breaking_changes(STARTED, after) == []


@pytest.mark.parametrize(
    ("after", "key", "what"),
    [
        (changed(traffic=0.4), "traffic", "reached 0.5, is 0.4; may only grow"),
        (changed(slots=(2001, 6000)), "slots", "were [2000, 6000], are [2001, 6000]"),
        (changed(slots=(5000, 9000)), "slots", "may only widen"),
        (changed(salt="other"), "salt", "was 'test', is 'other'"),
        (changed(layer="client"), "layer", "was 'serving', is 'client'"),
        (changed(hash="botify"), "hash", "was 'segue', is 'botify'"),
        (
            changed(arms=(Arm("C", 40, "control"), Arm("T1", 60, "new"))),
            "arms",
            "had weights C 50, T1 50, have C 40, T1 60",
        ),
        (
            changed(arms=(Arm("T1", 50, "new"), Arm("C", 50, "control"))),
            "arms",
            "were C control, T1 new, are T1 new, C control",
        ),
        (changed(arms=(*STARTED.arms, Arm("T2", 0, "new"))), "arms", "are C control, T1 new, T2"),
        (
            changed(arms=(Arm("C", 50, "control"), Arm("T1", 50, "x"))),
            "arms",
            "are C control, T1 x",
        ),
        (changed(targeting={**STARTED.targeting, "plan": ("free",)}), "targeting", "admit more"),
        (changed(targeting={"country": ("nl",), "adult": (True,)}), "targeting", "was {'country'"),
        (changed(targeting={"country": ("nl", "be"), "adult": (1,)}), "targeting", "is {'country'"),
    ],
    ids=[
        "less-traffic",
        "fewer-slots",
        "other-slots",
        "salt",
        "layer",
        "hash",
        "weights",
        "order-of-arms",
        "one-more-arm",
        "an-arms-strategy",
        "one-more-condition",
        "one-country-less",
        "true-becomes-one",
    ],
)
def test_this_may_not_change(after: Experiment, key: str, what: str) -> None:
    (found,) = breaking_changes(STARTED, after)
    assert found.key == key
    assert what in found.what


def test_all_breaking_changes_are_named_at_once() -> None:
    after = changed(salt="x", layer="y", slots=(0, 1), traffic=0.1, targeting={"a": (1,)})
    assert {each.key for each in breaking_changes(STARTED, after)} == {
        "salt", "layer", "slots", "traffic", "targeting",
    }  # fmt: skip


SHARES = some.sampled_from([0.25, 0.5, 1.0])
DEFINITIONS = some.builds(
    Experiment,
    some.just("test"),
    some.sampled_from(
        [
            (Arm("C", 50, "a"), Arm("T", 50, "b")),
            (Arm("C", 1, "a"), Arm("T", 1, "b")),
            (Arm("C", 30, "a"), Arm("T", 70, "b")),
            (Arm("T", 50, "b"), Arm("C", 50, "a")),
        ]
    ),
    salt=some.sampled_from(["s", "t"]),
    layer=some.sampled_from(["serving", "other"]),
    slots=some.sampled_from([(0, 10_000), (0, 5000), (2000, 5000)]),
    traffic=SHARES,
    hash=some.sampled_from(["segue", "botify"]),
    targeting=some.sampled_from([{}, {"c": ("nl",)}, {"c": ("nl", "be")}]),
)


@given(DEFINITIONS, DEFINITIONS)
def test_an_allowed_change_takes_no_listener_out_of_an_arm(
    before: Experiment, after: Experiment
) -> None:
    if breaking_changes(before, after):
        return
    then, now = Allocation([before]), Allocation([after])
    for listener in LISTENERS:
        for attributes in ({}, {"c": "nl"}, {"c": "be"}):
            was = then.assign(listener, attributes)
            assert was.arms == {} or now.assign(listener, attributes) == was


@given(DEFINITIONS, DEFINITIONS)
def test_a_breaking_change_takes_a_listener_out_of_an_arm(
    before: Experiment, after: Experiment
) -> None:
    """Every rule is needed; only the rule for layers protects the remaining experiments."""
    # The hash of botify uses neither salt nor weights.
    alike = before.layer == after.layer and {before.hash, after.hash} != {"botify"}
    if not (breaking_changes(before, after) and alike):
        return
    then, now = Allocation([before]), Allocation([after])
    assert any(
        then.assign(listener, attributes).arms
        and now.assign(listener, attributes) != then.assign(listener, attributes)
        for listener in LISTENERS
        for attributes in ({}, {"c": "nl"}, {"c": "be"})
    )


def test_a_stopped_experiment_is_remembered_as_it_was() -> None:
    assert widest_definition(STARTED, changed(traffic=0.0)) == STARTED
    assert widest_definition(STARTED, changed(traffic=0.7)).traffic == 0.7
