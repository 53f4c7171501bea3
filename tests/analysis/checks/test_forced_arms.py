"""Forced arms are recomputed from the config: testers are marked, and nobody else is."""

from pathlib import Path
from typing import Any

import pytest

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import Status
from audit.log_faults import CleanLog
from tests.analysis.trial_log import check_log, trial_log

Base = tuple[CleanLog, ArchivedConfigs]
TESTER = 7


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    def force(config: dict[str, Any]) -> None:
        config["experiments"][0]["forced"] = {str(TESTER): "T1"}

    return trial_log(tmp_path_factory.mktemp("trial"), change=force)


def changed(base: Base, folder: Path, user: int, **change: Any) -> Any:
    clean, archived_configs = base
    lines = clean.copy()
    for _, event in lines:
        assert isinstance(event, dict)
        if event["user"] == user:
            event.update(change)
    return check_log(lines, folder, archived_configs).check("forced")


def test_testers_that_the_config_names_are_marked(base: Base, tmp_path: Path) -> None:
    check = changed(base, tmp_path, TESTER)

    assert check.status is Status.PASSED
    assert check.numbers["forced"] > 0


@pytest.mark.parametrize(
    ("user", "change", "what"),
    [
        (TESTER, {"forced": False}, "is not forced in the log, the config says forced"),
        (TESTER + 1, {"forced": True}, "is forced in the log, the config says not forced"),
    ],
    ids=["a tester counted as a listener", "a listener left out as a tester"],
)
def test_a_wrong_mark_fails(
    user: int, change: dict[str, Any], what: str, base: Base, tmp_path: Path
) -> None:
    check = changed(base, tmp_path, user, **change)

    assert check.status is Status.FAILED
    assert check.examples[0].what == f"listener {user} {what}"


@pytest.mark.parametrize(
    "change", [{"forced": True, "asked": {"fallback": "T1"}}, {"seat": True}], ids=str
)
def test_a_request_for_an_arm_and_a_seat_need_no_config(
    change: dict[str, Any], base: Base, tmp_path: Path
) -> None:
    assert changed(base, tmp_path, TESTER + 1, **change).status is Status.PASSED
