"""Moments of days add up: in any order, to the report over the whole log."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import pairwise, permutations
from pathlib import Path
from typing import Any

import pytest

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import CheckResult, Status
from analysis.checks.suite import MoreChecks
from analysis.effects.results import ExperimentResult, Report
from analysis.moments.moments import Moments, Part
from analysis.moments.report import report_of_moments
from analysis.report import LogSelection, ReportRequest, make_report
from core.errors import InputError
from tests.analysis.moments.kept_days import alike
from tests.logs import DAY_MS, START_MS, Effect, Plan, as_botify, listening, text

PLAN = Plan(
    arms={"C": Effect(), "T1": Effect(lift=0.3, fallback=0.2)},
    listeners=300, sessions=3.0, days=3, before_days=2, labels={"colour": ["blue", "red"]},
)  # fmt: skip
REQUEST = ReportRequest(
    metrics={"long": "CAST(mean_time_all > 3 AS INT)"},
    even_if_invalid=True,
    segments=("listener", "day", "device"),
    planned=250,
)


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    found = listening(PLAN)
    for event in found:
        event["attributes"] = {"device": "phone" if event["turn"] % 3 else "desk"}
    return found


@pytest.fixture(scope="module")
def days(
    events: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> Mapping[str, Path]:
    """Three logs, one after the other; each ends in the middle of a session that counts."""
    folder = tmp_path_factory.mktemp("days")
    ends = [each["timestamp"] for each in events if each["message"] == "last"]
    edges = [0, *(next(end for end in ends if end > START_MS + day * DAY_MS) for day in (0, 1))]
    edges.append(max(ends) + 1)
    for day in range(3):
        here = [each for each in events if edges[day] <= each["timestamp"] < edges[day + 1]]
        (folder / f"day{day}").mkdir()
        (folder / f"day{day}" / "events.jsonl").write_bytes(text(here) + b"\n[]\n")
    return {path.name: path for path in folder.iterdir()}


def sessions_in(log: Path) -> set[str]:
    lines = (log / "events.jsonl").read_bytes().splitlines()
    return {json.loads(line)["session"] for line in lines if line.startswith(b"{")}


def report(logs: Sequence[Path], moments: Sequence[Path], more: MoreChecks | None = None) -> Report:
    selection = LogSelection(logs)
    return report_of_moments(
        selection, REQUEST, moments, lambda logs: (ArchivedConfigs(), {}), "1", "x", more=more
    )


def without_checks(result: ExperimentResult) -> ExperimentResult:
    return replace(result, validity=replace(result.validity, checks=()), verdicts=())


def test_days_in_any_order_give_the_report_over_the_whole_log(
    days: Mapping[str, Path], tmp_path: Path
) -> None:
    logs = sorted(days.values())
    assert all(sessions_in(one) & sessions_in(two) for one, two in pairwise(logs))
    whole = make_report(LogSelection(logs), REQUEST, ArchivedConfigs(), "1", "x")
    assert whole.experiments[1].segments
    assert whole.experiments[1].over_time
    for number, order in enumerate(permutations(logs)):
        kept = [tmp_path / f"kept{number}"]
        for log in order[:2]:
            report([log], kept)
        merged = report(order[2:], kept)
        assert merged.provenance == whole.provenance
        for found, expected in zip(merged.experiments, whole.experiments, strict=True):
            assert alike(without_checks(found), without_checks(expected))


def test_moments_alone_need_no_log(days: Mapping[str, Path], tmp_path: Path) -> None:
    for name, log in days.items():
        report([log], [tmp_path / name])
    whole = make_report(LogSelection(sorted(days.values())), REQUEST, ArchivedConfigs(), "1", "x")

    merged = report([], [tmp_path / name for name in days])

    for found, expected in zip(merged.experiments, whole.experiments, strict=True):
        assert alike(without_checks(found), without_checks(expected))
        for name in ("one-arm", "sample-ratio", "events-per-listener", "heavy-listener"):
            assert found.validity.check(name) == expected.validity.check(name)


def test_one_part_has_the_checks_of_its_log(days: Mapping[str, Path], tmp_path: Path) -> None:
    merged = report([days["day1"]], [tmp_path / "kept"])
    alone = make_report(LogSelection([days["day1"]]), REQUEST, ArchivedConfigs(), "1", "x")

    assert [result.validity for result in merged.experiments] == [
        result.validity for result in alone.experiments
    ]


def test_effects_stay_withheld_when_any_day_failed(
    events: list[dict[str, Any]], days: Mapping[str, Path], tmp_path: Path
) -> None:
    before = [each for each in events if each["timestamp"] < START_MS]
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "events.jsonl").write_bytes(text(before))

    def spoiled(status: Status) -> MoreChecks:
        check = CheckResult("spoiled", "Is it whole?", status, "so it is")
        return MoreChecks(of_log=(lambda context: check,))

    kept = [tmp_path / "kept"]
    with pytest.raises(InputError, match="must have an event in an experiment"):
        report([tmp_path / "log"], kept, spoiled(Status.FAILED))
    report([days["day1"]], kept, spoiled(Status.PASSED))
    merged = report([days["day2"]], kept, spoiled(Status.PASSED))

    for result in merged.experiments:
        assert result.validity.check("spoiled").status is Status.FAILED
        assert "1 of 3 parts" in result.validity.check("spoiled").figure


def test_a_listener_who_changes_the_arm_overnight_fails(
    events: list[dict[str, Any]], tmp_path: Path
) -> None:
    split = START_MS + DAY_MS
    inside = [each for each in events if each["experiments"]]
    early = [each for each in inside if each["timestamp"] < split]
    seen = {each["user"]: each["experiments"]["fallback"] for each in early}
    late = [each for each in inside if each["timestamp"] >= split and each["user"] in seen]
    moved = [
        each | {"experiments": {**each["experiments"],
                                "fallback": "T1" if seen[each["user"]] == "C" else "C"}}
        for each in late
    ]  # fmt: skip
    for name, lines in (("early", early), ("late", moved)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "events.jsonl").write_bytes(text(lines))
        merged = report([tmp_path / name], [tmp_path / "kept"])

    result = next(each for each in merged.experiments if each.experiment == "fallback")
    assert result.validity.check("one-arm").status is Status.FAILED
    assert result.excluded["more than one arm"] == len({each["user"] for each in late})


def test_the_same_file_is_not_added_twice(days: Mapping[str, Path], tmp_path: Path) -> None:
    report([days["day1"]], [tmp_path / "kept"])
    with pytest.raises(InputError, match="must not share a file"):
        report([days["day1"]], [tmp_path / "kept"])
    assert len(Moments.read(tmp_path / "kept").parts) == 1


def test_events_of_botify_are_refused(events: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "recommender.json").write_bytes(text(map(as_botify, events[:500])))
    with pytest.raises(InputError, match="events of botify"):
        report([tmp_path / "log"], [tmp_path / "kept"])
    assert not (tmp_path / "kept").exists()


def part(place: int, **changes: Any) -> Part:
    """One day; its process wrote a thousand lines a day."""
    first = 1000 * place
    return replace(
        Part(
            name=f"day{place}", gap_s=1800.0, begin_ms=place * DAY_MS,
            end_ms=(place + 1) * DAY_MS - 1, files=[(f"{place}.jsonl", "ours", 9, f"{place}")],
            dropped=[], assignments=[], ids={"p": (first, first + 999, 1000)}, numbered=True,
            ends=[], catalog="", validity={},
        ),
        **changes,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(20))
def test_adding_is_associative_and_commutative(seed: int) -> None:
    chance = random.Random(seed)
    moments = [Moments((part(place),)) for place in chance.sample(range(30), 6)]
    in_order = sum(moments, Moments())
    chance.shuffle(moments)
    while len(moments) > 1:
        one, two = moments.pop(chance.randrange(len(moments))), moments.pop()
        moments.append(one + two)

    assert moments[0] == in_order


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"gap_s": 60.0}, "one gap"),
        ({"catalog": "abc"}, "one catalog"),
        ({"files": [("copy.jsonl", "ours", 9, "1")]}, "share a file"),
        ({"ids": {"p": (1999, 2500, 502)}}, "share a line"),
        ({"numbered": False, "begin_ms": 2 * DAY_MS - 1}, "overlap in time"),
    ],
)
def test_what_does_not_fit_is_not_added(changes: dict[str, Any], reason: str) -> None:
    assert Moments((part(1),)) + Moments((part(2),))
    with pytest.raises(InputError, match=reason):
        Moments((part(1),)) + Moments((part(2, **changes),))


def test_parts_of_several_servers_may_overlap_in_time() -> None:
    other = part(1, name="other", files=[("o.jsonl", "ours", 9, "o")], ids={"q": (1, 9, 9)})
    assert len((Moments((part(1),)) + Moments((other,))).parts) == 2
