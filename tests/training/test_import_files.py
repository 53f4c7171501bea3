"""Files of an import: copies, names, folders, and where every line went."""

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.errors import InputError
from tests.core.packed import PACK, packed
from tests.training.import_samples import ROWS, SAMPLES
from tests.training.imports import imported, refused, written
from training.importers import FORMATS, import_data
from training.importers.collector import Collector
from training.importers.import_options import ImportOptions
from training.importers.import_summary import ImportSummary
from training.importers.listen_store import GROUP, LISTEN, ListenStore


@pytest.mark.parametrize("sample", [name for name in SAMPLES if name != "listenbrainz-tar"])
def test_a_copy_of_a_file_is_counted_and_left_out(tmp_path: Path, sample: str) -> None:
    kind, name, content = SAMPLES[sample]
    if kind == "yambda":
        pytest.skip("reads one file of a folder")
    once, _ = imported(kind, written(tmp_path, f"one/{name}", content).parent)
    for folder in ("a", "b", "c"):
        written(tmp_path, f"all/{folder}/{name}", content)
    table, summary = imported(kind, tmp_path / "all")
    lines = summary.files[0].lines
    assert (summary.lines, summary.copies, summary.used) == (3 * lines, 2 * lines, len(ROWS))
    assert [(file.name, file.listens, file.copy_of) for file in summary.files] == [
        (f"a/{name}", len(ROWS), None), (f"b/{name}", 0, f"a/{name}"), (f"c/{name}", 0, f"a/{name}")
    ]  # fmt: skip
    for column in ("session", "position", "track", "time", "at_ms", "plays"):
        assert np.array_equal(getattr(table, column), getattr(once, column)), column


def test_a_copy_in_another_packing_is_a_copy(tmp_path: Path) -> None:
    _, name, content = SAMPLES["csv"]
    written(tmp_path, name, content)
    for packing in PACK:
        written(tmp_path, f"{name}.{packing}", packed(content, packing, 2))
    _, summary = imported("table", tmp_path)
    assert (summary.copies, summary.used) == (4 * 13, len(ROWS))


def test_bad_lines_of_a_copy_count_once(tmp_path: Path) -> None:
    content = "user,track\nann,1\nann,\nbob,2\n"
    for name in ("a.csv", "b.csv"):
        written(tmp_path, name, content)
    _, summary = imported("table", tmp_path)
    assert (summary.lines, summary.used, summary.copies) == (8, 2, 4)
    assert list(summary.bad.values()) == [1]
    assert len(summary.examples) == 1


def test_two_files_of_one_name_in_two_folders_are_two(tmp_path: Path) -> None:
    written(tmp_path, "2023/x.csv", "user,track\nann,1\n")
    written(tmp_path, "2024/x.csv", "user,track\nann,2\n")
    _, summary = imported("table", tmp_path)
    assert [(file.name, file.lines) for file in summary.files] == [("2023/x.csv", 2),
                                                                   ("2024/x.csv", 2)]  # fmt: skip
    assert summary.used == 2


def test_the_counts_are_in_the_training_table_too(tmp_path: Path) -> None:
    from pyarrow import parquet

    for name in ("1/x.csv", "2/x.csv.gz", "3/x.csv"):
        content = f"user,track\nann,{name[0] if name[0] == '1' else 2}\n".encode()
        written(tmp_path, name, gzip.compress(content) if name.endswith("gz") else content)
    import_data("table", tmp_path, tmp_path / "out", ImportOptions())
    metadata = parquet.read_schema(tmp_path / "out" / "interactions.parquet").metadata
    manifest = json.loads(metadata[b"segue"])
    assert (manifest["lines"], manifest["copies"], manifest["bad"]) == (6, 2, {})
    assert list(manifest["sources"]) == ["1/x.csv", "2/x.csv.gz"]


def test_hidden_files_are_skipped_and_others_are_named(tmp_path: Path) -> None:
    for name in ("x.csv", ".x.csv", ".trash/y.csv", "notes.txt", "cover.jpg"):
        written(tmp_path, name, "user,track\nann,1\n")
    _, summary = imported("table", tmp_path)
    assert [file.name for file in summary.files] == ["x.csv"]
    assert summary.ignored == ["cover.jpg", "notes.txt"]


def test_a_folder_without_fitting_files_says_what_it_has(tmp_path: Path) -> None:
    written(tmp_path, "StreamingHistory0.txt", "x")
    assert refused("spotify_history", tmp_path).endswith(
        "must hold files that begin with streaminghistory* or streaming_history* or endsong* and "
        "end in .json; has none; it has StreamingHistory0.txt"
    )


def test_an_empty_file_beside_others_has_no_lines(tmp_path: Path) -> None:
    written(tmp_path, "a.csv", "")
    written(tmp_path, "b.csv", "user,track\nann,1\n")
    written(tmp_path, "c.csv", "")
    _, summary = imported("table", tmp_path)
    assert [(file.lines, file.copy_of) for file in summary.files] == [
        (0, None),
        (2, None),
        (0, None),
    ]


