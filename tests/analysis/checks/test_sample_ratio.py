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
from tests.analysis.trial_log import EXPERIMENT, judged, trial_log

Base = tuple[CleanLog, ArchivedConfigs]
ALL = [str(user) for user in range(1500)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return trial_log(tmp_path_factory.mktemp("trial"), sessions=1500, listeners=1500)


def without(
    sound: CleanLog, arm: str, one_in: int, from_event: int = 0, file: bool = False
) -> LogLines:
    """The log without some listeners of an arm; or only of the second file."""
    half = len(sound.events) // 2
    written: LogLines = []
    for number, event in enumerate(sound.events):
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
    sound, definitions = base

    certificate = judged(without(sound, "T1", 2), tmp_path, definitions)

    assert certificate.gate("sample-ratio").verdict is Status.FAILED
    assert certificate.gate("sample-ratio-watched").verdict is Status.FAILED
    assert certificate.gate("sample-ratio").numbers["p"] < 1e-6


def test_one_bad_process_is_named(base: Base, tmp_path: Path) -> None:
    """Over all it drowns: only one process loses listeners of one arm."""
    sound, definitions = base

    gate = judged(without(sound, "T1", 2, file=True), tmp_path, definitions).gate(
        "sample-ratio-by-part"
    )

    assert gate.verdict is Status.FAILED
    assert "process events-2" in gate.numbers["alarms"]
    assert "process events-1" not in gate.numbers["alarms"]
    assert "process events-2: C " in gate.says


def test_against_all_listeners_a_smaller_loss_shows(base: Base, tmp_path: Path) -> None:
    sound, definitions = base
    everybody = [str(event["user"]) for event in sound.events]
    there = sorted(set(everybody))
    write(without(sound, "T1", 12), tmp_path)

    with open_log([tmp_path], threads=1) as log:
        (certificate,) = run_all_checks(log, definitions, listeners=there)

    assert certificate.gate("sample-ratio").verdict is Status.PASSED
    gate = certificate.gate("population")
    assert gate.verdict is Status.FAILED
    expected = Allocation([sound.experiment])
    assert gate.numbers["expected"]["C"] == sum(
        expected.assign(user).arms[EXPERIMENT] == "C" for user in there
    )
    assert gate.numbers["came"]["C"] == gate.numbers["expected"]["C"]


def test_who_did_not_come_at_all_is_no_fault_of_an_arm(base: Base, tmp_path: Path) -> None:
    sound, definitions = base
    write(sound.copy(), tmp_path)

    with open_log([tmp_path], threads=1) as log:
        (certificate,) = run_all_checks(log, definitions, listeners=ALL)

    gate = certificate.gate("population")
    assert gate.verdict is Status.PASSED
    assert sum(gate.numbers["came"].values()) < sum(gate.numbers["expected"].values()) == 1500


def test_listeners_from_nowhere_are_an_alarm(base: Base, tmp_path: Path) -> None:
    sound, definitions = base
    write(sound.copy(), tmp_path)

    with open_log([tmp_path], threads=1) as log:
        (certificate,) = run_all_checks(log, definitions, listeners=ALL[:5])

    assert certificate.gate("population").verdict is Status.FAILED


def test_a_listener_in_an_arm_that_config_does_not_know_is_an_alarm(
    base: Base, tmp_path: Path
) -> None:
    sound, definitions = base
    written = sound.copy()
    event = written[0][1]
    assert isinstance(event, dict)
    event["experiments"] = {EXPERIMENT: "T9"}

    gate = judged(written, tmp_path, definitions).gate("sample-ratio")

    assert gate.verdict is Status.FAILED
    assert gate.numbers["listeners"]["T9"] == 1


def test_without_a_config_nothing_was_promised(base: Base, tmp_path: Path) -> None:
    sound, _ = base
    write(sound.copy(), tmp_path)

    with open_log([tmp_path], threads=1) as log:
        certificate = run_checks(log, ArchivedConfigs(), EXPERIMENT)

    for name in ("sample-ratio", "sample-ratio-watched", "sample-ratio-by-part"):
        assert certificate.gate(name).verdict is Status.UNKNOWN
