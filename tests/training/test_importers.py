"""Each importer reads a small sample in the exact format of its data set, traps included."""

import gzip
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from core.catalog import load_catalog, load_top
from core.errors import InputError
from tests.training.imports import imported, written
from training.importers import import_data
from training.importers.import_options import ImportOptions
from training.interactions import Interactions
from training.training_table import load_table, save_table

A, B, C = (letter * 8 + "-0000-0000-0000-" + letter * 12 for letter in "abc")

LASTFM1K = (
    # newest first, as the real file; CRLF; a missing MBID; a tab inside a title
    f"user_01\t2009-05-04T23:08:57Z\t{A}\tDeep Dish\t{B}\tFuck Me Im Famous\n"
    f"user_01\t2009-05-04T13:54:10Z\t{A}\tDeep Dish\t\tA\tTab Inside\r\n"
    # two of the same second: the file's order, newest first, decides
    f"user_01\t2009-05-04T13:52:04Z\t\tUndertown\t\tLater\n"
    f"user_01\t2009-05-04T13:52:04Z\t\tUndertown\t\tEarlier\n"
    # the very same listen twice
    f"user_01\t2009-05-04T13:52:04Z\t\tUndertown\t\tEarlier\n"
    f"user_02\t2009-05-04T13:54:10Z\t{A}\tDeep Dish\t{C}\ta\ttab inside\n"
).encode() + (
    b"user_02\t2009-05-04T13:56:10Z\t\tBj\xf6rk\t\tJ\xf3ga\n"  # Latin-1
    b"user_02\tyesterday\t\tUndertown\t\tLater\n"
    b"user_02\t2009-05-04T13:56:10Z\t\tUndertown\t\n"
)  # fmt: skip


def titles(table: Interactions) -> list[list[str]]:
    """Titles (or ids) by session."""
    names = [t or str(i) for t, i in zip(table.catalog.titles, table.catalog.ids, strict=True)]
    heard: list[list[str]] = [[] for _ in range(table.sessions)]
    for session, track in zip(table.session, table.track, strict=True):
        heard[session].append(names[track])
    return heard


def test_lastfm1k_is_put_in_order_and_its_traps_are_counted(tmp_path: Path) -> None:
    path = written(tmp_path, "userid-timestamp-artid-artname-traid-traname.tsv", LASTFM1K)
    table, summary = imported("lastfm1k", path)
    assert titles(table) == [
        ["Earlier", "Later", "A\tTab Inside"],
        ["Fuck Me Im Famous"],  # nine hours later
        ["A\tTab Inside"],  # the same names are the same track, with MBID or without
    ]
    assert (summary.lines, summary.used, summary.copies) == (9, 5, 0)
    assert dict(summary.bad) == {
        "must be UTF-8": 1,
        "time of the listen must be ISO 8601 or Unix time": 1,
        "must have 6 fields by tabs": 1,
    }
    assert [str(fault).removeprefix(str(path)) for fault in summary.examples] == [
        ":7:33: must be UTF-8, got b'\\xf6'",
        ":8:9: time of the listen must be ISO 8601 or Unix time, got 'yesterday'",
        ":9:41: must have 6 fields by tabs, got '5 fields'",
    ]
    assert summary.left_out == {"same listener, track and time again": 1}
    assert table.at_ms[0] == 1241445124000


def test_lastfm1k_is_read_compressed_from_its_folder(tmp_path: Path) -> None:
    written(tmp_path, "x/userid-timestamp-artid-artname-traid-traname.tsv.gz",
            gzip.compress(LASTFM1K))  # fmt: skip
    written(tmp_path, "x/userid-profile.tsv", "#id\tgender\tage\tcountry\tregistered\n")
    assert len(imported("lastfm1k", tmp_path)[0]) == 5


def test_lastfm360k_makes_tracks_of_artists_and_keeps_counts(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "usersha1-artmbid-artname-plays.tsv",
        f"00000c28\t{A}\tbetty blowtorch\t2137\n"
        f"00000c28\t\ttwo\twords\t1099\r\n"
        f"00001411\t{A}\tbetty blowtorch\t3\n"
        f"00001411\t{A}\tbetty blowtorch\tmany\n",
    )
    table, summary = imported("lastfm360k", path)
    assert titles(table) == [["betty blowtorch", "two\twords"], ["betty blowtorch"]]
    assert table.plays.tolist() == [2137, 1099, 3]
    assert str(summary.examples[0]) == (
        f"{path}:4:63: plays must be a count of at least 1, got 'many'"
    )


