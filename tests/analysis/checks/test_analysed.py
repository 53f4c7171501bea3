"""Whoever is analysed: what the client of one arm does must not choose the listeners compared."""

from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import Status, ValidityReport
from analysis.checks.suite import run_checks
from audit.synthetic_traffic import SyntheticTraffic
from core.request import ListenReport, Request
from core.rng import Stream
from events.config_snapshots import snapshots_beside
from events.reader import EventLog, open_log
from tests.analysis.trial_log import EXPERIMENT
from tests.service import loaded

LISTENERS = 4000
TARGETED = {"country": "nl"}
SKIPPED = 0.05
TRACKS = 8
"""Recommendations of a session."""
SKIPS = {"C": 1.0, "T1": 0.9}
"""By how much an arm changes a listener's share of skips, which lies between 0 and 0.8."""


def play(folder: Path, forgetful: bool) -> Path:
    """One session of each listener. Listeners of T1 skip less, which is all that it does.

    Args:
        folder: For the config and the log.
        forgetful: Whether the client of T1 leaves out the targeted attribute after one skip in
            five.
    """

    def targeted(config: dict[str, Any]) -> None:
        config["experiments"][0]["targeting"] = {"country": ["nl"]}

    runtime = loaded(folder, targeted)
    with SyntheticTraffic(runtime, folder / "log") as traffic:
        take, clock = traffic.dispatcher, traffic.clock
        for user in range(LISTENERS):
            stream, omitting = Stream(f"analysed {user}"), Stream(f"omitting {user}")
            arm = runtime.allocation.assign(str(user), TARGETED).arms[EXPERIMENT]
            skips = 0.8 * stream.uniform() * SKIPS[arm]
            track, time = None, None
            for turn in range(TRACKS + 1):
                clock.at_ms += 1000
                omits = arm == "T1" and time == SKIPPED and omitting.below(5) == 0
                facts = None if forgetful and omits else TARGETED
                if turn == TRACKS:
                    report = ListenReport(user, track, time, facts, final=True)
                    take.feedback(report, perf_counter())
                    break
                decision = take.recommend(Request(user, track, time, facts), perf_counter())
                track, time = decision.tracks[0], SKIPPED if stream.uniform() < skips else 1.0
    return folder / "log"


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return play(tmp_path_factory.mktemp("honest"), forgetful=False)


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return play(tmp_path_factory.mktemp("forgetful"), forgetful=True)


def checked(log: EventLog, folder: Path) -> ValidityReport:
    return run_checks(log, ArchivedConfigs.read(snapshots_beside([folder])), EXPERIMENT)


def lift_of(log: EventLog, sessions: str) -> float:
    means = dict(log.query(f"SELECT arm, avg(time_all) FROM ({sessions}) GROUP BY arm"))
    return float(means["T1"] / means["C"] - 1)


WHOLLY_INSIDE = """
    SELECT x.experiment, x.arm, s.time_all FROM session_arms AS x
    INNER JOIN sessions AS s ON x."user" = s."user" AND x.session = s.session
    WHERE x.events = s.events
"""


def test_a_client_that_forgets_the_attribute_chooses_nobody(honest: Path, forgetful: Path) -> None:
    """Counting only the sessions wholly inside the experiment doubles the effect; by intention to
    treat it stays what it is without the fault."""
    with open_log([honest], threads=1) as log:
        truth = lift_of(log, "SELECT * FROM arm_sessions")
    with open_log([forgetful], threads=1) as log:
        assert lift_of(log, WHOLLY_INSIDE) > 1.5 * truth
        assert lift_of(log, "SELECT * FROM arm_sessions") == pytest.approx(truth)
        assert log.query("SELECT count(*) FROM excluded") == [(0,)]


def test_leaving_the_experiment_more_often_in_one_arm_is_an_alarm(forgetful: Path) -> None:
    with open_log([forgetful], threads=1) as log:
        validity = checked(log, forgetful)

    assert [check.name for check in validity.failed] == ["staying"]
    check = validity.check("staying")
    assert check.numbers["C"] == 0
    assert 0.01 < check.numbers["T1"] < 0.1
    assert check.examples
    assert "no arm" in check.examples[0].what
    assert validity.check("analysed-ratio").status is Status.PASSED


def test_attributes_that_come_and_go_in_every_arm_are_no_alarm(
    forgetful: Path, tmp_path: Path
) -> None:
    """Every fourth turn of either arm carries no arm, beside what T1's client forgets."""
    (path,) = forgetful.glob("*.jsonl")
    lines = path.read_text().splitlines(keepends=True)
    outside = [
        line.replace('"experiments":{"fallback":"C"}', '"experiments":{}').replace(
            '"experiments":{"fallback":"T1"}', '"experiments":{}'
        )
        if number % 4 == 0 and '"turn":1,' not in line
        else line
        for number, line in enumerate(lines)
    ]
    (tmp_path / "log.jsonl").write_text("".join(outside))
    with open_log([tmp_path], threads=1) as log:
        check = checked(log, forgetful).check("staying")

    assert check.numbers["p"] < 0.001
    assert check.numbers["T1"] - check.numbers["C"] > 0.01
    assert check.status is Status.WARNING


def test_an_honest_log_with_targeting_is_valid(honest: Path) -> None:
    with open_log([honest], threads=1) as log:
        validity = checked(log, honest)
        counted = dict(log.query("SELECT arm, count(*) FROM listeners GROUP BY arm"))

    assert validity.valid
    assert validity.check("analysed-ratio").numbers["listeners"] == counted


def unanswered(folder: Path, one_in: int) -> Iterator[str]:
    """Lines of the log; in T1 some listeners' recommendations are lost, and their ends are not."""
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text().splitlines(keepends=True):
            user = line.partition('"user":')[2].partition(",")[0]
            lost = '"T1"' in line and Stream(f"lost {user}").below(one_in) == 0
            if not lost or '"message":"next"' not in line:
                yield line


def test_an_arm_whose_listeners_are_not_analysed_is_an_alarm(honest: Path, tmp_path: Path) -> None:
    """Every listener has an event, so the sample ratio of everybody sees nothing."""
    (tmp_path / "log.jsonl").write_text("".join(unanswered(honest, 5)))
    (tmp_path / "configs").symlink_to(honest / "configs")
    with open_log([tmp_path], threads=1) as log:
        validity = checked(log, tmp_path)

    assert validity.check("sample-ratio").status is Status.PASSED
    assert validity.check("sample-ratio-watched").status is Status.PASSED
    ratio, left_out = validity.check("analysed-ratio"), validity.check("left-out")
    assert ratio.status is Status.FAILED
    assert ratio.numbers["p"] < 1e-6
    assert left_out.status is Status.FAILED
    assert left_out.numbers["reasons"] == {
        "T1": {"no recommendation": pytest.approx(LISTENERS / 10, rel=0.2)}
    }
    assert "(no recommendation)" in left_out.explanation
