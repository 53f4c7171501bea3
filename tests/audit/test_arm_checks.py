"""Checks of arms: dead arms, identical arms, and shares."""

from pathlib import Path
from typing import Any

import pytest

from analysis.statistics.sample_ratio import sample_ratio_p
from audit.arm_checks import NO_ARM, arm_shares, listener_ids, sample_arms, sample_listeners
from core.allocation import Allocation
from tests.service import loaded


def arms(*strategies: str) -> list[dict[str, Any]]:
    weight = 1 / len(strategies)
    return [
        {
            "name": "demo",
            "arms": {
                f"T{n}": {"strategy": name, "weight": weight} for n, name in enumerate(strategies)
            },
        }
    ]


def test_arms_that_answer_differently_have_no_faults(tmp_path: Path) -> None:
    runtime = loaded(tmp_path)

    samples, faults = sample_arms(runtime, sample_listeners(runtime, 60))

    assert faults == []
    assert [(each.arm, each.strategy) for each in samples] == [
        ("C", "contextual"), ("T1", "improved"),
    ]  # fmt: skip
    assert all(0 < each.own < each.listeners == 60 for each in samples)
    assert all(each.smallest >= 1 for each in samples)


def test_an_arm_that_answers_only_by_its_fallback_is_a_fault(tmp_path: Path) -> None:
    def dead(config: dict[str, Any]) -> None:
        config["strategies"]["personal"] = {
            "type": "personal", "list": "personal", "fallback": "random",
        }  # fmt: skip
        config["experiments"] = arms("personal", "contextual")

    runtime = loaded(tmp_path, dead)
    strangers = [each for each in sample_listeners(runtime, 60) if each.id not in set("123456")]

    _, faults = sample_arms(runtime, strangers)

    (fault,) = faults
    assert fault.startswith("demo T0: 'personal' proposed nothing to any of 54 listeners")


def test_two_arms_with_the_same_proposals_are_a_fault(tmp_path: Path) -> None:
    def twins(config: dict[str, Any]) -> None:
        config["strategies"]["again"] = dict(config["strategies"]["contextual"])
        config["experiments"] = arms("contextual", "again", "random")

    runtime = loaded(tmp_path, twins)

    _, faults = sample_arms(runtime, sample_listeners(runtime, 40))

    assert faults == [
        "demo: arms T0 ('contextual') and T1 ('again') propose the same to every one of 40 "
        "listeners"
    ]


def test_the_same_strategy_twice_is_an_a_a_test(tmp_path: Path) -> None:
    runtime = loaded(tmp_path, experiments=arms("contextual", "contextual"))

    assert sample_arms(runtime, sample_listeners(runtime, 40))[1] == []


def test_listeners_of_lists_come_first(tmp_path: Path) -> None:
    ids = listener_ids(loaded(tmp_path), 8)

    assert ids == ["1", "2", "3", "4", "5", "6", "made up 0", "made up 1"]


@pytest.mark.parametrize(
    ("experiment", "planned"),
    [
        ({}, [0.45, 0.45, 0.1]),
        ({"traffic": 0.5}, [0.225, 0.225, 0.55]),
        ({"slots": [0, 2000]}, [0.09, 0.09, 0.82]),
        ({"targeting": {"country": ["NL"]}}, [0.45, 0.45, 0.1]),
        ({"hash": "botify"}, [0.45, 0.45, 0.1]),
    ],
    ids=["all", "half-the-traffic", "a-fifth-of-the-slots", "targeted", "botify"],
)
def test_shares_are_as_planned(
    experiment: dict[str, Any], planned: list[float], tmp_path: Path
) -> None:
    def change(config: dict[str, Any]) -> None:
        config["experiments"] = arms("contextual", "improved")
        config["experiments"][0] |= experiment
        config["holdout"] = {"share": 0.1}

    runtime = loaded(tmp_path, change)

    names, seen, expected = arm_shares(runtime, runtime.allocation.experiments[0], 20_000)

    assert names == ["T0", "T1", NO_ARM]
    assert expected == pytest.approx(planned)
    assert sum(seen) == 20_000
    assert sample_ratio_p(seen, expected) > 0.001


def test_a_biased_assignment_fails_the_sample_ratio_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = loaded(tmp_path)
    right = Allocation.assign

    def biased(self: Allocation, listener: str, *rest: Any) -> Any:
        return right(self, "id 1" if listener.endswith("7") else listener, *rest)

    monkeypatch.setattr(Allocation, "assign", biased)

    _, seen, expected = arm_shares(runtime, runtime.allocation.experiments[0], 20_000)

    assert sample_ratio_p(seen, [max(0.0, share) for share in expected]) < 1e-6
