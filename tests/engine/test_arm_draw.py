"""The draw of an arm: it acts at the end of the chain, on all that the strategies propose."""

from pathlib import Path
from typing import Any

import pytest

from core.allocation import Assignment
from core.errors import InputError
from core.listener import History
from core.request import Request
from engine.config_snapshots import load_snapshot, save_snapshot
from engine.turn import take_turn
from tests.service import loaded


def with_arms(*draws: str | None, **strategies: dict[str, Any]) -> Any:
    """Change the config: an arm for each draw, all of strategy `near`."""

    def change(config: dict[str, Any]) -> None:
        config["strategies"] |= {
            "near": {"type": "contextual", "list": "contextual", "fallback": "random"},
            **strategies,
        }
        arms = {
            f"T{number}": {"strategy": "near", "weight": 1 / len(draws), "draw": draw}
            for number, draw in enumerate(draws)
        }
        config["experiments"] = [{"name": "draws", "arms": arms}]

    return change


def decide(runtime: Any, arm: str, **request: Any) -> Any:
    history = History(runtime.catalog)
    (experiment,) = runtime.allocation.experiments
    found = next(each for each in experiment.arms if each.name == arm)
    assignment = Assignment({experiment.name: arm}, found.strategy, draw=found.draw)
    sent = Request(7, 1000, 0.9, **request)
    return take_turn(runtime, history, sent, assignment, "a decision", 0)[0]


LIST = [1010, 1050, 1070, 1110, 1130, 1170]  # of track 1000, see small_world.list_of


def test_first_plays_the_list_in_order(tmp_path: Path) -> None:
    runtime = loaded(tmp_path, with_arms("first", "uniform"))

    made = decide(runtime, "T0", n=3)

    assert made.tracks == LIST[:3]
    assert (made.propensity, made.candidates) == (1.0, 1)


def test_first_comes_after_the_exclusions(tmp_path: Path) -> None:
    """A strategy's own `draw: first` proposes one track, and an exclusion leaves none."""
    near = {"type": "contextual", "list": "contextual", "draw": "first", "fallback": "random"}
    runtime = loaded(tmp_path, with_arms("first", None, near=near))

    assert decide(runtime, "T0", exclude=LIST[:2]).tracks == LIST[2:3]
    assert decide(runtime, "T1", exclude=LIST[:1]).answered_by == "random"


def test_the_draws_state_their_propensities(tmp_path: Path) -> None:
    near = {"type": "contextual", "list": "contextual", "draw": "first", "fallback": "random"}
    runtime = loaded(tmp_path, with_arms("uniform", "rank", "score", near=near))
    by_rank = {track: 1 / rank for rank, track in enumerate(LIST, 1)}

    uniform, rank, score = (decide(runtime, arm) for arm in ("T0", "T1", "T2"))

    assert (uniform.candidates, uniform.propensity) == (6, pytest.approx(1 / 6))
    assert rank.propensity == pytest.approx(by_rank[rank.tracks[0]] / sum(by_rank.values()))
    assert score.propensity == pytest.approx(1 / 6)  # the list has an order, but no scores


def test_a_strategy_that_uses_a_second_one_sees_all_that_it_proposes(tmp_path: Path) -> None:
    first = {"type": "contextual", "list": "contextual", "draw": "first"}
    near = {"type": "gate", "cases": [{"use": "inner"}], "fallback": "random"}
    runtime = loaded(tmp_path, with_arms("uniform", None, near=near, inner=first))

    assert decide(runtime, "T0").candidates == len(LIST)
    assert decide(runtime, "T1").candidates == 1


def test_default_draw_is_for_listeners_in_no_experiment(tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        with_arms(None)(config)
        config["default"], config["default_draw"] = "near", "first"

    runtime = loaded(tmp_path, change)
    sent = Request(7, 1000, 0.9)

    made, _ = take_turn(runtime, History(runtime.catalog), sent, Assignment({}), "a decision", 0)

    assert made.tracks == LIST[:1]
    assert decide(runtime, "T0").candidates == len(LIST)  # an arm without a draw


def test_the_draw_is_in_the_digest_and_in_the_snapshot(tmp_path: Path) -> None:
    plain = loaded(tmp_path, with_arms(None, None))
    runtime = loaded(tmp_path, with_arms("first", None))

    again = load_snapshot(save_snapshot(runtime, tmp_path / "log"))

    assert runtime.digest != plain.digest
    assert again.digest == runtime.digest
    assert decide(again, "T0").tracks == LIST[:1]


def test_a_layer_of_labels_draws_nothing(tmp_path: Path) -> None:
    def change(config: dict[str, Any]) -> None:
        arms = {"A": {"weight": 50, "draw": "first"}, "B": {"weight": 50}}
        config["experiments"] = [{"name": "labels", "layer": "ui", "arms": arms}]

    with pytest.raises(InputError, match=r"arms\.A\.draw: may only stand in layer 'serving'"):
        loaded(tmp_path, change)
