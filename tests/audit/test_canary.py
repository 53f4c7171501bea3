"""The canary over real HTTP: it finds every arm that the answer and the log disagree on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from audit.canary import DEFAULT, run_canaries, with_canaries
from audit.server_faults import SERVER_FAULTS, ServerFault
from core.errors import SegueError
from engine.dispatcher import Dispatcher
from tests.service import loaded


def layered(config: dict[str, Any]) -> None:
    """Add two experiments that share a layer, a label, a holdout and targeting."""
    arms = {"C": {"strategy": "contextual", "weight": 50},
            "T1": {"strategy": "improved", "weight": 50}}  # fmt: skip
    config["experiments"] = [
        {"name": "one", "slots": [0, 5000], "arms": arms, "traffic": 0.5},
        {"name": "two", "slots": [5000, 10000], "arms": arms, "targeting": {"country": "NL"}},
        {"name": "label", "layer": "colour", "arms": {"red": {"weight": 1}}},
    ]
    config["holdout"] = {"share": 0.1}


def test_arms_agree_for_every_listener(tmp_path: Path) -> None:
    runtime = loaded(tmp_path, layered)

    report = run_canaries(runtime.settings, runtime.catalog, tmp_path / "canary", range(300))

    assert report.wrong == []
    assert (report.listeners, report.disagreeing, report.missing) == (300, 0, [])
    assert set(report.by_arm) == {"one C", "one T1", "two C", "two T1", "label red"}
    assert 50 < report.by_arm["two C"] + report.by_arm["two T1"] < 220


@pytest.mark.parametrize("fault", SERVER_FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_the_canary_finds_an_injected_fault(fault: ServerFault, tmp_path: Path) -> None:
    runtime = loaded(tmp_path)

    report = run_canaries(
        runtime.settings, runtime.catalog, tmp_path / "canary", range(60), fault.inject
    )

    assert report.disagreeing >= 20
    assert len(report.wrong) == 10
    assert "the server played the track of 'fallback" in report.wrong[0]
    assert "the log names {'fallback'" in report.wrong[0]


def test_the_canary_leaves_a_shared_state_alone(tmp_path: Path) -> None:
    """The Redis of this config is not there; the canary neither needs nor touches it."""
    state = {"backend": "redis", "url": "redis://127.0.0.1:1/0"}
    runtime = loaded(tmp_path, state=state)
    _, settings = with_canaries(runtime.settings, runtime.catalog, tmp_path / "canary")
    assert (settings.state.backend, settings.state.url) == ("memory", None)
    report = run_canaries(runtime.settings, runtime.catalog, tmp_path / "canary", range(60))
    assert (report.listeners, report.disagreeing, report.missing) == (60, 0, [])


def test_the_canary_finds_a_missing_log_line(tmp_path: Path) -> None:
    runtime = loaded(tmp_path)

    def deafen(dispatcher: Dispatcher) -> None:
        append_all, seen = dispatcher.log.append_all, []

        def every_other(turns: Sequence[Any]) -> None:
            seen.extend(turns)
            if len(seen) % 2:
                append_all(turns)

        dispatcher.log.append_all = every_other  # type: ignore[method-assign]

    report = run_canaries(runtime.settings, runtime.catalog, tmp_path / "canary", range(20), deafen)

    assert report.disagreeing == 10
    assert "got a response, but the log has no line for it" in report.wrong[0]


def test_the_canary_names_an_empty_arm(tmp_path: Path) -> None:
    runtime = loaded(tmp_path)

    report = run_canaries(runtime.settings, runtime.catalog, tmp_path / "canary", range(1))

    assert len(report.missing) == 1


def test_every_arm_gets_its_own_track(tmp_path: Path) -> None:
    runtime = loaded(tmp_path, layered)

    tracks, settings = with_canaries(runtime.settings, runtime.catalog, tmp_path / "canary")

    assert list(tracks) == ["one C", "one T1", "two C", "two T1", DEFAULT]
    assert len(set(tracks.values())) == len(tracks)
    assert settings.experiments[2] == runtime.settings.experiments[2]


def test_a_catalog_with_too_few_tracks_is_refused(tmp_path: Path) -> None:
    def crowded(config: dict[str, Any]) -> None:
        arms = {f"T{n}": {"strategy": "random", "weight": 1 / 25} for n in range(25)}
        config["experiments"] = [{"name": "crowd", "arms": arms}]

    runtime = loaded(tmp_path, crowded)

    with pytest.raises(SegueError, match="24 tracks, and 26 arms need one each"):
        with_canaries(runtime.settings, runtime.catalog, tmp_path / "canary")
