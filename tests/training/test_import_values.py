"""Values of every type where a kind expects its own: never a traceback, and every line counted."""

import json
import shutil
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import InputError
from tests.training.import_samples import BEGIN, extended_stream, listen, parquet, short_stream
from training.importers import import_data
from training.importers.import_options import ImportOptions

SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))

COLUMNS = {
    "int": pa.array([1, 2, None]),
    "uint64": pa.array([1, 2**64 - 1, 0], pa.uint64()),
    "float": pa.array([1.0, float("nan"), 1e300]),
    "half": pa.array([1.0, 0.5, None], pa.float32()),
    "text": pa.array(["ann", "", "7.0"]),
    "large text": pa.array(["2024-01-01", "1", None], pa.large_string()),
    "codes": pa.array(["ann", None, "bob"]).dictionary_encode(),
    "binary": pa.array([b"\xff", b"a", None]),
    "bool": pa.array([True, False, None]),
    "null": pa.nulls(3),
    "date": pa.array([date(2024, 1, 1), date.max, None]),
    "time": pa.array([time(1), None, None]),
    "duration": pa.array([timedelta(1), None, None]),
    "nanoseconds": pa.array([1_700_000_000_000_000_001, -1, None], pa.timestamp("ns", "UTC")),
    "seconds": pa.array([datetime(2024, 1, 1, tzinfo=UTC), None, None], pa.timestamp("s", "UTC")),
    "beyond": pa.array([2**62, -(2**62), 0], pa.timestamp("ms")),
    "decimal": pa.array([Decimal("1.00"), Decimal("0.5"), None]),
    "lists": pa.array([[1, 2], [], None]),
    "other lists": pa.array([[1, None], [3], [4]]),
    "fixed lists": pa.array([[1, 2], [3, 4], None], pa.list_(pa.int32(), 2)),
    "lists of text": pa.array([["a"], ["b", "c"], None]),
    "structs": pa.array([{"a": 1}, None, {"a": 2}]),
    "map": pa.array([[("a", 1)], None, []], pa.map_(pa.string(), pa.int32())),
}

column = st.sampled_from(list(COLUMNS))


def check(folder: Path, kind: str, name: str, content: bytes) -> None:
    """Import: either a summary, which asserts its sum, or one short fault."""
    (folder / name).write_bytes(content)
    try:
        import_data(kind, folder / name, folder / "out", ImportOptions())
    except InputError as error:
        assert len(error.faults) == 1  # noqa: PT017
        assert len(str(error)) < 900  # noqa: PT017
    shutil.rmtree(folder)


@pytest.mark.parametrize("kind", ["table", "yambda"])
@SETTINGS
@given(data=st.data())
def test_columns_of_any_type_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    names = {
        "table": ["user", "track", "at", "time", "session", "position", "artist", "plays"],
        "yambda": ["uid", "item_id", "timestamp", "played_ratio_pct", "event_type"],
    }[kind]
    needed = 2 if kind == "table" else 3
    chosen = names[:needed] + data.draw(st.lists(st.sampled_from(names[needed:]), unique=True))
    columns = {name: COLUMNS[data.draw(column)] for name in chosen}
    check(tmp_path_factory.mktemp("values"), kind, "listens.parquet", parquet(columns))


@SETTINGS
@given(kinds=st.tuples(column, column))
def test_artists_of_any_type_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, kinds: tuple[str, str]
) -> None:
    folder = tmp_path_factory.mktemp("artists")
    mapping = {"artist_id": COLUMNS[kinds[0]], "item_id": COLUMNS[kinds[1]]}
    (folder / "artist_item_mapping.parquet").write_bytes(parquet(mapping))
    listens = {"uid": [1, 1], "timestamp": [5, 10], "item_id": [1, 2]}
    check(folder, "yambda", "listens.parquet", parquet(listens))


value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["ann", "2024-01-01T10:00:00Z", 1704103200, 7.0, "7", 0.5, "\ud800", 2**63]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner,
                                                                max_size=2),
    max_leaves=4,
)  # fmt: skip


def as_bytes(record: Any) -> bytes:
    return json.dumps(record).encode()


def changed(data: st.DataObject, record: Any) -> Any:
    """Draw a copy of the record in which values, here and there, are of any type, or missing."""
    if data.draw(st.integers(0, 9)) == 0:
        return data.draw(value)
    if isinstance(record, dict):
        kept = [key for key in record if data.draw(st.integers(0, 19))]
        return {key: changed(data, record[key]) for key in kept}
    return [changed(data, each) for each in record] if isinstance(record, list) else record


@pytest.mark.parametrize("kind", ["table", "listenbrainz"])
@SETTINGS
@given(data=st.data())
def test_json_lines_with_any_values_are_counted(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    full = json.loads(listen("ann", 1, BEGIN))
    full["track_metadata"]["additional_info"] = {"duration_ms": 2000, "duration_played": 1,
                                                 "recording_mbid": "a" * 36}  # fmt: skip
    row = {"user": "ann", "track": 1, "at": "2024-01-01", "time": 0.5, "session": 1,
           "position": 0, "artist": "A", "title": "T", "plays": 1}  # fmt: skip
    record = row if kind == "table" else full
    lines = [as_bytes(record), *(as_bytes(changed(data, record)) for _ in range(3))]
    check(tmp_path_factory.mktemp("values"), kind, "x.jsonl", b"\n".join(lines))


@pytest.mark.parametrize("kind", ["spotify_history", "mpd"])
@SETTINGS
@given(data=st.data())
def test_arrays_with_any_values_are_counted(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    track = {"pos": 0, "artist_name": "A", "track_name": "T", "track_uri": "spotify:track:1"}
    record: Any = (
        {"playlists": [{"pid": 1, "modified_at": 1, "tracks": [track, track]}]}
        if kind == "mpd"
        else [short_stream(1, BEGIN), extended_stream(1, BEGIN), short_stream(2, BEGIN)]
    )
    content = as_bytes(changed(data, record))
    check(tmp_path_factory.mktemp("values"), kind, "StreamingHistory0.json", content)


cell = st.text(max_size=8) | st.sampled_from(
    ["7", "7.0", "1e5", "2024-01-01", "0.5", "-1", '"', "NaN"]
)


@pytest.mark.parametrize("mark", [",", "\t"], ids=["csv", "tsv"])
@SETTINGS
@given(rows=st.lists(st.lists(cell, max_size=8), max_size=5))
def test_cells_with_any_text_are_counted(
    tmp_path_factory: pytest.TempPathFactory, mark: str, rows: list[list[str]]
) -> None:
    header = mark.join(["user", "track", "at", "time", "plays", "position", "session"])
    lines = [header, mark.join(["ann", "1", "", "", "", "", ""]), *(mark.join(row) for row in rows)]
    content = "\n".join(lines).encode("utf-8", "surrogatepass")
    name = "x.csv" if mark == "," else "x.tsv"
    check(tmp_path_factory.mktemp("values"), "table", name, content)
