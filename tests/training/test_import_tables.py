"""Tables: nothing is guessed, and one sentence says what does not fit."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.import_samples import parquet
from tests.training.imports import imported, places, refused, written
from training.importers.bad_line import BadLine
from training.importers.table_header import split_commas


def test_a_stray_quotation_mark_in_tsv_is_a_character(tmp_path: Path) -> None:
    lines = ["user\ttrack\ttitle", 'ann\t1\t"Kings', "bob\t2\tPlain", 'cid\t3\tQueens" live']
    table, summary = imported("table", written(tmp_path, "x.tsv", "\n".join(lines)))
    assert table.catalog.titles == ['"Kings', "Plain", 'Queens" live']
    assert (summary.lines, summary.used, summary.bad) == (4, 3, {})


CLOSE = "a quotation must close in its line, before a comma or the end"
INSIDE = "a field with a quotation mark must be in quotation marks, the mark doubled"


def test_a_quotation_that_spans_lines_is_bad_and_swallows_nothing(tmp_path: Path) -> None:
    lines = ["user,track,title", 'ann,1,"Kings', "bob,2,Plain", "bob,3,Plain", 'cid,4,Queens" x',
             'dot,5,"a"b', "dot,6,Plain"]  # fmt: skip
    table, summary = imported("table", written(tmp_path, "x.csv", "\n".join(lines)))
    assert sorted(table.catalog.ids) == ["2", "3", "6"]
    assert summary.bad == {CLOSE: 2, INSIDE: 1}
    assert places(summary) == [
        f"2:7: {CLOSE}, got '\"Kings'", f"5:13: {INSIDE}, got 'Queens\" x'",
        f"6:7: {CLOSE}, got '\"a\"b'",
    ]  # fmt: skip


fields = st.text('a,"é ;', max_size=5)


@given(st.lists(fields, min_size=1, max_size=4))
def test_fields_in_quotation_marks_come_back(cells: list[str]) -> None:
    line = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    assert split_commas(line) == cells


@given(st.text('a,"', max_size=12))
def test_every_line_is_split_or_bad(line: str) -> None:
    try:
        cells = split_commas(line)
    except BadLine as fault:
        assert line[fault.column - 1] == '"'  # noqa: PT017
        return
    back = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
    assert split_commas(back) == cells


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("x.csv", "user;track;time\n1;2;0,5\n",
         "x.csv:1:1: must be separated by commas, is separated by semicolons. Save it with commas"),
        ("x.csv", "listener;song\n1;2\n", "x.csv:1:1: must be separated by commas, is separated"),
        ("x.csv", "listener;song;at\n1;2;3\n", "x.csv:1:1: must be separated by commas, is separ"),
        ("x.csv", "user\ttrack\n1\t2\n",
         "x.csv:1:1: must be separated by commas, is separated by tabs. Let its name end in .tsv"),
        ("x.tsv", "user,track\n1,2\n",
         "x.tsv:1:1: must be separated by tabs, is separated by commas. Let its name end in .csv"),
        ("x.tsv", "user|track\n1|2\n", "x.tsv:1:1: must be separated by tabs, is separated by ver"),
        ("x.csv", "user,track,user\n1,2,3\n", "x.csv:1:1: must have one column 'user', has 2"),
        ("x.csv", '"user,track\n1,2\n', f"x.csv:1:1: {CLOSE}"),
        ("x.csv", "7,11,2024\n7,12,2024\n", "x.csv:1:1: must have a column 'user' for the user"),
        ("x.csv", "user,track\n", "x.csv: has no listen; left out: 1 x header line"),
        ("x.jsonl", '[{"user": 1, "track": 2}]', "x.jsonl: is one JSON array, must be JSON lines"),
        ("x.csv", '[\n{"endTime": "2020-01-01", "trackName": "a"}]',
         "x.csv: is a streaming history of Spotify. Import it as what it is: segue data import sp"),
        ("x.json", '{"listener": 1, "track": 2}\n',
         "x.json:1:1: must have a key 'user' for the user (--column user=NAME names another one)"),
        ("x.jsonl", '{"user": 1,\n "track": 2}\n', "x.jsonl:1:"),
        ("x.csv", b"PK\3\4" + bytes(100), "x.csv: is a ZIP archive (spreadsheets are, too)"),
    ],
    ids=lambda value: str(value)[:24],
)  # fmt: skip
def test_one_sentence_says_what_does_not_fit(
    tmp_path: Path, name: str, content: str | bytes, sentence: str
) -> None:
    assert refused("table", written(tmp_path, name, content)).startswith(sentence)


@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.jsonl", "x"])
@pytest.mark.parametrize("content", ["a,b " * 50_000, "{" * 100_000, "\x01" * 5000, "a\n" * 9000])
def test_a_fault_never_prints_the_file(tmp_path: Path, name: str, content: str) -> None:
    assert len(refused("table", written(tmp_path, name, content))) < 800


def test_a_table_is_taken_by_its_content_if_its_name_says_nothing(tmp_path: Path) -> None:
    for name, content in {
        "tabs": b"user\ttrack\nann\t1\n",
        "commas.txt": b"user,track\nann,1\n",
        "json.log": b'{"user": "ann", "track": "1"}\n',
        "parquet": parquet({"user": ["ann"], "track": ["1"]}),
    }.items():
        table, summary = imported("table", written(tmp_path, name, content))
        assert (table.users, table.catalog.ids, summary.used) == (["ann"], ["1"], 1)


AT = datetime(2024, 1, 1, 10, tzinfo=UTC)
TEXT_FLOAT = "must not be a number with a point or exponent, as 7.0 for 7"
NO_ID = "must be an int or have 1 to 256 characters"
WHOLE = "must be a whole number below 2^53, or text"


@pytest.mark.parametrize(
    ("value", "reason"),
    [("7.0", TEXT_FLOAT), ("7.", TEXT_FLOAT), ("1.23E+15", TEXT_FLOAT), ("", NO_ID),
     ("x" * 257, NO_ID)],
)  # fmt: skip
@pytest.mark.parametrize("column", ["user", "track"])
def test_an_id_that_a_spreadsheet_spoilt_is_refused_in_text(
    tmp_path: Path, column: str, value: str, reason: str
) -> None:
    row = {"user": "1", "track": "2"} | {column: value}
    lines = ["user,track", "1,2", ",".join(row.values())]
    _, summary = imported("table", written(tmp_path, "x.csv", "\n".join(lines)))
    assert summary.bad == {f"{column} {reason}": 1}


@pytest.mark.parametrize(
    "values",
    [[7.0, None], pa.array([7, None], pa.uint64()), [Decimal("7"), None], ["7", None],
     pa.array(["7", None]).dictionary_encode(), pa.array(["7", None], pa.large_string()),
     pa.array([b"7", None], pa.binary()), pa.array([7, None], pa.int8())],
    ids=str,
)  # fmt: skip
def test_whole_numbers_of_any_type_are_the_same_id(tmp_path: Path, values: Any) -> None:
    path = written(tmp_path, "x.parquet", parquet({"user": values, "track": values}))
    table, summary = imported("table", path)
    assert table.users == ["7"]
    assert [str(id_) for id_ in table.catalog.ids] == ["7"]
    assert summary.bad == {f"user {NO_ID}": 1}


@pytest.mark.parametrize(
    ("value", "reason"),
    [(7.5, WHOLE), (float("nan"), WHOLE), (2.0**53, WHOLE), (float("inf"), WHOLE), (True, NO_ID),
     (b"\xff", "must be UTF-8"),
     (2**63, NO_ID), (Decimal("7.5"), WHOLE)],
    ids=str,
)  # fmt: skip
def test_a_value_that_is_no_id_is_a_bad_line(tmp_path: Path, value: Any, reason: str) -> None:
    kind = pa.uint64() if value == 2**63 and isinstance(value, int) else None
    good = written(tmp_path, "1/a.parquet", parquet({"user": [1], "track": [1]}))
    columns = {"user": pa.array([value], kind), "track": pa.array([1])}
    written(tmp_path, "1/b.parquet", parquet(columns))
    _, summary = imported("table", good.parent)
    assert summary.bad == {f"user {reason}": 1}


@pytest.mark.parametrize("value", [date(2024, 1, 1), AT, [7], {"a": 7}], ids=str)
@pytest.mark.parametrize("column", ["user", "track", "time", "session"])
def test_a_column_of_lists_or_times_is_refused(tmp_path: Path, column: str, value: Any) -> None:
    columns = {"user": [1], "track": [2], "time": [1], "session": [1]} | {column: [value]}
    path = written(tmp_path, "x.parquet", parquet(columns))
    assert refused("table", path).startswith(
        f"x.parquet:1:1: column '{column}' must hold ids, numbers or text, is of "
    )


def test_whole_floats_of_json_are_ints(tmp_path: Path) -> None:
    path = written(tmp_path, "x.jsonl", '{"user": 7.0, "track": 8.0}\n{"user": 7, "track": 8}\n')
    table, _ = imported("table", path)
    assert (table.users, table.catalog.ids, len(table)) == (["7"], [8], 2)


@pytest.mark.parametrize(
    "column",
    [
        pa.array([AT], pa.timestamp("s", "UTC")),
        pa.array([AT], pa.timestamp("ms")),
        pa.array([AT], pa.timestamp("us", "Europe/Berlin")),
        pa.array([1704103200000000123], pa.timestamp("ns", "UTC")),
        pa.array([1704103200]),
        pa.array([1704103200.0]),
        pa.array(["2024-01-01T10:00:00Z"]),
        pa.array([1704103200000], pa.uint64()),
    ],
    ids=lambda column: str(column.type),
)
def test_times_of_every_type_of_parquet_are_taken(tmp_path: Path, column: Any) -> None:
    columns = {"user": [1], "track": [2], "at": column}
    table, summary = imported("table", written(tmp_path, "x.parquet", parquet(columns)))
    assert table.at_ms.tolist() == [1704103200000]
    assert summary.period_ms == (1704103200000, 1704103200000)


@pytest.mark.parametrize("kind", [pa.date32(), pa.date64()], ids=str)
def test_dates_of_parquet_are_midnight(tmp_path: Path, kind: Any) -> None:
    columns = {"user": [1], "track": [2], "at": pa.array([date(2024, 1, 1)], kind)}
    table, _ = imported("table", written(tmp_path, "x.parquet", parquet(columns)))
    assert table.at_ms.tolist() == [1704067200000]


def test_times_beyond_all_calendars_are_bad_lines(tmp_path: Path) -> None:
    at = pa.array([1704103200000, 2**62, -(2**62)], pa.timestamp("ms"))
    path = written(tmp_path, "x.parquet", parquet({"user": [1] * 3, "track": [2] * 3, "at": at}))
    assert "the first of 2 bad lines, 1 good: 1 x time of the listen must not be" in refused(
        "table", path
    )


def test_a_listen_without_time_is_left_out_where_others_have_one(tmp_path: Path) -> None:
    lines = ["user,track,at", "ann,1,2024-01-01T10:00:00Z", "ann,2,", "bob,3,2024-01-01"]
    table, summary = imported("table", written(tmp_path, "x.csv", "\n".join(lines)))
    assert summary.left_out == {
        "header line": 1, "time of the listen not given, other lines have one": 1,
    }  # fmt: skip
    assert summary.as_json()["period"] == ["2024-01-01T00:00:00Z", "2024-01-01T10:00:00Z"]
    assert len(table) == 2


def test_a_table_without_times_has_no_period(tmp_path: Path) -> None:
    _, summary = imported("table", written(tmp_path, "x.csv", "user,track\nann,1\nann,1\n"))
    assert (summary.period_ms, summary.used) == (None, 2)


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("time", "0,5", "must have 6 fields as the header"),
        ("time", "1_0", "time must be a number"),
        ("time", "nan", "time must be a number"),
        ("time", "1.5", "time must be a share in 0..1 (percent? then --percent)"),
        ("time", "-1", "time must not be negative"),
        ("plays", "0", "plays must be a count of at least 1"),
        ("plays", "1.5", "plays must be a count of at least 1"),
        ("plays", "3000000000", "plays must be a count of at least 1"),
        ("position", "-1", "position must be a count of at least 0"),
        ("position", "first", "position must be a number"),
        ("at", "20240105", "time of the listen looks like a date; write 20240105 as 2024-01-05"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_value_out_of_bounds_is_a_bad_line(
    tmp_path: Path, column: str, value: str, reason: str
) -> None:
    row = {
        "user": "a",
        "track": "1",
        "time": "1",
        "plays": "1",
        "position": "1",
        "at": "2024-01-01",
    }
    lines = [",".join(row), ",".join(row.values()), ",".join((row | {column: value}).values())]
    _, summary = imported("table", written(tmp_path, "x.csv", "\n".join(lines)))
    assert summary.bad == {reason: 1}


def test_zero_bytes_are_a_bad_line(tmp_path: Path) -> None:
    path = written(tmp_path, "x.csv", b"user,track\na,1\nb,2\nc" + bytes(40) + b",3\n")
    _, summary = imported("table", path)
    assert summary.bad == {"must not contain a zero byte": 1}


def test_columns_of_a_parquet_file_are_found_once(tmp_path: Path) -> None:
    twice = pa.table([[1], [2], [3]], names=["user", "track", "user"])
    import pyarrow.parquet

    pyarrow.parquet.write_table(twice, tmp_path / "x.parquet")
    assert "must have each column once, has 'user' twice" in refused(
        "table", tmp_path / "x.parquet"
    )
    path = written(tmp_path, "y.parquet", b"user,track\n1,2\n")
    assert refused("table", path).startswith("y.parquet:1:1: must be a Parquet file: ")


def test_a_key_that_stands_twice_in_a_line_of_json_is_a_bad_line(tmp_path: Path) -> None:
    lines = ['{"user": 7, "user": 8, "track": 1}', '{"user": 9, "track": "user", "x": {"user": 1}}',
             '{"user": 9, "track": 3}']  # fmt: skip
    table, summary = imported("table", written(tmp_path, "x.jsonl", "\n".join(lines)))
    assert table.users == ["9"]
    assert places(summary) == ["1:1: must have each key once, got 'user'"]
