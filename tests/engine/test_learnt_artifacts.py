"""Learnt artifacts in a config: what a version replaces, and the experiment of a pilot."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from core.errors import InputError
from engine.settings.learnt_artifacts import (
    FORMAT,
    Pilot,
    ServingState,
    read_state,
)
from engine.settings.loading import load_settings
from engine.settings.pilot import free_slots
from tests.service import write_config

STRATEGIES: dict[str, Any] = {
    "random": {"type": "random"},
    "popular": {"type": "top_pop", "top": 8, "fallback": "random"},
    "near": {"type": "contextual", "list": "contextual", "fallback": "popular"},
    "session": {"type": "session_lists", "lists": {"contextual": 0.5}, "personal": "personal"},
    "softly": {"type": "explore", "of": "session", "fallback": "near"},
    "cascade": {
        "type": "gate",
        "cases": [{"below": 0.5, "use": "near"}, {"use": "popular"}],
        "fallback": "random",
    },
}


def config(folder: Path, default: str, **more: Any) -> Path:
    def change(content: dict[str, Any]) -> None:
        content["strategies"] = STRATEGIES
        content["default"] = default
        content["experiments"] = []
        content.update(more)

    return write_config(folder, change)


def make_version(folder: Path, number: int, **files: Any) -> None:
    own = folder / "artifacts" / str(number)
    own.mkdir(parents=True)
    content = {"format": FORMAT, "version": number, "lists": {}, "vectors": {}, "top": None}
    content |= {"strategy": None, **files}
    (own / "manifest.json").write_bytes(orjson.dumps(content))


def serve(folder: Path, state: ServingState) -> None:
    (folder / "artifacts" / "serving.json").write_bytes(state.as_json())


def test_without_a_version_the_config_is_as_it_stands(tmp_path: Path) -> None:
    path = config(tmp_path, "softly")
    assert load_settings(path).catalog.lists["contextual"] == Path("contextual.jsonl")


def test_a_version_stands_in_for_files_of_the_same_name(tmp_path: Path) -> None:
    path = config(tmp_path, "near")
    make_version(tmp_path, 1, lists={"contextual": "c.npz"}, top="top.json", strategy="softly")
    serve(tmp_path, ServingState((0, 1)))
    settings = load_settings(path)
    assert settings.catalog.lists["contextual"] == Path("artifacts/1/c.npz")
    assert settings.catalog.lists["personal"] == Path("personal.jsonl")
    assert settings.catalog.top == Path("artifacts/1/top.json")
    assert settings.default == "softly"


def test_a_pilot_copies_every_strategy_that_reads_a_learnt_file(tmp_path: Path) -> None:
    path = config(tmp_path, "softly")
    make_version(tmp_path, 3, lists={"contextual": "c.npz"})
    serve(tmp_path, ServingState((0,), Pilot(3, 0.1, 0)))
    settings = load_settings(path)
    found = settings.strategies
    assert found["softly.v3"].params.of == "session.v3"  # type: ignore[attr-defined]
    assert found["softly.v3"].fallback == "near.v3"
    assert found["session.v3"].params.lists == {"contextual.v3": 0.5}  # type: ignore[attr-defined]
    assert found["session.v3"].params.personal == "personal"  # type: ignore[attr-defined]
    assert found["near.v3"].params.list == "contextual.v3"  # type: ignore[attr-defined]
    assert found["near.v3"].fallback == "popular"  # it reads nothing that was learnt
    assert "popular.v3" not in found
    assert settings.catalog.lists["contextual"] == Path("contextual.jsonl")
    assert settings.catalog.lists["contextual.v3"] == Path("artifacts/3/c.npz")


def test_a_pilot_renames_strategies_inside_of_cases(tmp_path: Path) -> None:
    path = config(tmp_path, "cascade")
    make_version(tmp_path, 2, lists={"contextual": "c.npz"})
    serve(tmp_path, ServingState((0,), Pilot(2, 0.1, 0)))
    cases = load_settings(path).strategies["cascade.v2"].params.cases  # type: ignore[attr-defined]
    assert [case.use for case in cases] == ["near.v2", "popular"]


@pytest.mark.parametrize(
    ("taken", "slots", "treatment"),
    [
        ([], (0, 10_000), 10),
        ([[0, 4000]], (4000, 10_000), 100 / 6),
        ([[1000, 9000]], (0, 1000), 50),
        ([[0, 3000], [8000, 10_000]], (3000, 8000), 20),
    ],
    ids=["free", "the rest", "one of two gaps, too small for the share", "the middle"],
)
def test_a_pilot_takes_the_widest_free_range_of_slots(
    tmp_path: Path, taken: list[list[int]], slots: tuple[int, int], treatment: float
) -> None:
    arms = {"C": {"strategy": "near", "weight": 50}, "T": {"strategy": "softly", "weight": 50}}
    experiments = [{"name": f"e{n}", "slots": each, "arms": arms} for n, each in enumerate(taken)]
    path = config(tmp_path, "softly", experiments=experiments)
    make_version(tmp_path, 1, lists={"contextual": "c.npz"})
    free = free_slots(load_settings(path))
    serve(tmp_path, ServingState((0,), Pilot(1, 0.1, 0, free)))
    pilot = load_settings(path).experiments[-1]
    assert pilot.slots == slots
    assert pilot.arms[1].weight == pytest.approx(treatment, abs=1e-6)


def test_a_pilot_keeps_its_slots_when_an_experiment_ends(tmp_path: Path) -> None:
    path = config(tmp_path, "softly")  # without the experiment that had the other slots
    make_version(tmp_path, 1, lists={"contextual": "c.npz"})
    serve(tmp_path, ServingState((0,), Pilot(1, 0.1, 0, (5000, 9000))))
    assert load_settings(path).experiments[0].slots == (5000, 9000)


def test_a_pilot_keeps_the_draw_of_the_default(tmp_path: Path) -> None:
    path = config(tmp_path, "softly", default_draw="score")
    make_version(tmp_path, 1, lists={"contextual": "c.npz"})
    serve(tmp_path, ServingState((0,), Pilot(1, 0.1, 0)))
    assert [arm.draw for arm in load_settings(path).experiments[0].arms] == ["score", "score"]


def test_a_pilot_of_a_strategy_that_reads_nothing_learnt_is_refused(tmp_path: Path) -> None:
    path = config(tmp_path, "popular")
    make_version(tmp_path, 1, lists={"contextual": "c.npz"})
    serve(tmp_path, ServingState((0,), Pilot(1, 0.1, 0)))
    with pytest.raises(InputError, match=r"popular: must read a learnt list.*--strategy NAME"):
        load_settings(path)


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b'{"format": 1}', b'{"format": 1, "promoted": [], "pilot": null}',
     b'{"format": 9, "promoted": [0], "pilot": null}',
     b'{"format": 1, "promoted": [0], "pilot": {"version": "x"}}'],
    ids=["empty", "a list", "no keys", "nothing promoted", "a later format", "text for a number"],
)  # fmt: skip
def test_a_damaged_state_is_named(tmp_path: Path, content: bytes) -> None:
    path = config(tmp_path, "softly")
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / "serving.json").write_bytes(content)
    with pytest.raises(InputError, match=r"serving\.json"):
        load_settings(path)


def test_a_state_reads_as_it_was_written(tmp_path: Path) -> None:
    state = ServingState((0, 2, 5), Pilot(6, 0.25, 17, (100, 900)))
    (tmp_path / "serving.json").write_bytes(state.as_json())
    assert read_state(tmp_path) == state
