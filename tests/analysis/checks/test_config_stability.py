"""The gate `config`: one treatment from the first event to the last, and every config known."""

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


def another_default(config: dict[str, Any]) -> None:
    config["default"] = "popular"


def another_strategy(config: dict[str, Any]) -> None:
    config["strategies"]["popular"]["top"] = 4


def another_salt(config: dict[str, Any]) -> None:
    config["experiments"][0]["salt"] = "another"


def another_history(config: dict[str, Any]) -> None:
    config["state"] = {"history": 3}


def half(config: dict[str, Any]) -> None:
    config["experiments"][0]["traffic"] = 0.5


def judged(folder: Path, change: Change, forget: bool = False) -> CheckResult:
    """What the gate says of a log in whose middle the config was changed."""
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
    ("change", "status", "figure", "says"),
    [
        (ramped, Status.PASSED, "2 configs, one treatment", "Traffic went 0.5 -> 1; listeners"),
        (another_default, Status.PASSED, "2 configs, one treatment", "did not touch this"),
        (another_strategy, Status.FAILED, "2 different treatments", ": strategy popular. Before"),
        (another_salt, Status.FAILED, "2 different treatments", ": salt (2026-11 -> another). B"),
        (
            another_history,
            Status.FAILED,
            "2 different treatments",
            ": state.history (100 -> 3). B",
        ),
    ],
    ids=["ramped", "another-default", "another-strategy", "another-salt", "shorter-memory"],
)
def test_a_change_in_mid_run_is_judged_by_what_it_changes(
    change: Change, status: Status, figure: str, says: str, tmp_path: Path
) -> None:
    check = judged(tmp_path, change)

    assert (check.status, check.figure) == (status, figure)
    assert says in check.explanation


def test_a_config_of_which_there_is_no_copy_proves_nothing(tmp_path: Path) -> None:
    check = judged(tmp_path, another_default, forget=True)

    assert check.status is Status.FAILED
    assert check.figure == "1 of 2 configs unknown"
    assert "put that folder beside these logs" in check.explanation
    assert len(check.examples) == 2