def test_one_damaged_file_of_many_stops_the_import(tmp_path: Path) -> None:
    written(tmp_path, "a.csv", "user,track\nann,1\n")
    written(tmp_path, "b.csv.gz", gzip.compress(b"user,track\nann,2\n")[:-3])
    assert "b.csv.gz: is damaged or cut off (torn archive)" in refused("table", tmp_path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda tar: tar[: tar.index(b"listens/2024/2")],  # between two files
        lambda tar: tar[: tar.rindex(b"\n")],
        lambda tar: tar.replace(b"listens/2024/2", b"listens/2024/3"),  # its header's sum is wrong
        lambda tar: tar[:-10240] + tar[-10240:].rstrip(b"\0"),  # without its end
        lambda tar: tar + b"x" * 512,
    ],
    ids=["cut-between-files", "cut-in-a-file", "damaged-header", "no-end", "more-after-the-end"],
)
def test_a_tar_that_is_not_whole_is_refused(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    kind, name, content = SAMPLES["listenbrainz-tar"]
    said = refused(kind, written(tmp_path, name, damage(content)))
    assert said.startswith(f"{name}: is damaged or cut off (torn tar)") or "whole: " in said


def test_blank_lines_are_counted(tmp_path: Path) -> None:
    path = written(tmp_path, "x.csv", "\n\nuser,track\nann,1\n   \n\r\nbob,2\n\n")
    _, summary = imported("table", path)
    assert summary.left_out == {"blank line": 5, "header line": 1}
    assert (summary.lines, summary.used) == (8, 2)


def test_a_pipe_is_read(tmp_path: Path) -> None:
    reads, writes = os.pipe()
    os.write(writes, gzip.compress(b"user,track\nann,1\n"))
    os.close(writes)
    try:
        _, summary = imported("table", Path(f"/dev/fd/{reads}"))
    finally:
        os.close(reads)
    assert summary.used == 1


def test_nothing_is_left_where_nothing_can_be_written(tmp_path: Path) -> None:
    path = written(tmp_path, "x.csv", "user,track\nann,1\n")
    taken = written(tmp_path, "taken", "")
    with pytest.raises(InputError, match=r"taken: must be a folder, is a file"):
        import_data("table", path, taken, ImportOptions())
    with pytest.raises(InputError, match=r"taken: must be a folder, is a file"):
        import_data("table", path, taken / "out", ImportOptions())
    (tmp_path / "out" / "tracks.jsonl").mkdir(parents=True)
    with pytest.raises(InputError, match=r"out: cannot be written: "):
        import_data("table", path, tmp_path / "out", ImportOptions())
    assert [each.name for each in (tmp_path / "out").iterdir()] == ["tracks.jsonl"]


def test_an_import_replaces_the_files_of_the_last_one(tmp_path: Path) -> None:
    to = tmp_path / "out"
    for track in ("1", "2"):
        path = written(tmp_path, "x.csv", f"user,track\nann,{track}\n")
        import_data("table", path, to, ImportOptions())
    assert json.loads((to / "top_tracks.json").read_bytes()) == ["2"]
    assert len(list(to.iterdir())) == 3


def test_lines_that_are_not_accounted_for_are_a_bug(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="3 lines were read, and 2 are accounted for"):
        ImportSummary("table", 3, 1, {"x": 1}, {}, 0, {}, [], [], [], None, "", 1, 1, 1)
    path = written(tmp_path, "x.csv", "user,track\nann,1\n")
    into = Collector("table", tmp_path)
    assert FORMATS["table"].read(path, into, ImportOptions())
    assert (into.counts.lines, into.good) == (2, 1)
    into.store.close()


def test_listens_of_a_listener_come_together_in_their_order(tmp_path: Path) -> None:
    store = ListenStore(tmp_path)
    users = np.tile(np.arange(7), 20)
    listens = np.zeros(140, dtype=LISTEN)
    listens["user"], listens["at"] = users, np.arange(140)
    for part in np.array_split(listens, 3):
        store.append(part)
    (group,) = store.group(store.count_listeners(7))
    got = store.read(group)
    assert (group.first, group.end, group.rows) == (0, 7, 140)
    assert got["user"].tolist() == listens["user"].tolist()  # one group keeps the order
    store.close()
    assert list(tmp_path.iterdir()) == []


def test_groups_hold_whole_listeners(tmp_path: Path) -> None:
    store = ListenStore(tmp_path)
    rows = GROUP // 4 + 1
    listens = np.zeros(9 * rows, dtype=LISTEN)
    listens["user"] = np.arange(len(listens)) % 9
    listens["at"] = np.arange(len(listens))
    store.append(listens)
    groups = store.group(store.count_listeners(9))
    assert [(group.first, group.end) for group in groups] == [(0, 3), (3, 6), (6, 9)]
    for group in groups:
        got = store.read(group)
        for user in range(group.first, group.end):
            assert np.array_equal(got["at"][got["user"] == user], np.arange(rows) * 9 + user)
    store.close()
