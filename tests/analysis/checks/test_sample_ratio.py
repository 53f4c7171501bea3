"""Gates on the sample ratio: over all, while watched, by part, and against all listeners."""

from pathlib import Path

import pytest

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import Status
from analysis.checks.suite import run_all_checks, run_checks
from audit.log_faults import CleanLog, LogLines, write
from core.allocation import Allocation
from core.rng import Stream
from events.reader import open_log
from tests.analysis.trial_log import EXPERIMENT, check_log, trial_log

Base = tuple[CleanLog, ArchivedConfigs]
ALL = [str(user) for user in range(1500)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return trial_log(tmp_path_factory.mktemp("trial"), sessions=1500, listeners=1500)


def without(
    clean: CleanLog, arm: str, one_in: int, from_event: int = 0, file: bool = False
) -> LogLines:
    """The log without some listeners of an arm; or only of the second file."""
    half = len(clean.events) // 2
    written: LogLines = []
    for number, event in enumerate(clean.events):
        name = "events-1.jsonl" if number < half else "events-2.jsonl"
        lost = (
            event["experiments"].get(EXPERIMENT) == arm
            and number >= from_event
            and Stream(f"lost {event['user']}").below(one_in) == 0
        )
        if not (lost and (not file or name == "events-2.jsonl")):
            written.append((name, {**event}))
    return written


def test_an_arm_that_loses_listeners_is_an_alarm_at_every_look(base: Base, tmp_path: Path) -> None:
    clean, archived_configs = base

    validity = check_log(without(clean, "T1", 2), tmp_path, archived_configs)

    assert validity.check("sample-ratio").status is Status.FAILED
    assert validity.check("sample-ratio-watched").status is Status.FAILED
    assert validity.check("sample-ratio").numbers["p"] < 1e-6


def test_one_bad_process_is_named(base: Base, tmp_path: Path) -> None:
    """Over all it drowns: only one process loses listeners of one arm."""
    clean, archived_configs = base

    check = check_log(without(clean, "T1", 2, file=True), tmp_path, archived_configs).check(
        "sample-ratio-by-part"
    )

    assert check.status is Status.FAILED
    assert "process events-2" in check.numbers["alarms"]
    assert "process events-1" not in check.numbers["alarms"]
    assert "process events-2: C " in check.explanation


def test_the_list_of_all_listeners_reveals_a_smaller_loss(base: Base, tmp_path: Path) -> None:
    clean, archived_configs = base
    everybody = [str(event["user"]) for event in clean.events]
    there = sorted(set(everybody))
    write(without(clean, "T1", 12), tmp_path)

    with open_log([tmp_path], threads=1) as log:
        (validity,) = run_all_checks(log, archived_configs, listeners=there)

    assert validity.check("sample-ratio").status is Status.PASSED
    check = validity.check("population")
    assert check.status is Status.FAILED
    expected = Allocation([clean.experiment])
    assert check.numbers["expected"]["C"] == sum(
        expected.assign(user).arms[EXPERIMENT] == "C" for user in there
    )
    assert check.numbers["came"]["C"] == check.numbers["expected"]["C"]


def test_listeners_who_stay_away_equally_are_no_alarm(base: Base, tmp_path: Path) -> None:
    clean, archived_configs = base
    write(clean.copy(), tmp_path)

    with open_log([tmp_path], threads=1) as log:
        (validity,) = run_all_checks(log, archived_configs, listeners=ALL)

    check = validity.check("population")
    assert check.status is Status.PASSED
    assert sum(check.numbers["came"].values()) < sum(check.numbers["expected"].values()) == 1500


def test_more_listeners_than_exist_are_an_alarm(base: Base, tmp_path: Path) -> None:
    clean, archived_configs = base
    write(clean.copy(), tmp_path)

    with open_log([tmp_path], threads=1) as log:
        (validity,) = run_all_checks(log, archived_configs, listeners=ALL[:5])

    assert validity.check("population").status is Status.FAILED


def test_a_listener_in_an_arm_that_config_does_not_know_is_an_alarm(
    base: Base, tmp_path: Path
) -> None:
    clean, archived_configs = base
    written = clean.copy()
    event = written[0][1]
    assert isinstance(event, dict)
    event["experiments"] = {EXPERIMENT: "T9"}

    check = check_log(written, tmp_path, archived_configs).check("sample-ratio")

    assert check.status is Status.FAILED
    assert check.numbers["listeners"]["T9"] == 1


def test_without_a_config_the_sample_ratio_is_unknown(base: Base, tmp_path: Path) -> None:
    clean, _ = base
    write(clean.copy(), tmp_path)

    with open_log([tmp_path], threads=1) as log:
        validity = run_checks(log, ArchivedConfigs(), EXPERIMENT)

    for name in ("sample-ratio", "sample-ratio-watched", "sample-ratio-by-part"):
        assert validity.check(name).status is Status.UNKNOWN