def test_taste_profile_takes_names_from_unique_tracks_beside(tmp_path: Path) -> None:
    written(
        tmp_path,
        "unique_tracks.txt",
        "TRMMMYQ128F932D901<SEP>SOQMMHC12AB0180CB8<SEP>Faster Pussy cat<SEP>Silent Night\n",
    )
    path = written(
        tmp_path,
        "train_triplets.txt",
        "b80344d063b5ccb3\tSOQMMHC12AB0180CB8\t1\n"
        "b80344d063b5ccb3\tSOAPDEY12A81C210A9\t5\n"
        "b80344d063b5ccb3\tSOAPDEY12A81C210A9\n",
    )
    table, summary = imported("taste_profile", path)
    assert table.catalog.ids == ["SOAPDEY12A81C210A9", "SOQMMHC12AB0180CB8"]  # most played first
    assert table.catalog.describe(1)["title"] == "Silent Night"
    assert table.catalog.describe(0)["artist"] == "(unknown artist of SOAPDEY12A81C210A9)"
    assert str(summary.examples[0]) == (f"{path}:3:36: must have 3 fields by tabs, got '2 fields'")


def listen(at: object, artist: str, title: str, **info: object) -> str:
    return json.dumps(
        {
            "user_id": 1,
            "user_name": "mr_monkey",
            "listened_at": at,
            "recording_msid": f"{artist}-{title}-msid",
            "track_metadata": {
                "artist_name": artist,
                "track_name": title,
                "release_name": None,
                "additional_info": info,
            },
        }
    )


LISTENS = "\n".join(
    [
        listen(1_600_000_300, "Björk", "Jóga", recording_mbid=A),
        listen(1_600_000_000, "Can", "Vitamin C", duration_ms=200_000, duration_played=50),
        listen(1_600_000_000, "Can", "Spoon", duration=180, duration_played=360),
        '{"user_name": "mr_monkey", "listened_at": 1600000000,',
        listen("noon", "Can", "Spoon"),
        listen(1_600_000_900, "", "Nobody's"),
    ]
)


def test_listenbrainz_takes_the_share_heard_where_the_player_told_it(tmp_path: Path) -> None:
    path = written(tmp_path, "2020/9.listens", LISTENS)
    table, summary = imported("listenbrainz", path)
    assert titles(table) == [["Spoon", "Vitamin C", "Jóga"]]
    assert table.time.tolist() == [1.0, 0.25, 1.0]
    assert table.users == ["mr_monkey"]
    assert dict(summary.notes) == {"time outside 0..1 cut to it": 1}
    shown = [str(fault).removeprefix(str(path)) for fault in summary.examples]
    assert shown[0].startswith(":4:54: must be JSON: ")
    assert shown[1].startswith(":5:42: time of the listen must be")
    assert shown[2].startswith(":6:")
    assert "must have an artist_name, got ''" in shown[2]


def test_listenbrainz_is_read_out_of_a_tar(tmp_path: Path) -> None:
    path = tmp_path / "listenbrainz-listens-dump.tar.xz"
    with tarfile.open(path, "w:xz") as archive:
        member = tarfile.TarInfo("listenbrainz/listens/2020/9.listens")
        member.size = len(LISTENS.encode())
        archive.addfile(member, io.BytesIO(LISTENS.encode()))
    assert len(imported("listenbrainz", path)[0]) == 3
    broken = written(tmp_path, "broken.tar", b"no tar at all" * 100)
    with pytest.raises(InputError, match=r"broken\.tar: must be a tar of \*\.listens files"):
        imported("listenbrainz", broken)


def slice_of(*tracks: dict[str, object]) -> str:
    playlist = {
        "name": "Throwbacks", "collaborative": "false", "pid": 7, "modified_at": 1493424000,
        "num_tracks": len(tracks), "tracks": list(tracks),
    }  # fmt: skip
    info = {"generated_on": "2017-12-03 08:41:42.057563", "slice": "0-999", "version": "v1"}
    return json.dumps({"info": info, "playlists": [playlist]}, indent=4)


def entry(pos: int, name: str, **other: object) -> dict[str, object]:
    return {
        "pos": pos, "artist_name": "Missy Elliott", "track_uri": f"spotify:track:{name}",
        "artist_uri": "spotify:artist:2wIVse2owClT7go1WT98tk", "track_name": name,
        "album_uri": "spotify:album:6vV5UrXcfyQD1wu4Qo2I9K", "duration_ms": 226863,
        "album_name": "The Cookbook", **other,
    }  # fmt: skip


def test_mpd_makes_a_session_of_each_playlist(tmp_path: Path) -> None:
    content = slice_of(entry(1, "Second"), entry(0, "First"), entry(2, "Faulty", artist_name=None))
    path = written(tmp_path, "mpd.slice.0-999.json", content)
    table, summary = imported("mpd", tmp_path)
    assert titles(table) == [["First", "Second"]]
    assert table.users == ["playlist 7"]
    line = content.split("\n").index('                    "track_uri": "spotify:track:Faulty",') + 1
    assert str(summary.examples[0]).startswith(
        f"{path}:{line}:34: a track must have artist_name and track_name, got None"
    )


