"""Reading logs: sessions and listeners agree with the events, for every form of file."""

import gzip
from collections import defaultdict
from pathlib import Path
from typing import Any

import orjson
import pytest
import zstandard

from core.errors import InputError
from events.reader import open_log
from tests.logs import Effect, Plan, as_botify, listening, text, write_botify, write_ours

PLAN = Plan(
    arms={"C": Effect(), "T1": Effect(lift=0.3, fallback=0.2)},
    listeners=60,
    labels={"colour": ["blue", "red"]},
)


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    return listening(PLAN)


def by_hand(events: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Compute the sessions of our events in plain Python."""
    grouped: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for event in sorted(events, key=lambda event: event["turn"]):
        grouped[str(event["user"]), event["session"]].append(event)
    return {
        key: {
            "started_ms": turns[0]["timestamp"],
            "listens": len(turns),
            "time_all": sum(turn["time"] for turn in turns),
            "time_chosen": sum(turn["time"] for turn in turns[1:]),
            "skips": sum(turn["time"] < 0.1 for turn in turns[1:]),
            "recommendations": sum(turn["message"] == "next" for turn in turns),
            "fallbacks": sum(turn.get("depth", 0) > 0 for turn in turns),
        }
        for key, turns in grouped.items()
    }


def test_sessions_agree_with_a_computation_in_plain_python(
    events: list[dict[str, Any]], tmp_path: Path
) -> None:
    write_ours(tmp_path, events, servers=3)
    expected = by_hand(events)
    with open_log([tmp_path]) as log:
        names = list(next(iter(expected.values())))
        rows = log.query(f'SELECT "user", session, {", ".join(names)} FROM sessions')
        found = {
            (user, session): dict(zip(names, rest, strict=True)) for user, session, *rest in rows
        }
    assert found.keys() == expected.keys()
    for key, session in expected.items():
        assert found[key] == pytest.approx(session)


def test_a_botify_log_gives_the_same_sessions(events: list[dict[str, Any]], tmp_path: Path) -> None:
    write_ours(tmp_path / "ours", events)
    write_botify(tmp_path / "botify", events, servers=3, packed=True)
    query = (
        'SELECT "user", started_ms, ended_ms, ended_by, listens, round(time_all, 6), '
        "round(time_chosen, 6), skips, recommendations FROM sessions ORDER BY 1, 2"
    )
    with open_log([tmp_path / "ours"]) as ours, open_log([tmp_path / "botify"]) as botify:
        assert botify.query(query) == ours.query(query)
        assert ours.one("SELECT count(*) FROM sessions") > 60


def test_listeners_have_the_mean_of_their_sessions(
    events: list[dict[str, Any]], tmp_path: Path
) -> None:
    write_ours(tmp_path, events)
    of_user: dict[str, list[float]] = defaultdict(list)
    for (user, _), session in by_hand(events).items():
        of_user[user].append(session["time_all"])
    arms = {str(event["user"]): event["experiments"]["fallback"] for event in events}
    with open_log([tmp_path]) as log:
        rows = log.query(
            'SELECT "user", arm, sessions, mean_time_all, time_all FROM listeners '
            "WHERE experiment = 'fallback'"
        )
    assert len(rows) == PLAN.listeners
    for user, arm, sessions, mean, total in rows:
        assert arm == arms[user]
        assert sessions == len(of_user[user])
        assert total == pytest.approx(sum(of_user[user]))
        assert mean == pytest.approx(total / sessions)


def test_every_experiment_has_its_own_listeners(
    events: list[dict[str, Any]], tmp_path: Path
) -> None:
    write_ours(tmp_path, events)
    with open_log([tmp_path]) as log:
        assert log.experiments() == {"colour": ["blue", "red"], "fallback": ["C", "T1"]}
        assert log.query("SELECT experiment, count(*) FROM listeners GROUP BY 1 ORDER BY 1") == [
            ("colour", 60),
            ("fallback", 60),
        ]
        assert log.one("SELECT count(*) FROM exposures") == 2 * len(events)


@pytest.mark.parametrize(
    ("name", "packed"),
    [
        ("log.json.1", lambda content: content),
        ("log.jsonl.gz", gzip.compress),
        (
            "log.jsonl.3.gz",
            lambda content: gzip.compress(content[:5000]) + gzip.compress(content[5000:]),
        ),
        ("log.json.zst", zstandard.ZstdCompressor().compress),
    ],
    ids=["rotated", "gzip", "gzip-of-two-members", "zstd"],
)
def test_rotated_and_compressed_files_are_read_in_place(
    name: str, packed: Any, events: list[dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(packed(text(events)))
    with open_log([tmp_path]) as log:
        assert log.one("SELECT count(*) FROM events") == len(events)
        assert log.query("SELECT format, lines FROM files") == [("ours", len(events))]


def line(**fields: Any) -> bytes:
    event = {
        "message": "next",
        "timestamp": 1_780_000_000_000,
        "user": 7,
        "track": 1,
        "time": 0.5,
        "latency": 0.001,
        "recommendation": 2,
        "experiments": {"x": "C"},
    } | fields
    return orjson.dumps({key: value for key, value in event.items() if value != "absent"}) + b"\n"


OURS = {"schema": 1, "decision": "d1", "session": "s1", "turn": 1}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (line()[:60] + b"\n", "torn line"),
        (line()[:-20], "torn line"),
        (b"\n", "blank line"),
        (b"Traceback (most recent call last):\n", "not JSON"),
        (b"[1, 2]\n", "not an object"),
        (b'{"message": "\xff\xfe"}\n', "not UTF-8"),
        (line(message="absent"), "missing field: message"),
        (line(timestamp=None), "missing field: timestamp"),
        (line(user="absent"), "missing field: user"),
        (line(user={"id": 7}), "wrong type: user"),
        (line(user=True), "wrong type: user"),
        (line(user=""), "wrong type: user"),
        (line(timestamp="noon"), "wrong type: timestamp"),
        (line(timestamp=1_780_000_000_000_000_000), "out of range: timestamp"),
        (line(timestamp=-1), "out of range: timestamp"),
        (line(time="long"), "wrong type: time"),
        (line(time=1.2), "out of range: time"),
        (line(time=-0.1), "out of range: time"),
        (line(track="absent"), "missing field: track"),
        (line(time="absent"), "missing field: time"),
        (line(message="first"), "unknown message"),
        (line(experiments=[1]), "wrong type: experiments"),
        (line(**OURS | {"decision": "absent"}), "missing field: decision"),
        (line(**OURS | {"session": "absent"}), "missing field: session"),
        (line(**OURS | {"turn": "absent"}), "missing field: turn"),
        (line(**OURS | {"recommendation": "absent"}), "missing field: recommendation"),
        (line(user=1, message="last"), "repeated line"),
    ],
    ids=lambda value: value if isinstance(value, str) else "line",
)
def test_a_dropped_line_is_counted_by_its_reason(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(line(user=1, message="last") + content)
    with open_log([path]) as log:
        assert log.query("SELECT reason, lines, examples FROM dropped") == [
            (reason, 1, [f"{path}:2"])
        ]
        assert log.one("SELECT count(*) FROM events") == 1
        assert log.one("SELECT lines FROM files") == 2


@pytest.mark.parametrize(
    "content",
    [
        line(user="true"),
        line(user="{curly}"),
        line(track=None, time=None, recommendation="a track"),
        line(recommendation=None),
        line(experiments={}),
        line(extra={"deep": [1]}),
        line().replace(b"0.001", b"1e999"),
        line(latency=-3.0),
        line(**OURS)[:-1],
    ],
    ids=[
        "user-true",
        "user-curly",
        "first-visit",
        "nothing-recommended",
        "no-experiment",
        "extra-field",
        "endless-latency",
        "negative-latency",
        "no-newline-at-the-end",
    ],
)
def test_an_unusual_but_valid_line_is_kept(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_bytes(content)
    with open_log([path]) as log:
        assert log.query("FROM dropped") == []
        assert log.one("SELECT count(*) FROM events") == 1


def test_a_decision_that_is_logged_twice_counts_once(
    events: list[dict[str, Any]], tmp_path: Path
) -> None:
    (tmp_path / "a.jsonl").write_bytes(text(events))
    (tmp_path / "b.jsonl").write_bytes(text(events[:40]))
    with open_log([tmp_path]) as log:
        assert log.query("SELECT reason, lines FROM dropped") == [("repeated decision", 40)]
        assert log.one("SELECT count(*) FROM events") == len(events)


def test_thousands_of_faulty_lines_and_arms_take_no_statement_each(tmp_path: Path) -> None:
    lines = [line(user=user, experiments={f"x{user}": "C"}) for user in range(5000)]
    (tmp_path / "log.jsonl").write_bytes(b"".join(lines) + b'"\xff"\n' * 5000)
    with open_log([tmp_path]) as log:
        assert log.query("SELECT reason, lines FROM dropped") == [("not UTF-8", 5000)]
        assert len(log.experiments()) == 5000


def test_a_copied_file_is_reported_as_a_copy(events: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(text(events))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(text(events)))
    with open_log([tmp_path]) as log:
        assert log.query("SELECT reason, lines FROM dropped") == [
            ("copy of another file", len(events))
        ]


def test_a_torn_archive_gives_what_is_whole(events: list[dict[str, Any]], tmp_path: Path) -> None:
    whole = gzip.compress(text(events))
    (tmp_path / "a.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with open_log([tmp_path]) as log:
        reasons = dict(log.query("SELECT reason, lines FROM dropped"))
        assert reasons == {"torn archive": 1, "torn line": 1}
        assert 0 < log.one("SELECT count(*) FROM events") < len(events)


def test_last_comes_after_the_next_of_the_same_millisecond(tmp_path: Path) -> None:
    # Two servers, as in botify's notebook: the first file has the `last`.
    at = 1_780_000_000_000
    (tmp_path / "recommender-1.json").write_bytes(
        line(message="last", timestamp=at + 5, track=3, time=0.2, recommendation=None)
    )
    (tmp_path / "recommender-2.json").write_bytes(
        line(timestamp=at, track=1, time=1.0, recommendation=2)
        + line(timestamp=at + 5, track=2, time=0.4, recommendation=3)
        + line(timestamp=at + 900, track=9, time=1.0, recommendation=4)
    )
    with open_log([tmp_path]) as log:
        assert log.query(
            "SELECT listens, time_all, time_chosen, ended_by FROM sessions ORDER BY started_ms"
        ) == [(3, pytest.approx(1.6), pytest.approx(0.6), "last"), (1, 1.0, 0.0, "open")]


def test_silence_ends_a_session_of_botify(tmp_path: Path) -> None:
    at = 1_780_000_000_000
    (tmp_path / "log.json").write_bytes(
        line(timestamp=at) + line(timestamp=at + 60_000) + line(timestamp=at + 60_000 + 600_001)
    )
    with open_log([tmp_path], gap_s=600) as log:
        assert log.query("SELECT listens, ended_by FROM sessions ORDER BY started_ms") == [
            (2, "gap"),
            (1, "open"),
        ]
    with open_log([tmp_path], gap_s=601) as log:
        assert log.query("SELECT listens, ended_by FROM sessions") == [(3, "open")]


def test_a_listener_of_two_arms_or_a_forced_arm_is_excluded(tmp_path: Path) -> None:
    def ours(user: int, arm: str, turn: int, **more: Any) -> bytes:
        return line(
            user=user,
            experiments={"x": arm},
            schema=1,
            decision=f"{user}-{turn}",
            session=f"s{user}-{turn}",
            turn=turn,
            **more,
        )

    (tmp_path / "log.jsonl").write_bytes(
        ours(1, "C", 1) + ours(1, "T", 2) + ours(2, "C", 1, forced=True) + ours(3, "T", 1)
        + ours(4, "C", 1, message="last")
    )  # fmt: skip
    with open_log([tmp_path]) as log:
        assert log.query(
            """SELECT "user", arm, reason FROM excluded WHERE reason <> 'no ended session'
            ORDER BY 1"""
        ) == [
            ("1", "C", "more than one arm"),
            ("2", "C", "forced"),
            ("4", "C", "no recommendation"),
        ]
        assert log.query('SELECT "user", arm FROM listeners') == [("3", "T")]


def test_a_listener_stays_in_an_entered_experiment_without_the_attribute(tmp_path: Path) -> None:
    """Later turns and sessions without an arm count under the arm of the first; earlier ones do
    not, nor do sessions under a config that exposed nobody."""

    def turn(number: int, session: str, arms: dict[str, str], config: str = "a") -> bytes:
        return line(
            timestamp=1_780_000_000_000 + 1000 * number, time=0.5, experiments=arms, schema=1,
            decision=f"1-{number}", session=session, turn=number, config=config,
            message="next" if number % 2 else "last",
        )  # fmt: skip

    (tmp_path / "log.jsonl").write_bytes(
        turn(1, "early", {}) + turn(2, "early", {})
        + turn(3, "entry", {"x": "T"}) + turn(4, "entry", {})
        + turn(5, "outside", {}) + turn(6, "outside", {})
        + turn(7, "stopped", {}, "b") + turn(8, "stopped", {}, "b")
    )  # fmt: skip
    with open_log([tmp_path]) as log:
        assert log.query("SELECT session, arm FROM arm_sessions ORDER BY started_ms") == [
            ("entry", "T"),
            ("outside", "T"),
        ]
        assert log.query("SELECT arm, sessions, time_all FROM listeners") == [("T", 2, 2.0)]
        assert log.query("SELECT session, inside, events FROM entered_sessions ORDER BY 1") == [
            ("entry", 1, 2),
            ("outside", 0, 2),
        ]


def test_a_session_without_a_recommendation_counts_for_no_arm(tmp_path: Path) -> None:
    """A retried `final` without a key makes such a session."""

    def turn(number: int, session: str, message: str) -> bytes:
        return line(
            timestamp=1_780_000_000_000 + 1000 * number, time=0.5, experiments={"x": "T"}, schema=1,
            decision=f"1-{number}", session=session, turn=number, message=message,
        )  # fmt: skip

    (tmp_path / "log.jsonl").write_bytes(
        turn(1, "one", "next") + turn(2, "one", "last") + turn(3, "again", "last")
    )
    with open_log([tmp_path]) as log:
        assert log.query("SELECT arm, sessions, time_all FROM listeners") == [("T", 1, 1.0)]
        assert log.query("SELECT session, answered FROM entered_sessions ORDER BY 1") == [
            ("again", False),
            ("one", True),
        ]


def test_sessions_before_the_experiment_are_summed_separately(tmp_path: Path) -> None:
    events = listening(Plan(listeners=40, sessions=4, before_days=3, days=3))
    write_ours(tmp_path, events)
    before = {
        (str(event["user"]), event["session"]) for event in events if not event["experiments"]
    }
    expected: dict[str, set[str]] = defaultdict(set)
    for user, session in before:
        expected[user].add(session)
    with open_log([tmp_path]) as log:
        rows = log.query('SELECT "user", before_sessions, before_mean_time_all FROM listeners')
    assert any(count for _, count, _ in rows)
    for user, count, mean in rows:
        assert count == len(expected[user])
        assert (mean is None) == (count == 0)


def test_a_window_keeps_whole_sessions(events: list[dict[str, Any]], tmp_path: Path) -> None:
    write_ours(tmp_path, events)
    starts = sorted(session["started_ms"] for session in by_hand(events).values())
    since, until = starts[20], starts[90]
    expected = {
        key: session["listens"]
        for key, session in by_hand(events).items()
        if since <= session["started_ms"] < until
    }
    with open_log([tmp_path], since_ms=since, until_ms=until) as log:
        found = log.query('SELECT "user", session, listens FROM sessions')
        assert {(user, session): listens for user, session, listens in found} == expected
        assert log.one("SELECT count(*) FROM events") == sum(expected.values())


def test_both_formats_are_read_together(events: list[dict[str, Any]], tmp_path: Path) -> None:
    (tmp_path / "ours.jsonl").write_bytes(text(events[:100]))
    (tmp_path / "mixed.json").write_bytes(
        text([events[100], *(as_botify(event) for event in events[101:])])
    )
    with open_log([tmp_path]) as log:
        assert log.one("SELECT count(*) FROM events") == len(events)
        assert log.one('SELECT count(*) FROM events WHERE "schema" = 0') == len(events) - 101


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: [], r"name at least one event file"),
        (lambda folder: [folder / "nowhere"], r"nowhere: is not there"),
        (lambda folder: [folder], r"has no event files"),
        (
            lambda folder: [(folder / "x.json").write_text("hello\n") and folder / "x.json"],
            r"x\.json: no event is left in the log\. Dropped: 1 x not JSON, as at .*x\.json:1",
        ),
        (
            lambda folder: [(folder / "x.json").touch() or folder / "x.json"],
            r"the log is empty",
        ),
    ],
    ids=["no-path", "missing", "empty-folder", "no-log", "empty-file"],
)
def test_a_file_that_is_no_log_is_refused(make: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        open_log(make(tmp_path))


def test_snapshots_and_the_ledger_beside_the_events_are_not_read(tmp_path: Path) -> None:
    paths = write_ours(tmp_path, listening(Plan(listeners=3)))
    for folder in ("configs", "started"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "something.json").write_text('{\n "digest": 1\n}\n')

    with open_log([tmp_path]) as log:
        assert log.query("SELECT path FROM files") == [(str(path),) for path in paths]
        assert log.query("SELECT * FROM dropped") == []
