"""Event lines that must not change: each schema's writer wrote them, and we still read them."""

import json
from pathlib import Path

import pytest

from core.allocation import UNASSIGNED, Assignment
from core.decision import Decision, FailedTurn, Feedback
from events.reader import open_log
from events.schema import SCHEMA, line

GOLDEN = Path(__file__).parents[1] / "golden" / "events"

FIRST_VISIT = Decision(
    id="0123456789ab-1",
    user=7,
    track=None,
    time=None,
    at_ms=1_700_000_000_000,
    session="0123456789ab-1",
    number=1,
    assignment=UNASSIGNED,
    config="a1b2c3d4e5f6",
    latency_s=0.000_031,
    tracks=[1000],
    strategy="popular",
    answered_by="popular",
    candidates=8,
    propensity=0.125,
    took_us=17.4,
)
EVERYTHING = Decision(
    id="0123456789ab-2",
    user="Zoë",
    track="x/1",
    time=0.07,
    at_ms=1_700_000_000_500,
    session="0123456789ab-2",
    number=1,
    assignment=Assignment(
        {"fallback": "T1", "label": "A"}, "improved", forced=True, asked={"fallback": "T1"}
    ),
    config="a1b2c3d4e5f6",
    latency_s=0.000_042,
    attributes={"country": "nl", "age": 30, "premium": True, "score": 0.5},
    key="retry-1",
    reset=True,
    tracks=["x/3", "x/4"],
    strategy="improved",
    answered_by="popular",
    depth=1,
    candidates=94,
    propensity=0.010_638_297_872_340_425,
    n=2,
    exclude=["x/2"],
    took_us=23.0,
    failed=[{"strategy": "improved", "error": "KeyError"}],
)
HEARD = Feedback(
    id="0123456789ab-3",
    user=7,
    track=1000,
    time=0.9,
    at_ms=1_700_000_060_000,
    session="0123456789ab-1",
    number=2,
    assignment=UNASSIGNED,
    config="a1b2c3d4e5f6",
    latency_s=0.000_011,
)
LAST = Feedback(
    id="0123456789ab-4",
    user=7,
    track=1010,
    time=1.0,
    at_ms=1_700_000_120_000,
    session="0123456789ab-1",
    number=3,
    assignment=Assignment({"fallback": "C"}, "contextual"),
    config="a1b2c3d4e5f6",
    latency_s=0.000_012,
    final=True,
)

FAILED = FailedTurn(
    id="0123456789ab-5",
    user=7,
    track=1010,
    time=1.0,
    at_ms=1_700_000_180_000,
    session="",
    number=0,
    assignment=Assignment({"fallback": "C"}, "contextual"),
    config="a1b2c3d4e5f6",
    latency_s=0.000_02,
    strategy="contextual",
    failed=[{"strategy": "contextual", "error": "KeyError"}],
)


def test_a_line_is_written_as_the_schema_says() -> None:
    """A change of these bytes is a change of the schema: raise SCHEMA, and add a golden file."""
    expected = (GOLDEN / f"schema-{SCHEMA}.jsonl").read_bytes()
    assert b"".join(map(line, (FIRST_VISIT, EVERYTHING, HEARD, LAST, FAILED))) == expected


def test_every_schema_that_was_ever_written_has_its_golden_lines() -> None:
    names = {path.stem for path in GOLDEN.glob("*.jsonl")}
    assert names == {"botify", *(f"schema-{version}" for version in range(1, SCHEMA + 1))}


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.jsonl")), ids=lambda path: path.stem)
def test_older_lines_are_read_without_a_loss(path: Path) -> None:
    lines = [json.loads(text) for text in path.read_text("utf-8").splitlines()]
    # A turn that got no answer has no place among the listener's turns.
    errors = [line for line in lines if line["message"] == "error"]
    lines = [line for line in lines if line["message"] != "error"]
    columns = (
        'message, at_ms, "user", track, "time", latency_s, recommendation, experiments, "schema"'
    )
    with open_log([path]) as log:
        found = log.query(f"SELECT {columns} FROM events ORDER BY line")
        assert log.query("SELECT count(*) FROM dropped_lines") == [(0,)]
        unplaced = log.query("SELECT message, decision, failed FROM unplaced ORDER BY line")
    assert [(*row[:2], json.loads(row[2])) for row in unplaced] == [
        (event["message"], event["decision"], event["failed"]) for event in errors
    ]
    assert len(found) == len(lines) > 1
    for row, event in zip(found, lines, strict=True):
        *values, experiments, schema = row
        expected = [
            event["message"],
            event["timestamp"],
            str(event["user"]),
            None if event["track"] is None else str(event["track"]),
            event["time"],
            event["latency"],
            None if event.get("recommendation") is None else str(event["recommendation"]),
        ]
        assert values == expected
        assert json.loads(experiments) == event["experiments"]
        assert schema == event.get("schema", 0)


def test_the_field_that_schema_2_added_is_read_and_schema_1_lacks_it() -> None:
    for version, took in ((1, [None] * 4), (2, [17.4, 23.0, None, None])):
        with open_log([GOLDEN / f"schema-{version}.jsonl"]) as log:
            rows = log.query("SELECT took_us FROM events ORDER BY line")
        assert [value for (value,) in rows] == took


def test_the_fields_that_schema_1_added_are_read() -> None:
    columns = (
        "decision, session, turn, strategy, answered_by, depth, candidates, propensity, config, "
        'forced, attributes, "key", "reset", n, recommendations, exclude'
    )
    with open_log([GOLDEN / "schema-1.jsonl"]) as log:
        rows = log.query(f"SELECT {columns} FROM events ORDER BY line")
    plain, full, heard, last = (dict(zip(columns.split(", "), row, strict=True)) for row in rows)
    assert json.loads(full.pop("attributes")) == EVERYTHING.attributes
    assert json.loads(full.pop("recommendations")) == EVERYTHING.tracks
    assert json.loads(full.pop("exclude")) == EVERYTHING.exclude
    assert full == {
        "decision": "0123456789ab-2",
        "session": "0123456789ab-2",
        "turn": 1,
        "strategy": "improved",
        "answered_by": "popular",
        "depth": 1,
        "candidates": 94,
        "propensity": EVERYTHING.propensity,
        "config": "a1b2c3d4e5f6",
        "forced": True,
        '"key"': "retry-1",
        '"reset"': True,
        "n": 2,
    }
    assert [row["turn"] for row in (plain, heard, last)] == [1, 2, 3]
    assert {row["session"] for row in (plain, heard, last)} == {"0123456789ab-1"}
    assert not any(row["forced"] or row['"reset"'] for row in (plain, heard, last))
