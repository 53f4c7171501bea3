"""The small world, as config and on disk: many tests build on it."""

from typing import Literal

import pytest
from pydantic import Field

from benchmarks.worlds import make_world, write_config
from engine.runtime import load_runtime
from engine.settings.loading import load_settings
from segue.testing.small_world import CONFIGURED, example_params
from strategies import registry
from strategies.base import Params, StrategyName, TrackLists
from tests.service import WITH_VECTORS, loaded
from tests.worlds import every_type


def test_every_registered_type_is_served_over_the_small_world(tmp_path):
    every = {**CONFIGURED, **every_type()}
    runtime = loaded(
        tmp_path, catalog=WITH_VECTORS, strategies=every, default="merge", experiments=[]
    )
    assert set(runtime.chains) == {*CONFIGURED, *registry.known()}
    assert runtime.default == "merge"


def test_benchmarks_serve_every_type(tmp_path):
    make_world(tmp_path / "data", tracks=1500, listeners=20)
    runtime = load_runtime(
        load_settings(write_config(tmp_path, tmp_path / "data", "session_vectors"))
    )
    assert set(runtime.chains) == set(registry.known())


def test_a_type_that_may_abstain_has_a_fallback():
    entries = every_type()
    assert entries["random"] == {"type": "random"}
    assert entries["constant"] == {"type": "constant", "track": 1000}
    assert entries["contextual_and_popular"] == {
        "type": "contextual_and_popular",
        "list": "contextual",
        "popular": "popular",
        "fallback": "random",
    }


class Strange(Params):
    """Params of every kind that can be required."""

    list: TrackLists
    first: StrategyName
    popular: StrategyName
    mode: Literal["fast", "slow"]
    loud: bool
    level: int = Field(ge=3)
    share: float = Field(gt=0, le=1)
    word: str = Field(examples=["hello"])
    depth: int = 5


def test_example_params_are_found_for_params_of_every_kind():
    found = example_params(Strange)
    assert found == {
        "list": "contextual",
        "first": "contextual",
        "popular": "popular",
        "mode": "fast",
        "loud": True,
        "level": 3,
        "share": 1,
        "word": "hello",
    }
    Strange.model_validate(found)


def test_a_param_that_nothing_explains_is_named():
    class Mute(Params):
        word: str

    with pytest.raises(AssertionError, match=r"Mute\.word is required, and nothing says"):
        example_params(Mute)
