"""Event logs of every packing, line end and encoding: read up to the damage, and counted."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from core.errors import InputError
from core.progress import SILENT
from events.event_files import find_event_files, read_pieces
from events.merge import merge_events
from events.reader import open_log
from tests.core.damage import damages
from tests.core.packed import PACK, packed
from tests.logs import Effect, Plan, listening, text

EVENTS = listening(Plan(arms={"C": Effect(), "T1": Effect(lift=0.3)}, listeners=20))
TEXT = text(EVENTS)


def counts(path: Path) -> tuple[int, dict[str, int]]:
    """Events read, and dropped lines by reason."""
    with open_log([path]) as log:
        dropped = dict(log.query("SELECT reason, lines FROM dropped"))
        return log.one("SELECT count(*) FROM events"), dropped


@pytest.mark.parametrize("packing", ["plain", *PACK])
@pytest.mark.parametrize("change", [
    lambda content: content,
    lambda content: b"\xef\xbb\xbf" + content,
    lambda content: content.replace(b"\n", b"\r\n"),
    lambda content: content.replace(b"\n", b"\r"),
], ids=["lf", "mark", "crlf", "cr"])  # fmt: skip
def test_every_event_is_read(tmp_path: Path, packing: str, change: Any) -> None:
    (tmp_path / f"log.jsonl.{packing}").write_bytes(packed(change(TEXT), packing, 3))
    assert counts(tmp_path / f"log.jsonl.{packing}") == (len(EVENTS), {})


@pytest.mark.parametrize("packing", PACK)
def test_packed_logs_are_found_in_a_folder(tmp_path: Path, packing: str) -> None:
    (tmp_path / f"log.jsonl.{packing}").write_bytes(packed(TEXT, packing))
    assert counts(tmp_path)[0] == len(EVENTS)


@pytest.mark.parametrize("packing", PACK)
def test_a_torn_log_gives_the_whole_streams_before_the_tear(tmp_path: Path, packing: str) -> None:
    half = len(TEXT[: len(TEXT) // 2].splitlines())
    whole = packed(TEXT, packing, 2)
    path = tmp_path / "log.jsonl"
    path.write_bytes(whole[: -len(whole) // 4])
    events, dropped = counts(path)
    assert half - 1 <= events <= len(EVENTS)
    assert dropped["torn archive"] == 1


def test_a_log_in_wide_characters_is_said(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_bytes(TEXT.decode().encode("utf-16"))
    with pytest.raises(InputError, match=r"log\.jsonl: is UTF-16, must be UTF-8"):
        open_log([tmp_path])


@pytest.mark.parametrize("packing", ["plain", *PACK])
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_damage_is_counted_and_every_line_is_an_event_or_dropped(
    tmp_path_factory: pytest.TempPathFactory, packing: str, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    path.write_bytes(data.draw(damages(packed(text(EVENTS[:12]), packing, 2))))
    try:
        with open_log([path]) as log:
            lines = log.one("SELECT sum(lines) FROM files")
            archives = "reason IN ('broken archive', 'torn archive')"
            dropped = log.one(f"SELECT count(*) FROM dropped_lines WHERE NOT {archives}")
            assert lines == dropped + log.one("SELECT count(*) FROM events")
    except InputError as error:
        assert len(error.faults) == 1  # noqa: PT017


def test_merging_reads_the_same_lines(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl.xz").write_bytes(packed(TEXT.replace(b"\n", b"\r"), "xz", 2))
    (source,) = find_event_files([tmp_path])
    assert b"".join(read_pieces(source, SILENT)) == TEXT
    assert len(list(merge_events([source], lambda *_: None))) == len(EVENTS)


def test_parquet_that_is_no_log_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "listens.parquet"
    parquet.write_table(pa.table({"user": ["ann"], "track": ["1"], "time": [1.0]}), path)
    with pytest.raises(InputError, match=r"segue logs compact. wrote: it has no at_ms, message"):
        open_log([path])
    events = {"user": ["ann", None], "message": ["next", "next"], "at_ms": [1, 2]}
    parquet.write_table(pa.table(events), path)
    with pytest.raises(InputError, match=r"is damaged: events lack their time, their listener"):
        open_log([path])
