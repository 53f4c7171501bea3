"""Moments of listening: each by hand, and the same from a real log as from the simulated truth."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.main import build
from core.errors import InputError
from events.reader import open_log
from simulator.listeners.calibration import (
    MOMENTS,
    Listens,
    listens_of_log,
    listens_of_truth,
    moments,
)

DAY = 86_400_000


def listens(*sessions: tuple[int, int, list[tuple[int, float]]]) -> Listens:
    """Sessions of (listener, day, [(track, time), ...])."""
    rows = [
        (number, listener, day, track, time)
        for number, (listener, day, heard) in enumerate(sessions)
        for track, time in heard
    ]
    session, listener, day, track = (np.array([r[k] for r in rows], dtype=int) for k in range(4))
    return Listens(session, listener, day, track, np.array([row[4] for row in rows]))


SOME = listens(
    (7, 0, [(1, 1.0), (2, 0.5), (3, 0.0)]),
    (7, 1, [(1, 1.0), (4, 1.0)]),
    (8, 0, [(5, 1.0), (6, 0.01), (6, 0.0), (2, 0.1)]),
    (8, 0, [(5, 0.5)]),
    (9, 2, [(1, 1.0), (2, 0.39)]),
)


@pytest.mark.parametrize(
    ("key", "by_hand"),
    [
        ("sessions", 5),
        ("listeners", 3),
        ("length_mean", 7 / 5),  # 2, 1, 3, 0 and 1 after the first track
        ("length_p50", 1),
        ("time_mean", (0.5 + 1 + 0.11 + 0 + 0.39) / 5),
        ("time_sd", np.std([0.5, 1, 0.11, 0, 0.39])),
        ("heard_mean", 2.0 / 7),
        ("heard_none", 2 / 7),
        ("heard_0_02", 3 / 7),
        ("heard_0_13", 4 / 7),
        ("heard_half", 6 / 7),
        ("heard_to_0_99", 6 / 7),
        ("first_share", 4.5 / 6.5),
        ("first_whole", 4 / 5),
        ("repeats", 1 / 12),  # track 6 twice in a session; track 5 in two sessions is no repeat
        ("tracks", 6),
        ("tracks_head", 3 / 12),  # one track in a hundred is at least one: track 1, or 2
        ("listeners_head", 2 / 5),
        ("returning", 1 / 3),  # came on a day before the last: 7 on 0 and 1, 8 on 0; again: 7 once
    ],
)
def test_a_moment_equals_its_value_by_hand(key: str, by_hand: float) -> None:
    assert moments(SOME)[key] == pytest.approx(by_hand)


def test_session_times_correlate_within_listeners_that_differ() -> None:
    """Two groups of two: means 1 and 5, within-group differences of 2.

    Mean square between: 2 * (4 + 4) / 1 = 16; within: 4 * 1 / 2 = 2; ICC (16 - 2) / (16 + 2).
    """
    heard = {0: [0.0, 2.0], 1: [4.0, 6.0]}
    sessions = [
        (listener, 0, [(1, 1.0), *((2 + n, 1.0) for n in range(int(time)))])
        for listener, times in heard.items()
        for time in times
    ]
    assert moments(listens(*sessions))["time_alike"] == pytest.approx(14 / 18)


@pytest.mark.parametrize("key", ["time_alike", "returning"])
def test_an_undetermined_moment_is_none(key: str) -> None:
    assert moments(listens((1, 0, [(1, 1.0), (2, 0.5)]), (2, 0, [(1, 1.0)])))[key] is None


def test_without_listens_only_the_counts_have_values() -> None:
    empty = np.empty(0, dtype=np.int64)
    values = moments(Listens(empty, empty, empty, empty, np.empty(0)))
    assert values["sessions"] == 0
    assert values["length_mean"] is None
    assert set(values) == {moment.key for moment in MOMENTS}


def lines_of(sessions: Listens) -> dict[int, bytes]:
    """The same as a truth log."""
    lines = {}
    for number in np.unique(sessions.session).tolist():
        rows = sessions.session == number
        line = {
            "day": int(sessions.day[rows][0]),
            "user": int(sessions.listener[rows][0]),
            "tracks": sessions.track[rows].tolist(),
            "times": sessions.time[rows].tolist(),
            "truncated": False,
        }
        lines[number] = json.dumps(line).encode()
    return lines


def events_of(sessions: Listens) -> list[str]:
    """The same as botify would have logged it, an hour between sessions."""
    lines = []
    for number in np.unique(sessions.session).tolist():
        rows = np.flatnonzero(sessions.session == number).tolist()
        for step, row in enumerate(rows):
            event = {
                "message": "last" if row == rows[-1] else "next",
                "timestamp": int(sessions.day[row]) * DAY + number * 3_600_000 + step * 1000,
                "user": int(sessions.listener[row]),
                "track": int(sessions.track[row]),
                "time": float(sessions.time[row]),
                "latency": 0.001,
                "recommendation": 1 if row != rows[-1] else None,
                "experiments": {},
            }
            lines.append(json.dumps({k: v for k, v in event.items() if v is not None}))
    return lines


def test_a_log_and_the_truth_of_the_same_sessions_have_the_same_moments(tmp_path: Path) -> None:
    expected = moments(SOME)
    assert moments(listens_of_truth(lines_of(SOME))) == pytest.approx(expected, nan_ok=True)
    (tmp_path / "log.json").write_text("\n".join(events_of(SOME)) + "\n")
    with open_log([tmp_path / "log.json"]) as log:
        assert moments(listens_of_log(log)) == pytest.approx(expected, nan_ok=True)


def test_truncated_sessions_do_not_count(tmp_path: Path) -> None:
    lines = lines_of(SOME)
    lines[0] = lines[0].replace(b'"truncated": false', b'"truncated": true')
    assert moments(listens_of_truth(lines))["sessions"] == 4
    (tmp_path / "log.json").write_text("\n".join(events_of(SOME)[:-1]) + "\n")
    with open_log([tmp_path / "log.json"]) as log:
        assert moments(listens_of_log(log))["sessions"] == 4


def test_the_command_prints_a_column_for_the_log_and_for_each_listener(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    world, log = tmp_path / "world", tmp_path / "log.json"
    log.write_text("\n".join(events_of(SOME)) + "\n")
    run = CliRunner().invoke
    made = run(build(), ["world", "create", "--tracks", "120", "--users", "30", "--to", str(world)])
    assert made.exit_code == 0, made.output
    arguments = ["world", "calibrate", "--log", str(log), "--world", str(world), "--episodes", "50"]
    printed = run(build(), [*arguments, "--json", "--days", "2"])
    assert printed.exit_code == 0, printed.output
    columns = json.loads(printed.stdout)
    assert list(columns) == ["log", "botify", "lifelong"]
    assert columns["log"]["sessions"] == 5
    assert columns["botify"]["sessions"] == 100
    assert columns["botify"]["first_whole"] == 1
    assert columns["lifelong"]["heard_to_0_99"] < 1
    table = run(build(), [*arguments, "--listener", "botify"])
    assert table.exit_code == 0, table.output
    assert "first tracks' share of all time" in table.output
    assert "lifelong" not in table.output


def test_an_error_names_a_missing_log(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        build(), ["world", "calibrate", "--log", str(tmp_path / "none.json")]
    )
    assert isinstance(result.exception, InputError)  # exit code 2, see cli.main
    assert "none.json" in str(result.exception)
