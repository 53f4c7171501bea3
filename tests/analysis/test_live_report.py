"""A live report equals, at every moment of a log that grows, a report over the same lines."""

import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.effects.results import Report
from analysis.live_report import LiveReport
from analysis.report import LogSelection, ReportRequest, make_report
from core.errors import InputError
from tests.logs import Effect, Plan, as_botify, listening, text

PLAN = Plan(arms={"C": Effect(), "T1": Effect(lift=0.3, fallback=0.2)}, listeners=120)
REQUEST = ReportRequest(even_if_invalid=True, segments=("listener", "day"))


def lines_of(events: list[dict[str, Any]]) -> list[bytes]:
    return [line + b"\n" for line in text(events).splitlines()]


def whole(folder: Path) -> Report:
    selection = LogSelection([folder])
    return make_report(selection, REQUEST, ArchivedConfigs(), "1", "segue report")


def without_examples(report: Report) -> Report:
    """Leave out the lines that the check of botify's arms names: it names any ten."""
    results = []
    for result in report.experiments:
        checks = tuple(replace(check, examples=()) for check in result.validity.checks)
        results.append(replace(result, validity=replace(result.validity, checks=checks)))
    return replace(report, experiments=tuple(results))


def live_on(folder: Path) -> LiveReport:
    selection = LogSelection([folder])
    return LiveReport(selection, REQUEST, ArchivedConfigs, "1", "segue report")


def append(path: Path, lines: list[bytes]) -> None:
    with path.open("ab") as file:
        file.write(b"".join(lines))


def test_at_every_moment_it_equals_the_report_over_the_same_lines(tmp_path: Path) -> None:
    lines = lines_of(listening(PLAN))
    # A torn line, a line of no event, a wrong value, and two decisions that are logged twice.
    lines[30:30] = [b'{"message":"next","time\n', b"[1]\n", lines[3].replace(b'"C"', b"7")]
    lines[400:400] = [lines[350], lines[12]]
    moments = [0, 1, 25, 31, 33, 300, 399, 401, 402, 700, len(lines)]
    with live_on(tmp_path) as live:
        for begin, end in pairwise(moments):
            append(tmp_path / "events-a.jsonl", lines[begin:end])
            assert live.update()
            assert live.report() == whole(tmp_path)
        assert not live.update()


def test_a_new_file_that_sorts_before_the_others_takes_its_place(tmp_path: Path) -> None:
    lines = lines_of(listening(PLAN))
    with live_on(tmp_path) as live:
        append(tmp_path / "events-m.jsonl", lines[:300])
        live.update()
        live.report()
        append(tmp_path / "events-m.jsonl", lines[300:400])
        append(tmp_path / "events-a.jsonl", [b"no event\n", lines[20], *lines[400:]])
        live.update()

        assert live.report() == whole(tmp_path)
        assert live.report().provenance.files[0][0].endswith("events-a.jsonl")


def test_a_line_that_is_still_being_written_waits_for_its_end(tmp_path: Path) -> None:
    lines = lines_of(listening(PLAN))
    with live_on(tmp_path) as live:
        append(tmp_path / "events-a.jsonl", [*lines[:500], lines[500][:40]])
        live.update()
        assert not live.report().provenance.dropped

        append(tmp_path / "events-a.jsonl", [lines[500][40:]])
        assert live.update()
        assert live.report() == whole(tmp_path)


def test_a_folder_that_was_emptied_begins_again(tmp_path: Path) -> None:
    lines = lines_of(listening(PLAN))
    with live_on(tmp_path) as live:
        append(tmp_path / "events-a.jsonl", lines)
        live.update()
        (tmp_path / "events-a.jsonl").unlink()
        append(tmp_path / "events-b.jsonl", lines[:600])
        live.update()

        assert live.report() == whole(tmp_path)


def test_a_file_whose_content_changed_in_place_is_read_again(tmp_path: Path) -> None:
    path, lines = tmp_path / "events-a.jsonl", lines_of(listening(PLAN))
    with live_on(tmp_path) as live:
        append(path, lines)
        live.update()
        before = live.report()
        path.write_bytes(b"".join(lines).replace(b'"C"', b'"D"'))
        os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000_000))
        assert live.update()

        assert live.report() == whole(tmp_path) != before
        assert not live.update()


def test_events_of_botify_grow_too(tmp_path: Path) -> None:
    lines = lines_of([as_botify(event) for event in listening(PLAN)])
    with live_on(tmp_path) as live:
        for begin, end in ((0, 500), (500, 503), (503, len(lines))):
            append(tmp_path / "recommender.json", lines[begin:end])
            live.update()
            assert without_examples(live.report()) == without_examples(whole(tmp_path))


def test_a_folder_without_events_is_refused_until_there_is_one(tmp_path: Path) -> None:
    with live_on(tmp_path) as live:
        with pytest.raises(InputError, match="has no event files"):
            live.update()
        append(tmp_path / "events-a.jsonl", [b"\n"])
        live.update()
        with pytest.raises(InputError, match="no event is left"):
            live.report()
        append(tmp_path / "events-a.jsonl", lines_of(listening(PLAN)))
        live.update()
        assert live.report() == whole(tmp_path)


def test_a_time_window_is_refused(tmp_path: Path) -> None:
    selection = replace(LogSelection([tmp_path]), since_ms=0)
    with pytest.raises(InputError, match="time window"):
        LiveReport(selection, REQUEST, ArchivedConfigs, "1", "segue report")
