"""A digest leaves out defaults, so that a release may add keys and params."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import create_model

from analysis.checks.archived_configs import ArchivedConfigs
from audit.replay import Replayer, ReplayResult
from audit.synthetic_traffic import SyntheticTraffic
from core.errors import InputError
from engine.config_snapshots import load_snapshot, save_snapshot
from engine.runtime import Runtime
from engine.settings import defaults
from engine.settings.loading import load_settings
from events.config_snapshots import fill_in, snapshots_beside
from events.event_files import find_event_files
from events.merge import merge_events
from strategies import registry
from strategies.base import ListParams
from strategies.top_pop import TopPop
from tests.service import loaded

GOLDEN = Path(__file__).parents[1] / "golden"

Release = Callable[..., None]


@pytest.fixture
def release(monkeypatch: pytest.MonkeyPatch) -> Release:
    """Register a plugin's strategy type `shelf` whose `top` has this default, with more params."""
    monkeypatch.setattr(registry, "TYPES", registry.TYPES.copy())

    def publish(top: int = 8, **params: Any) -> None:
        model = create_model("ShelfParams", __base__=ListParams, top=(int, top), **params)

        class Shelf(TopPop):
            """Play from the top."""

        Shelf.__module__ = "shelf_plugin"
        registry.strategy("shelf", model)(Shelf)

    return publish


def shelf(config: dict[str, Any]) -> None:
    config["strategies"]["popular"] = {"type": "shelf", "fallback": "random"}


def logged(folder: Path) -> Runtime:
    """Write a log of the config with the plugin."""
    runtime = loaded(folder, shelf)
    with SyntheticTraffic(runtime, folder / "log") as traffic:
        traffic.play(range(40), 60)
    return runtime


def replayed(folder: Path) -> ReplayResult:
    kept = snapshots_beside([folder / "log"])
    replayer = Replayer(lambda digest: load_snapshot(kept[digest]))
    for event, where in merge_events(find_event_files([folder / "log"]), replayer.result.skip):
        replayer.take(event, where)
    return replayer.finish()


def test_a_new_param_at_its_default_leaves_digest_and_replay_alone(
    release: Release, tmp_path: Path
) -> None:
    release()
    before = logged(tmp_path)

    release(patience=(int, 3), names=(dict[str, int], {}))

    assert loaded(tmp_path, shelf).digest == before.digest
    result = replayed(tmp_path)
    assert result.sound, result.mismatches
    assert set(result.configs) == {before.digest}


def test_a_new_param_off_its_default_makes_a_new_config(release: Release, tmp_path: Path) -> None:
    release(patience=(int, 3))
    before = loaded(tmp_path, shelf)

    def patient(config: dict[str, Any]) -> None:
        shelf(config)
        config["strategies"]["popular"]["patience"] = 4

    assert loaded(tmp_path, patient).digest != before.digest


def test_a_changed_default_does_not_change_what_an_old_snapshot_means(
    release: Release, tmp_path: Path
) -> None:
    release()
    before = logged(tmp_path)
    release(top=2)

    (copy,) = snapshots_beside([tmp_path / "log"]).values()
    again = load_snapshot(copy)

    assert again.settings.strategies["popular"].params.model_dump()["top"] == 8
    assert again.digest == before.digest
    assert replayed(tmp_path).sound


def test_two_meanings_of_one_digest_are_never_in_one_log(release: Release, tmp_path: Path) -> None:
    release()
    kept = save_snapshot(loaded(tmp_path, shelf), tmp_path / "log")
    release(top=2)
    changed = loaded(tmp_path, shelf)

    with pytest.raises(
        InputError,
        match=re.escape(f"{kept}: strategies.popular.top: must have the default 8, as when this"),
    ):
        save_snapshot(changed, tmp_path / "log")


def test_a_key_that_is_newer_than_the_snapshot_gets_its_first_default(
    release: Release, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Format 2 has no `patience`; it came in 3 as 1, was 5 from format 4 on, and is 7 now."""
    release()
    kept = save_snapshot(loaded(tmp_path, shelf), tmp_path / "log")
    release(patience=(int, 7))
    former = {3: {"strategies": {"shelf": {"patience": 1}}, "state": {"history": 5}},
              4: {"strategies": {"shelf": {"patience": 5}}}}  # fmt: skip
    monkeypatch.setattr(defaults, "FORMER_DEFAULTS", former)

    def patience(runtime: Runtime) -> int:
        params = runtime.settings.strategies["popular"].params.model_dump()
        assert isinstance(params["patience"], int)
        return params["patience"]

    assert patience(load_snapshot(kept)) == 1
    assert load_snapshot(kept).settings.state.history == 100, "the copy says what it left out"
    former[1] = {"strategies": {"shelf": {"patience": 9}}}
    assert patience(load_snapshot(kept)) == 1, "format 1 is older than the copy"
    del former[3]
    assert patience(load_snapshot(kept)) == 5
    former.clear()
    assert patience(load_snapshot(kept)) == 7


def test_a_param_that_a_release_adds_does_not_change_a_treatment(
    release: Release, tmp_path: Path
) -> None:
    def ramped(config: dict[str, Any]) -> None:
        shelf(config)
        config["experiments"][0]["traffic"] = 0.5

    release()
    before = save_snapshot(loaded(tmp_path, ramped), tmp_path / "log").stem
    release(patience=(int, 3))
    after = save_snapshot(loaded(tmp_path, shelf), tmp_path / "log").stem

    configs = ArchivedConfigs.read(snapshots_beside([tmp_path / "log"])).by_digest

    assert configs[before].treatment("fallback") == configs[after].treatment("fallback")


def test_no_default_changes_within_a_format() -> None:
    """The digest leaves defaults out, so a changed one must change `FORMAT`: see FORMER_DEFAULTS.

    The golden file does not move; a default that was changed since stands in FORMER_DEFAULTS.
    """
    settings = load_settings(GOLDEN / "logs" / "schema-1" / "every-strategy" / "config.yaml")
    golden = json.loads((GOLDEN / "defaults.json").read_text("utf-8"))
    types = golden["defaults"]["strategies"]
    blank = {
        "format": golden["format"],
        "strategies": {name: {"type": name} for name in types},
        "experiments": [{"arms": [{}]}],
        "holdout": {},
    }

    meant = fill_in(blank, golden["defaults"])
    means = fill_in(defaults.with_former_defaults(blank), defaults.defaults_of(settings))

    for name in types:
        assert means["strategies"][name].items() >= meant["strategies"][name].items()
    (one,), (before,) = means["experiments"][0].pop("arms"), meant["experiments"][0].pop("arms")
    assert one.items() >= before.items()
    assert means["experiments"][0].items() >= meant["experiments"][0].items()
    assert means.items() >= {**meant, "strategies": means["strategies"],
                             "experiments": means["experiments"]}.items()  # fmt: skip