def test_mpd_counts_a_playlist_that_stands_in_two_slices_once(tmp_path: Path) -> None:
    content = slice_of(entry(0, "First"), entry(1, "Second"))
    written(tmp_path, "mpd.slice.0-999.json", content)
    written(tmp_path, "mpd.slice.0-1999.json", content + "\n")  # saved again, so another checksum
    table, summary = imported("mpd", tmp_path)
    assert titles(table) == [["First", "Second"]]
    assert summary.left_out == {"playlist with a pid that was read before": 2}
    assert (summary.lines, summary.used) == (4, 2)


def test_mpd_that_is_no_json_is_named_by_line_and_column(tmp_path: Path) -> None:
    path = written(tmp_path, "mpd.slice.0-999.json", '{"info": {},\n "playlists": [nonsense]}')
    with pytest.raises(InputError, match=r"0-999\.json:2:16: must be JSON"):
        imported("mpd", path)
    path.write_text("[1, 2]")
    with pytest.raises(InputError, match=r':1:1: must be an object with an array "playlists"'):
        imported("mpd", path)


def parquet(path: Path, columns: dict[str, object]) -> Path:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet

    pyarrow.parquet.write_table(pa.table(columns), path)
    return path


def test_yambda_cuts_ratios_above_100_and_finds_the_artists_beside(tmp_path: Path) -> None:
    parquet(tmp_path / "artist_item_mapping.parquet", {"artist_id": [9, 9], "item_id": [100, 101]})
    path = parquet(
        tmp_path / "multi_event.parquet",
        {
            "uid": [1, 1, 1, 2, 2],
            "timestamp": [39420, 39415, 39500, 39420, 39425],
            "item_id": [100, 101, 102, 100, None],
            "is_organic": [0, 1, 0, 1, 1],
            "event_type": ["listen", "listen", "like", "listen", "listen"],
            "played_ratio_pct": [105, 40, None, 0, 3],
            "track_length_seconds": [195, 200, None, 195, 195],
        },
    )
    table, summary = imported("yambda", path)
    assert table.catalog.ids == [100, 101]
    assert table.catalog.artists == ["artist 9"]
    assert table.track.tolist() == [1, 0, 0]
    assert table.time.tolist() == pytest.approx([0.4, 1.0, 0.0])
    assert summary.left_out == {"event that is no listen": 1}
    assert summary.notes == {"time outside 0..1 cut to it": 1}
    assert str(summary.examples[0]).startswith(f"{path}:5:1: uid, timestamp and item_id must not")


def test_yambda_sequential_holds_a_listener_in_each_row(tmp_path: Path) -> None:
    path = parquet(
        tmp_path / "listens.parquet",
        {
            "uid": [1, 2],
            "timestamp": [[5, 10], [15]],
            "item_id": [[100, 101], [100]],
            "played_ratio_pct": [[100, 50], [10]],
        },
    )
    table, _ = imported("yambda", path)
    assert table.user.tolist() == [0, 0, 1]
    assert table.time.tolist() == pytest.approx([1.0, 0.5, 0.1])


def test_yambda_without_its_columns_says_which(tmp_path: Path) -> None:
    path = parquet(tmp_path / "listens.parquet", {"uid": [1], "item": [2]})
    with pytest.raises(InputError, match=r"1:1: .* timestamp, item_id missing, has uid, item"):
        imported("yambda", path)


CSV = (
    "\ufefflistener,song,heard,when,artist,title\r\n"
    '7,11,100,2024-01-01T10:00:00,Can,"Vitamin, ""C"""\r\n'
    "7,12,40.5,1704103500,Can,Spoon\r\n"
    "7,12,120,1704103800,Can,Spoon\r\n"
    "7,,40,1704103500,Can,Spoon\r\n"
    "7,12,much,1704103500,Can,Spoon\r\n"
    "7,12\r\n"
)
NAMES = {"user": "listener", "track": "song", "time": "heard", "at": "when"}


def test_a_table_is_read_by_the_names_of_its_columns(tmp_path: Path) -> None:
    path = written(tmp_path, "listens.csv", CSV)
    table, summary = imported("table", path, columns=NAMES, percent=True)
    assert titles(table) == [['Vitamin, "C"', "Spoon", "Spoon"]]
    assert table.time.tolist() == pytest.approx([1.0, 0.405, 1.0])
    assert table.catalog.ids == ["12", "11"]
    assert [str(fault).removeprefix(str(path)) for fault in summary.examples] == [
        ":5:2: track must be an int or have 1 to 256 characters, got ''",
        ":6:3: time must be a number, got 'much'",
        ":7:3: must have 6 fields as the header, got '2 fields'",
    ]


