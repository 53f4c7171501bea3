"""The check `config`: one treatment from the first event to the last, every config archived."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import CheckResult, Status
from analysis.checks.suite import run_checks
from audit.synthetic_traffic import SyntheticTraffic
from events.config_snapshots import snapshots_beside
from events.reader import open_log
from tests.service import loaded

Change = Callable[[dict[str, Any]], object]


def ramped(config: dict[str, Any]) -> None:
    config["experiments"][0]["traffic"] = 1.0


def lowered(config: dict[str, Any]) -> None:
    config["experiments"][0]["traffic"] = 0.2


def different_default(config: dict[str, Any]) -> None:
    config["default"] = "popular"


def different_strategy(config: dict[str, Any]) -> None:
    config["strategies"]["popular"]["top"] = 4


def different_salt(config: dict[str, Any]) -> None:
    config["experiments"][0]["salt"] = "another"


def different_history(config: dict[str, Any]) -> None:
    config["state"] = {"history": 3}


def half(config: dict[str, Any]) -> None:
    config["experiments"][0]["traffic"] = 0.5


def check_log(folder: Path, change: Change, forget: bool = False) -> CheckResult:
    """Check a log whose config changed in the middle."""
    serving = loaded(folder, half)
    with SyntheticTraffic(serving, folder / "log", plain=True) as trial:
        trial.play(range(60), 60)

        def both(config: dict[str, Any]) -> None:
            half(config)
            change(config)

        trial.swap(loaded(folder, both))
        trial.play(range(60), 60)
    kept = snapshots_beside([folder / "log"])
    if forget:
        del kept[serving.digest]
    with open_log([folder / "log"], threads=1) as log:
        return run_checks(log, ArchivedConfigs.read(kept), "fallback").check("config")


@pytest.mark.parametrize(
    ("change", "status", "figure", "text"),
    [
        (ramped, Status.PASSED, "2 configs, one treatment", "0.5 -> 1; listeners who entered stay"),
        (lowered, Status.PASSED, "2 configs, one treatment", "0.5 -> 0.2; where it fell, the list"),
        (different_default, Status.PASSED, "2 configs, one treatment", "did not touch this"),
        (different_strategy, Status.FAILED, "2 different treatments", ": strategy popular. Before"),
        (different_salt, Status.FAILED, "2 different treatments", ": salt (2026-11 -> another). B"),
        (
            different_history,
            Status.FAILED,
            "2 different treatments",
            ": state.history (100 -> 3). B",
        ),
    ],
    ids=[
        "ramped",
        "lowered",
        "another-default",
        "another-strategy",
        "another-salt",
        "shorter-memory",
    ],
)
def test_a_change_during_the_experiment_fails_if_it_changes_the_treatment(
    change: Change, status: Status, figure: str, text: str, tmp_path: Path
) -> None:
    check = check_log(tmp_path, change)

    assert (check.status, check.figure) == (status, figure)
    assert text in check.explanation


def test_a_config_without_a_snapshot_proves_nothing(tmp_path: Path) -> None:
    check = check_log(tmp_path, different_default, forget=True)

    assert check.status is Status.FAILED
    assert check.figure == "1 of 2 configs unknown"
    assert "put that folder beside these logs" in check.explanation
    assert len(check.examples) == 2
