"""The catalog and the popularity list: their content, and every fault by file and line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.catalog import UNKNOWN, Catalog, is_id, known_tracks, load_catalog, load_top
from core.errors import InputError

FIRST = {"track": 7, "artist": "Quern", "title": "Ember"}


def written(folder, *lines, name="tracks.jsonl"):
    path = folder / name
    encoded = [
        line if isinstance(line, bytes) else (line if isinstance(line, str) else json.dumps(line))
        for line in lines
    ]
    path.write_bytes(b"".join((e if isinstance(e, bytes) else e.encode()) + b"\n" for e in encoded))
    return path


def faults(call, *args):
    with pytest.raises(InputError) as raised:
        call(*args)
    return [str(fault) for fault in raised.value.faults]


@pytest.mark.parametrize(
    "id_", [7, -7, 0, 2**63 - 1, -(2**63), "7", str(2**63), "a b", "x" * 256], ids=repr
)
def test_ints_and_short_strings_are_ids(id_):
    assert is_id(id_)


@pytest.mark.parametrize(
    "id_",
    [2**63, -(2**63) - 1, True, 7.0, None, "", "x" * 257, " 7", "7 ", "7\n", [7], {"id": 7}],
    ids=repr,
)
def test_nothing_else_is_an_id(id_):
    assert not is_id(id_)


@given(st.lists(st.sampled_from("abcde"), min_size=1, max_size=20))
def test_an_artists_tracks_are_those_that_a_loop_finds(artists):
    catalog = Catalog([100 + i for i in range(len(artists))], artists, [""] * len(artists))
    for track, artist in enumerate(artists):
        theirs = [other for other, name in enumerate(artists) if name == artist]
        assert catalog.by_artist_of(track).listed() == theirs
        assert catalog.artists[catalog.artist_of[track]] == artist
        assert catalog.index_of(100 + track) == catalog.index_of(str(100 + track)) == track
    assert catalog.index_of(99) == catalog.index_of("") == UNKNOWN
    assert catalog.everything.listed() == list(range(len(artists)))


def test_a_catalog_of_two_ids_that_are_alike_but_not_the_same():
    catalog = Catalog([7, "07"], ["a", "b"], ["", ""])
    assert (catalog.index_of("7"), catalog.index_of("07"), len(catalog)) == (0, 1, 2)


@pytest.mark.parametrize(
    "other",
    [
        Catalog([2, 1], ["a", "b"], ["x", "y"]),
        Catalog([1, 2], ["a", "c"], ["x", "y"]),
        Catalog([1, 2], ["a", "b"], ["x", "z"]),
        Catalog([1, "2"], ["a", "b"], ["x", "y"]),
        Catalog([1], ["a"], ["x"]),
    ],
    ids=["order", "artist", "title", "id", "length"],
)
def test_different_catalogs_have_different_checksums(other):
    one = Catalog([1, 2], ["a", "b"], ["x", "y"])
    assert one.checksum == Catalog([1, 2], ["a", "b"], ["x", "y"]).checksum
    assert one.checksum != other.checksum


def test_a_botify_catalog_is_read_without_changes(tmp_path):
    lines = [
        {"artist": "Quern", "title": "Ember", "track": 0},
        {"track": "t-1", "artist": "Ossa", "extra": [1]},
    ]
    catalog = load_catalog(written(tmp_path, *lines, ""))
    assert catalog.describe(0) == {"track": 0, "artist": "Quern", "title": "Ember"}
    assert catalog.describe(1) == {"track": "t-1", "artist": "Ossa", "title": ""}


@pytest.mark.parametrize("ending", [b"\r\n", b"\n", b"\n\n \n"], ids=["crlf", "lf", "blank-lines"])
def test_line_ends_blank_lines_and_a_byte_order_mark_are_skipped(tmp_path, ending):
    path = tmp_path / "tracks.jsonl"
    lines = [json.dumps(FIRST | {"track": track}).encode() for track in (7, 8)]
    path.write_bytes(b"\xef\xbb\xbf" + ending.join(lines))
    assert load_catalog(path).ids == [7, 8]


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ({"artist": "A"}, "track must be an int or a non-empty string, got None"),
        ({"track": None, "artist": "A"}, "track must be an int or a non-empty string, got None"),
        ({"track": "", "artist": "A"}, "track must be an int or a non-empty string, got ''"),
        ({"track": 1.0, "artist": "A"}, "track must be an int or a non-empty string, got 1.0"),
        ({"track": True, "artist": "A"}, "track must be an int or a non-empty string, got True"),
        ({"track": [1], "artist": "A"}, "track must be an int or a non-empty string, got [1]"),
        ({"track": " 7", "artist": "A"}, "track must be an int or a non-empty string, got ' 7'"),
        ({"track": 2**63, "artist": "A"}, "track must be an int or a non-empty string, got 9"),
        ({"track": 7, "artist": "A"}, "track 7 is already in line 1"),
        ({"track": "7", "artist": "A"}, "track '7' is already in line 1"),
        ({"track": 8}, "artist must be a non-empty string, got None"),
        ({"track": 8, "artist": ""}, "artist must be a non-empty string, got ''"),
        ({"track": 8, "artist": 5}, "artist must be a non-empty string, got 5"),
        ({"track": 8, "artist": "A", "title": 5}, "title must be a string, got 5"),
        ({"track": 8, "artist": "A", "title": None}, "title must be a string, got None"),
        ("[1, 2]", "must be a JSON object, got list"),
        ("7", "must be a JSON object, got int"),
        ('{"track": 8', "must be one JSON object a line: "),
        ("{'track': 8}", "must be one JSON object a line: "),
        ('{"track": NaN, "artist": "A"}', "must be one JSON object a line: "),
        (b'{"track": 8, "artist": "\xff"}', "must be one JSON object a line: "),
    ],
    ids=lambda value: str(value)[:45],
)
def test_a_faulty_line_of_the_catalog_is_named(tmp_path, line, fault):
    path = written(tmp_path, FIRST, line)
    (found,) = faults(load_catalog, path)
    assert found.startswith(f"{path}:2: {fault}")


def test_all_faulty_lines_are_named_at_once(tmp_path):
    path = written(tmp_path, {"track": None}, FIRST, "[", FIRST, {"track": 9, "artist": ""})
    assert [fault.split(": ")[0] for fault in faults(load_catalog, path)] == [
        f"{path}:{number}" for number in (1, 3, 4, 5)
    ]


def test_a_catalog_without_tracks_is_a_fault(tmp_path):
    path = written(tmp_path)
    assert faults(load_catalog, path) == [f"{path}: must have at least one track, has none"]


@pytest.mark.parametrize("load", [load_catalog, lambda path: load_top(path, None)])
def test_a_file_that_is_not_there_is_a_fault(tmp_path, load):
    path = tmp_path / "none.jsonl"
    assert faults(load, path) == [f"{path}: cannot be read: No such file or directory"]
    assert faults(load, tmp_path) == [f"{tmp_path}: cannot be read: Is a directory"]


@pytest.fixture
def catalog():
    return Catalog([10 * i for i in range(9)], ["A"] * 9, [""] * 9)


def test_a_popularity_list_keeps_its_order(tmp_path, catalog):
    assert load_top(written(tmp_path, [30, "0", 80]), catalog).tolist() == [3, 0, 8]
    path = tmp_path / "top.json"
    path.write_bytes(b"\xef\xbb\xbf[\n30,\n0\n]")
    assert load_top(path, catalog).tolist() == [3, 0]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("", ":1: must be JSON: "),
        ("[10,\n20,\n", ":3: must be JSON: "),
        ("[]", ": must be a JSON array of at least one track id"),
        ('{"top": [10]}', ": must be a JSON array of at least one track id"),
        ("7", ": must be a JSON array of at least one track id"),
        ("[10, 20, 10]", ": track 10 is there twice; each may be there once"),
        ('[10, 20, "10"]', ": track '10' is there twice; each may be there once"),
        ("[10, 7]", ": 1 of 2 tracks are not in the catalog: 7. Leave them out, or name "),
        ("[1, 2, 3, 4, 10]", ": 4 of 5 tracks are not in the catalog: 1, 2, 3 and 1 more. Leave"),
        ("[10.0]", ": 1 of 1 tracks are not in the catalog: 10.0. "),
        ("[true]", ": 1 of 1 tracks are not in the catalog: True. "),
        ("[[10]]", ": 1 of 1 tracks are not in the catalog: [10]. "),
        ("[null]", ": 1 of 1 tracks are not in the catalog: None. "),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_faulty_popularity_list_is_named(tmp_path, catalog, content, fault):
    path = tmp_path / "top_tracks.json"
    path.write_text(content)
    (found,) = faults(load_top, path, catalog)
    assert found.startswith(f"{path}{fault}")


def test_a_long_list_with_one_track_twice_at_its_end_is_checked_in_no_time():
    """A search for each track in turn would take 10**10 comparisons."""
    catalog = Catalog(range(100_000), ["A"] * 100_000, [""] * 100_000)
    ids = [*range(100_000), 99_999]
    assert faults(known_tracks, "top", ids, catalog) == [
        "top: track 99999 is there twice; each may be there once"
    ]
