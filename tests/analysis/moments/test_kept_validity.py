"""Checks over moments: those that add up are those of the whole log, all others are kept by day."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import CheckResult, Status, ValidityReport
from analysis.checks.suite import EXPERIMENT_CHECKS, LOG_CHECKS, MoreChecks
from analysis.moments.moments import Moments
from analysis.moments.report import report_of_moments, verify_moments
from analysis.moments.validity import ADDED_UP
from analysis.report import LogSelection, ReportRequest, make_report
from audit.log_faults import CleanLog
from core.errors import InputError
from tests.analysis.moments.kept_days import DAYS, days_of
from tests.analysis.trial_log import EXPERIMENT, trial_log

Trial = tuple[CleanLog, ArchivedConfigs]


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    return trial_log(tmp_path_factory.mktemp("trial"), 150, 60)


def misattributed(clean: CleanLog) -> list[dict[str, Any]]:
    """On the first day, a strategy that no arm has answers."""
    first_day = len(clean.events) // DAYS
    return [
        {**line, "strategy": "unknown"} if line["message"] == "next" and place < first_day
        else {**line}
        for place, line in enumerate(clean.events)
    ]  # fmt: skip


def verify(
    configs: ArchivedConfigs, kept: Path, logs: Iterable[Path] = (), more: MoreChecks | None = None
) -> ValidityReport:
    """Add logs one after the other, and check what is kept then."""
    reports: list[ValidityReport] = []
    for selected in [[log] for log in logs] or [[]]:
        selection = LogSelection(selected, experiments=[EXPERIMENT])
        reports = verify_moments(selection, [kept], lambda _: (configs, {}), more=more)
    (found,) = reports
    return found


def of_whole_log(days: Sequence[Path], configs: ArchivedConfigs) -> ValidityReport:
    selection = LogSelection(days, experiments=[EXPERIMENT])
    (result,) = make_report(selection, ReportRequest(), configs, "1", "x").experiments
    return result.validity


def added_up(validity: ValidityReport) -> list[CheckResult]:
    return [replace(each, examples=()) for each in validity.checks if each.name in ADDED_UP]


def test_checks_that_add_up_are_those_of_the_whole_log(trial: Trial, tmp_path: Path) -> None:
    clean, configs = trial
    assert {*LOG_CHECKS, *EXPERIMENT_CHECKS} >= ADDED_UP
    days = days_of(clean.events, tmp_path)
    whole = of_whole_log(days, configs)
    assert len([each for each in whole.checks if each.status is Status.PASSED]) > 20

    for order in ((days[2], days[0], days[1]), (days[1], days[2], days[0])):
        merged = verify(configs, tmp_path / f"from {order[0].name}", order)
        assert added_up(merged) == added_up(whole)
        assert [each.name for each in merged.checks] == [each.name for each in whole.checks]
        assert merged.valid


def test_a_day_that_is_missing_is_found_until_it_is_added(trial: Trial, tmp_path: Path) -> None:
    clean, configs = trial
    first, second, third = days_of(clean.events, tmp_path)

    without = verify(configs, tmp_path / "kept", [first, third])
    whole = verify(configs, tmp_path / "kept", [second])

    assert {"ids", "turns"} <= {each.name for each in without.failed}
    assert whole.valid


def test_a_loss_of_one_arm_that_no_day_shows_is_found(trial: Trial, tmp_path: Path) -> None:
    clean, configs = trial
    arm = clean.experiment.arms[-1].name
    seen = sorted({str(e["user"]) for e in clean.events if e["experiments"][EXPERIMENT] == arm})
    gone = set(seen[: len(seen) * 2 // 3])
    days = days_of([e for e in clean.events if str(e["user"]) not in gone], tmp_path)

    merged = verify(configs, tmp_path / "kept", days)
    alone = [verify(configs, tmp_path / f"of {day.name}", [day]) for day in days]

    name = "sample-ratio"
    assert merged.check(name) == of_whole_log(days, configs).check(name)
    assert merged.check(name).numbers["p"] < min(each.check(name).numbers["p"] for each in alone)


def test_a_day_that_verify_adds_gets_the_gap_of_the_days_before(
    trial: Trial, tmp_path: Path
) -> None:
    clean, configs = trial
    (first, second, _), kept = days_of(clean.events, tmp_path), tmp_path / "kept"
    verify_moments(LogSelection([first], gap_s=600), [kept], lambda _: (configs, {}))
    verify(configs, kept, [second])

    assert [part.gap_s for part in Moments.read(kept).parts] == [600, 600]


def test_moments_do_not_lie_inside_their_log(trial: Trial, tmp_path: Path) -> None:
    clean, configs = trial
    first, *_ = days_of(clean.events, tmp_path)
    with pytest.raises(InputError, match="must not be inside of a LOG"):
        verify(configs, first / "kept", [first])


def test_a_check_of_single_lines_fails_for_good(trial: Trial, tmp_path: Path) -> None:
    clean, configs = trial
    days = days_of(misattributed(clean), tmp_path)
    merged = verify(configs, tmp_path / "kept", days)

    assert merged.check("served").status is Status.FAILED
    assert "1 of 3 parts failed" in merged.check("served").figure


def test_a_day_before_the_experiment_counts_for_it(trial: Trial, tmp_path: Path) -> None:
    """A day that has a different experiment only has lines that this one needs too."""
    clean, configs = trial

    def spoiled(status: Status) -> MoreChecks:
        check = CheckResult("spoiled", "Is it whole?", status, "so it is")
        return MoreChecks(of_log=(lambda _: check,))

    lines = [dict(each) for each in clean.events]
    for line in lines[: len(lines) // DAYS]:
        line["experiments"] = {"earlier": "C"}
    first, *rest = days_of(lines, tmp_path)
    kept = [tmp_path / "kept"]
    verify_moments(
        LogSelection([first]), kept, lambda _: (configs, {}), more=spoiled(Status.FAILED)
    )
    merged = verify(configs, *kept, rest, spoiled(Status.PASSED))

    assert merged.check("spoiled").status is Status.FAILED


@pytest.mark.parametrize("sound", [True, False], ids=["sound", "one-day-failed"])
def test_a_report_withholds_effects_exactly_when_verify_fails(
    sound: bool, trial: Trial, tmp_path: Path
) -> None:
    clean, configs = trial
    lines = clean.events if sound else misattributed(clean)
    validity = verify(configs, tmp_path / "kept", days_of(lines, tmp_path))

    report = report_of_moments(
        LogSelection([], experiments=[EXPERIMENT]), ReportRequest(), [tmp_path / "kept"],
        lambda _: (configs, {}), "1", "x",
    )  # fmt: skip

    (result,) = report.experiments
    assert result.validity == validity
    assert validity.valid == sound == bool(result.primary) != result.withheld