def test_a_parquet_table_and_json_lines_give_the_same(tmp_path: Path) -> None:
    columns = {"user": [1, 1], "track": [5, 6], "time": [0.5, 1.0], "session": ["a", "a"],
               "position": [1, 0]}  # fmt: skip
    whole, _ = imported("table", parquet(tmp_path / "t.parquet", columns))
    lines = [json.dumps(dict(zip(columns, row, strict=True))) for row in zip(*columns.values(),
             strict=True)]  # fmt: skip
    same, _ = imported("table", written(tmp_path, "t.jsonl", "\n".join(lines)))
    for table in (whole, same):
        assert [table.catalog.ids[t] for t in table.track] == [6, 5]
        assert table.time.tolist() == [1.0, 0.5]


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ({}, r"listens\.csv:1:1: must have a column 'user' for the user, has listener, song"),
        ({"usr": "listener"}, r"--column: unknown meaning 'usr'\. Did you mean 'user'"),
        ({**NAMES, "at": "date"}, r":1:1: must have a column 'date' for the at"),
    ],
    ids=["no-such-column", "no-such-meaning", "optional-one-that-was-named"],
)
def test_a_table_without_its_columns_says_which(
    tmp_path: Path, columns: dict[str, str], fault: str
) -> None:
    path = written(tmp_path, "listens.csv", CSV)
    with pytest.raises(InputError, match=fault):
        imported("table", path, columns=columns)


@pytest.mark.parametrize("kind", ["lastfm1k", "lastfm360k", "listenbrainz", "taste_profile"])
def test_a_wrong_file_is_one_error_with_line_and_column(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path, "notes.txt", "Dear diary,\n" * 5000)
    with pytest.raises(InputError, match=rf"notes\.txt:1:\d+: must .*1000 bad.*'{kind}'") as caught:
        imported(kind, path)
    assert len(caught.value.faults) == 1


def test_missing_and_empty_places_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere\.tsv: does not exist"):
        imported("lastfm1k", tmp_path / "nowhere.tsv")
    with pytest.raises(InputError, match=r"must hold files that end in traname\.tsv"):
        imported("lastfm1k", tmp_path)
    cut = written(tmp_path, "x.traname.tsv.gz", gzip.compress(LASTFM1K)[:-20])
    with pytest.raises(InputError, match=r"is damaged or cut off \(torn archive\)"):
        imported("lastfm1k", cut)


def test_rare_tracks_can_be_left_out(tmp_path: Path) -> None:
    path = written(tmp_path, "traname.tsv", LASTFM1K)
    table, summary = imported("lastfm1k", path, min_plays=2)
    assert table.catalog.titles == ["A\tTab Inside"]
    assert summary.left_out["track played too seldom"] == 3
    table, _ = imported("lastfm1k", path, most_tracks=2)
    assert len(table.catalog) == 2
    with pytest.raises(InputError, match=r"no track has 9 plays; 6 listens were read"):
        imported("lastfm1k", path, min_plays=9)


def test_what_is_written_loads_as_catalog_and_training_table(tmp_path: Path) -> None:
    path = written(tmp_path, "traname.tsv", LASTFM1K)
    summary = import_data("lastfm1k", path, tmp_path / "out", ImportOptions())
    catalog = load_catalog(tmp_path / "out" / "tracks.jsonl")
    assert len(catalog) == summary.tracks == 4
    assert load_top(tmp_path / "out" / "top_tracks.json", catalog).tolist() == [0, 1, 2, 3]
    table = load_table(tmp_path / "out" / "interactions.parquet", catalog)
    save_table(tmp_path / "again.parquet", table, {})
    again = load_table(tmp_path / "again.parquet", catalog)
    for column in ("session", "position", "user", "track", "time", "at_ms", "plays"):
        assert np.array_equal(getattr(again, column), getattr(table, column)), column
    assert again.users == table.users == ["user_01", "user_02"]


def test_a_training_table_of_another_catalog_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, "traname.tsv", LASTFM1K)
    import_data("lastfm1k", path, tmp_path / "one", ImportOptions())
    import_data("lastfm1k", path, tmp_path / "two", ImportOptions(most_tracks=2))
    other = load_catalog(tmp_path / "two" / "tracks.jsonl")
    with pytest.raises(InputError, match=r"was made for a different catalog"):
        load_table(tmp_path / "one" / "interactions.parquet", other)
    foreign = parquet(tmp_path / "foreign.parquet", {"user": [1]})
    with pytest.raises(InputError, match=r"must be a training table that segue wrote"):
        load_table(foreign, other)
