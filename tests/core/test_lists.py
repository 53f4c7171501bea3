"""Lists: saved lists come back, and each faulty list is refused by file and line."""

import hashlib
import io
import json
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.catalog import UNKNOWN, Catalog
from core.errors import InputError
from core.lists import load_lists, read_lists, save_lists
from tests.core.damage import damages

TRACKS = 9
CATALOG = Catalog([10 * i for i in range(TRACKS)], ["A"] * TRACKS, [""] * TRACKS)

rows = st.lists(st.integers(0, TRACKS - 1), min_size=1, unique=True)
by_track = st.dictionaries(st.integers(0, TRACKS - 1), rows, min_size=1)
by_user = st.dictionaries(st.text(min_size=1, max_size=4), rows, min_size=1)


def faults(path):
    with pytest.raises(InputError) as raised:
        load_lists(path, CATALOG)
    return [str(fault).removeprefix(str(path)) for fault in raised.value.faults]


def as_dict(lists):
    if lists.key == "track":
        found = {track: lists.of_track(track) for track in range(TRACKS)}
    else:
        found = {user: lists.of_user(user) for user in lists.keys}
    return {key: row.listed() for key, row in found.items() if row is not None}


@given(by_track)
def test_lists_by_track_come_back(tmp_path_factory, given_rows):
    path = tmp_path_factory.mktemp("lists") / "lists.npz"
    save_lists(path, "track", given_rows, CATALOG, {"model": "none"})
    lists = load_lists(path, CATALOG)
    assert as_dict(lists) == given_rows
    assert lists.of_track(UNKNOWN) is None
    assert len(lists) == len(given_rows)
    assert (lists.key, lists.manifest["model"]) == ("track", "none")


@given(by_user)
def test_lists_by_user_come_back(tmp_path_factory, given_rows):
    path = tmp_path_factory.mktemp("lists") / "lists.npz"
    save_lists(path, "user", given_rows, CATALOG, {})
    lists = load_lists(path, CATALOG)
    assert as_dict(lists) == given_rows
    assert lists.of_user("somebody else") is None


def test_the_same_lists_are_the_same_bytes_in_any_order(tmp_path):
    one, other = tmp_path / "one.npz", tmp_path / "other.npz"
    save_lists(one, "track", {1: [2, 3], 0: [4]}, CATALOG, {"a": 1, "b": 2})
    save_lists(other, "track", {0: np.array([4]), 1: np.array([2, 3])}, CATALOG, {"b": 2, "a": 1})
    assert one.read_bytes() == other.read_bytes()
    with zipfile.ZipFile(one) as archive:
        assert {info.date_time[0] for info in archive.infolist()} == {1980}  # not the time of day
    checksum = hashlib.sha256(one.read_bytes()).hexdigest()
    assert load_lists(one, CATALOG).checksum == checksum
    assert list(tmp_path.iterdir()) in ([one, other], [other, one])


@pytest.mark.parametrize("row", [[], [3, 4, 3]], ids=["empty", "twice"])
def test_a_list_that_cannot_be_drawn_from_is_never_written(tmp_path, row):
    with pytest.raises(AssertionError, match="a list"):
        save_lists(tmp_path / "lists.npz", "track", {0: [1], 1: row}, CATALOG, {})
    assert list(tmp_path.iterdir()) == []


def test_a_list_file_that_cannot_be_written_is_a_fault_and_leaves_nothing_behind(tmp_path):
    taken = tmp_path / "taken.npz"
    taken.mkdir()
    with pytest.raises(InputError, match=r"taken\.npz: cannot be written: Is a directory"):
        save_lists(taken, "track", {0: [1]}, CATALOG, {})
    assert list(tmp_path.iterdir()) == [taken]


def test_an_interrupted_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "lists.npz"
    save_lists(path, "track", {0: [1]}, CATALOG, {})
    before = path.read_bytes()

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("core.archive.npy.write_array", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save_lists(path, "track", {0: [2]}, CATALOG, {})
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == before


def test_an_entry_of_the_manifest_cannot_change_the_key_or_the_catalog(tmp_path):
    path = tmp_path / "lists.npz"
    save_lists(path, "track", {0: [1]}, CATALOG, {"key": "user", "format": 9, "catalog": "other"})
    assert as_dict(load_lists(path, CATALOG)) == {0: [1]}


def test_a_large_catalog_needs_wider_numbers(tmp_path):
    size = (1 << 16) + 1
    catalog = Catalog(range(size), ["A"] * size, [""] * size)
    save_lists(tmp_path / "l.npz", "track", {size - 1: [size - 1, 0]}, catalog, {})
    assert load_lists(tmp_path / "l.npz", catalog).of_track(size - 1).listed() == [size - 1, 0]


# -- JSON lines --------------------------------------------------------------------------------


def written(folder, *lines):
    path = folder / "lists.jsonl"
    path.write_text("".join(f"{x if isinstance(x, str) else json.dumps(x)}\n" for x in lines))
    return path


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        ([{"user": 7, "tracks": [10, 20]}, {"user": "u", "tracks": [0]}], {"7": [1, 2], "u": [0]}),
        ([{"track": 10, "recommendations": [20, "30"]}], {1: [2, 3]}),
        ([{"item_id": "10", "recommendations": [0]}], {1: [0]}),
        ([{"user": 7, "recommendations": [10]}], {"7": [1]}),
        ([{"track": 10, "tracks": [20]}], {1: [2]}),
    ],
    ids=["user-tracks", "track-recommendations", "item_id", "user-recommendations", "track-tracks"],
)
def test_botify_lines_are_read_without_changes(tmp_path, lines, found):
    assert as_dict(load_lists(written(tmp_path, *lines), CATALOG)) == found


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (
            {"tracks": [0]},
            '"user", "track" or "item_id" must be an int or a non-empty string, got None',
        ),
        (
            {"track": 2**63, "tracks": [0]},
            '"user", "track" or "item_id" must be an int or a non-empty string, got 9223372036854775808'  # noqa: E501
            ". An int has at most 64 bits; write a longer one in quotation marks",
        ),
        ({"user": None, "tracks": [0]}, '"user", "track" or "item_id" must be an int'),
        ({"user": 1.5, "tracks": [0]}, '"user", "track" or "item_id" must be an int'),
        ({"user": "", "tracks": [0]}, '"user", "track" or "item_id" must be an int'),
        ({"user": 2}, 'must have "tracks" or "recommendations", an array of track ids'),
        ({"user": 2, "tracks": "0"}, 'must have "tracks" or "recommendations", an array of'),
        ({"user": 2, "tracks": {"0": 1}}, 'must have "tracks" or "recommendations", an array'),
        ({"user": 2, "tracks": [0, 5]}, "1 of 2 tracks are not in the catalog: 5. Leave them"),
        ({"user": 2, "tracks": [0, None]}, "1 of 2 tracks are not in the catalog: None. Leave"),
        ({"user": 2, "tracks": [0, 10, "0"]}, "track '0' is there twice; each may be there once"),
        ({"user": "1", "tracks": [0]}, "user '1' already has a list in a line above"),
        ("{", "must be one JSON object a line: "),
        ("[]", "must be a JSON object, got list"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_faulty_line_of_lists_is_named(tmp_path, line, fault):
    path = written(tmp_path, {"user": 1, "tracks": [0]}, line)
    (found,) = faults(path)
    assert found.startswith(f":2: {fault}")


def test_an_empty_list_is_a_track_without_a_list(tmp_path):
    lines = [{"track": 0, "recommendations": [10]}, {"track": 10, "recommendations": []}]
    lists = load_lists(written(tmp_path, *lines, {"track": 20, "recommendations": []}), CATALOG)
    assert as_dict(lists) == {0: [1]}
    assert lists.manifest["empty"] == 2
    assert faults(written(tmp_path, lines[1])) == [
        ": must have at least one list, has 1 empty ones"
    ]


def test_ten_faults_are_shown_and_the_rest_is_counted(tmp_path):
    path = written(tmp_path, *[{"track": 5, "tracks": [0]}] * 1234)
    with pytest.raises(InputError) as raised:
        load_lists(path, CATALOG)
    assert raised.value.count == 1234
    found = faults(path)
    assert [fault.split(":")[1] for fault in found[:10]] == [str(line) for line in range(1, 11)]
    assert found[10:] == [": has 1,224 more faults like these"]


def test_a_list_of_an_unknown_track_is_a_fault(tmp_path):
    path = written(tmp_path, {"track": 5, "recommendations": [0]})
    assert faults(path) == [":1: track 5 is not in the catalog"]


def test_lists_are_keyed_by_one_thing(tmp_path):
    path = written(tmp_path, {"track": 0, "tracks": [10]}, {"user": 0, "tracks": [10]})
    assert faults(path) == [
        ": must be keyed by track or by user, has lines of both. Split it into two files"
    ]


def test_lists_without_any_are_a_fault(tmp_path):
    assert faults(written(tmp_path)) == [": must have at least one list, has none"]
    assert faults(tmp_path / "x.npz")[0] == ": cannot be read: No such file or directory"
    assert faults(tmp_path / "x.jsonl")[0] == ": cannot be read: No such file or directory"


# -- list files that are not sound -------------------------------------------------------------


def npz(path, **changed):
    """Make a list file by hand, sound apart from the changed parts."""
    manifest = {"format": 1, "key": "track", "catalog": CATALOG.checksum}
    manifest |= changed.pop("manifest", {})
    arrays = {
        "manifest": np.frombuffer(json.dumps(manifest).encode(), dtype=np.uint8),
        "keys": np.array([0, 1], dtype=np.int32),
        "offsets": np.array([0, 2, 3]),
        "tracks": np.array([3, 4, 5], dtype=np.uint16),
    } | changed
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return path


def test_a_file_that_numpy_wrote_is_read_too(tmp_path):
    assert as_dict(load_lists(npz(tmp_path / "l.npz"), CATALOG)) == {0: [3, 4], 1: [5]}


INCONSISTENT = (
    ": must have one list for each key, of known tracks, none empty; this does not hold. "
)
FOREIGN = ": must be a list file that segue wrote, but is damaged or foreign ("


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"manifest": {"format": 9}}, ": must be of format 1, is 9"),
        (
            {"manifest": {"catalog": "other"}},
            ": was made for a different catalog (checksum other...",
        ),
        ({"manifest": {"catalog": None}}, ": was made for a different catalog (checksum None..."),
        ({"manifest": {"key": "artist"}}, FOREIGN + "keyed by 'artist')"),
        ({"keys": None}, FOREIGN + "'keys')"),
        ({"tracks": None}, FOREIGN + "'tracks')"),
        ({"keys": np.array([0, 9], dtype=np.int32)}, INCONSISTENT),
        ({"keys": np.array([-1, 0], dtype=np.int32)}, INCONSISTENT),
        ({"keys": np.array([1, 1], dtype=np.int32)}, INCONSISTENT),
        ({"keys": np.array([], dtype=np.int32)}, INCONSISTENT),
        ({"offsets": np.array([0, 2])}, INCONSISTENT),
        ({"offsets": np.array([0, 3, 3])}, INCONSISTENT),
        ({"offsets": np.array([1, 2, 3])}, INCONSISTENT),
        ({"offsets": np.array([0, 2, 4])}, INCONSISTENT),
        ({"tracks": np.array([3, 4, TRACKS])}, INCONSISTENT),
        ({"tracks": np.array([3, -1, 5])}, INCONSISTENT),
    ],
    ids=lambda value: str(value)[:50],
)
def test_an_inconsistent_list_file_is_refused(tmp_path, changed, fault):
    (found,) = faults(npz(tmp_path / "l.npz", **changed))
    assert found.startswith(fault)


@pytest.mark.parametrize(
    ("key", "keys", "owner"),
    [("track", [0, 3], "30"), ("user", ["a", "b"], "'b'")],
    ids=["of-a-track", "of-a-listener"],
)
def test_a_track_twice_in_one_list_is_a_fault(tmp_path, monkeypatch, key, keys, owner):
    monkeypatch.setattr("core.archive.BLOCK", 1)  # every list is a block of its own
    written_keys = (
        np.array(keys, dtype=np.int32)
        if key == "track"
        else np.frombuffer(json.dumps(keys).encode(), dtype=np.uint8)
    )
    parts = {"manifest": {"key": key}, "keys": written_keys, "offsets": np.array([0, 2, 5])}
    path = npz(tmp_path / "l.npz", **parts, tracks=np.array([3, 4, 3, 4, 5]))
    assert len(load_lists(path, CATALOG)) == 2, "two lists may have the same track"
    npz(path, **parts, tracks=np.array([3, 4, 5, 4, 5]))
    assert faults(path) == [
        f": must have each track once in a list; the list of {key} {owner} has one twice. Make it "
        "again with `segue lists` or `segue train`"
    ]


@given(st.lists(st.lists(st.integers(0, TRACKS - 1), min_size=1), min_size=1))
def test_every_repeated_track_is_found(tmp_path_factory, listed):
    path = npz(
        tmp_path_factory.mktemp("lists") / "l.npz",
        manifest={"key": "user"},
        keys=np.frombuffer(json.dumps(list(map(str, range(len(listed))))).encode(), np.uint8),
        offsets=np.concatenate([[0], np.cumsum(list(map(len, listed)))]),
        tracks=np.concatenate(listed),
    )
    if all(len(set(row)) == len(row) for row in listed):
        assert list(as_dict(load_lists(path, CATALOG)).values()) == listed
    else:
        assert "has one twice" in faults(path)[0]


def test_one_changed_byte_is_found_by_its_checksum(tmp_path):
    """The changed list is as sound as the one that was written."""
    users = [str(user) for user in range(9_000)]  # more than zipfile reads with the header
    path = npz(
        tmp_path / "l.npz",
        manifest={"key": "user"},
        keys=np.frombuffer(json.dumps(users).encode(), dtype=np.uint8),
        offsets=np.arange(9_001),
        tracks=np.full(9_000, 3, dtype=np.uint16),
    )
    assert load_lists(path, CATALOG).of_user("8999").listed() == [3]
    content = bytearray(path.read_bytes())
    content[content.rindex(b"\x03\x00")] = 4
    path.write_bytes(content)
    assert faults(path)[0].startswith(FOREIGN + "Bad CRC-32 for file 'tracks.npy')")


def test_lists_in_memory_are_used_if_the_file_has_the_same_content(tmp_path):
    path = npz(tmp_path / "l.npz")
    lines = written(tmp_path, {"user": 1, "tracks": [0]})
    known = [load_lists(path, CATALOG), load_lists(lines, CATALOG)]
    assert load_lists(path, CATALOG, known) is known[0]
    assert load_lists(lines, CATALOG, known) is known[1]
    npz(path, tracks=np.array([3, 4, 6], dtype=np.uint16))
    assert as_dict(load_lists(path, CATALOG, known)) == {0: [3, 4], 1: [6]}


SOUND_LISTS = {"ann": [3, 4], "bob": [5]}


def sound():
    """The bytes of a sound list file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "l.npz"
        save_lists(path, "user", SOUND_LISTS, CATALOG, {"model": "none"})
        return path.read_bytes()


SOUND = sound()


def cut(content):
    return content[: len(content) // 2]


def compressed(content):
    packed = io.BytesIO()
    deflated = zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(io.BytesIO(content)) as old, deflated as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return packed.getvalue()


@pytest.mark.parametrize(
    "damage",
    [cut, compressed, lambda _: b"", lambda _: b"{}", lambda content: content[:-30] + b"x" * 30],
    ids=["cut", "compressed", "empty", "no-zip", "end-overwritten"],
)
def test_a_damaged_list_file_is_refused(tmp_path, damage):
    path = npz(tmp_path / "l.npz")
    path.write_bytes(damage(path.read_bytes()))
    (found,) = faults(path)
    assert found.startswith(FOREIGN)


@pytest.mark.parametrize(
    "hostile",
    [
        {"keys": np.array([[0, 1]])},
        {"keys": np.array([0.0, 1.0])},
        {"keys": np.array(["a", "b"])},
        {"keys": np.array(7)},
        {"offsets": np.array([0, 2.5, 3])},
        {"offsets": np.array([0, 2**63, 3], dtype=np.uint64)},
        {"offsets": np.array([0, 2, 3], dtype="datetime64[s]")},
        {"tracks": np.array([True, False, True])},
        {"tracks": np.array([3, 4, 5], dtype=">i4")},
        {"tracks": np.zeros(3, dtype=[("a", "i4")])},
        {"tracks": np.array([], dtype=np.uint16)},
        {"manifest": {"key": ["track"]}},
        {"manifest": {"key": "user"}},
    ],
    ids=str,
)
def test_hostile_arrays_are_one_clear_fault(tmp_path, hostile):
    (found,) = faults(npz(tmp_path / "l.npz", **hostile))
    assert found.startswith((FOREIGN, INCONSISTENT))


@pytest.mark.parametrize(
    "keys", ['{"a": 1}', "7", "[1, 2]", "[[], {}]", "[null, null]", '"ab"', "[" * 5000], ids=str
)
def test_keys_of_listeners_are_strings(tmp_path, keys):
    raw = np.frombuffer(keys.encode(), dtype=np.uint8)
    (found,) = faults(npz(tmp_path / "l.npz", manifest={"key": "user"}, keys=raw))
    assert found.startswith(FOREIGN)


@pytest.mark.parametrize("manifest", [b"[]", b"7", b"null", b"{", b"\xff"], ids=str)
def test_a_manifest_is_a_json_object(tmp_path, manifest):
    path = tmp_path / "l.npz"
    arrays = {"keys": np.array([0]), "offsets": np.array([0, 1]), "tracks": np.array([1])}
    np.savez(path, manifest=np.frombuffer(manifest, dtype=np.uint8), **arrays)
    (found,) = faults(path)
    assert found.startswith(FOREIGN)


@settings(max_examples=400)
@given(damaged=damages(SOUND))
def test_damage_is_one_fault_or_changes_no_list(tmp_path_factory, damaged):
    path = tmp_path_factory.mktemp("damaged") / "l.npz"
    path.write_bytes(damaged)
    try:
        found = as_dict(load_lists(path, CATALOG))
    except InputError as error:
        found = len(error.faults)
    assert found in (1, SOUND_LISTS)


def test_lists_are_views_of_the_sealed_copy_and_not_copies_of_their_own(tmp_path):
    path = tmp_path / "l.npz"
    save_lists(path, "track", {0: [1, 2], 1: [3]}, CATALOG, {})
    row = load_lists(path, CATALOG).of_track(0).tracks
    assert row.base is not None
    assert not row.flags.writeable


def test_scores_come_back_with_their_lists(tmp_path):
    rows, scores = {3: [1, 2, 5], 7: [4]}, {3: [4.0, 4.0, -1.0], 7: [0.0]}
    save_lists(tmp_path / "l.npz", "track", rows, CATALOG, {}, scores)

    found = load_lists(tmp_path / "l.npz", CATALOG)

    assert found.scores.tolist() == [4, 4, -1, 0]
    assert found.relative_scores().tolist() == [1, 1, 0, 0]
    assert found.scores[found.bounds(found.row_of_track(3), 2)].tolist() == [4, 4]
    save_lists(tmp_path / "m.npz", "track", rows, CATALOG, {})
    assert load_lists(tmp_path / "m.npz", CATALOG).scores is None
    assert load_lists(tmp_path / "m.npz", CATALOG).checksum != found.checksum


@pytest.mark.parametrize(
    "scores", [{3: [1.0, 2.0, 0.0], 7: [5.0]}, {3: [1.0, float("nan"), 0.0], 7: [5.0]}]
)
def test_scores_that_rise_or_are_no_numbers_are_refused(tmp_path, scores):
    save_lists(tmp_path / "l.npz", "track", {3: [1, 2, 5], 7: [4]}, CATALOG, {}, scores)

    with pytest.raises(InputError, match="must have one finite score for each track"):
        load_lists(tmp_path / "l.npz", CATALOG)


def lines(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_scores_of_json_lines_stay_with_their_tracks(tmp_path):
    path = lines(
        tmp_path / "l.jsonl",
        {"track": 0, "recommendations": [10, "gone", 30], "scores": [3, 2.5, 1]},
        {"track": 20, "recommendations": [40], "scores": [-1]},
    )

    found = read_lists(path, CATALOG, drop_unknown=True)

    assert found.tracks.tolist() == [1, 3, 4]
    assert found.scores.tolist() == [3, 1, -1]


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([1], '1: "scores" must be a finite number for each track'),
        ([1, 2], '1: "scores" must be a finite number for each track'),
        ([2, None], '1: "scores" must be a finite number for each track'),
        ([2, 1], "must have scores in all lines or in none, has them in 1 of 2"),
    ],
    ids=["too-few", "rising", "no-number", "not-in-all-lines"],
)
def test_scores_of_json_lines_must_fit(tmp_path, scores, message):
    path = lines(
        tmp_path / "l.jsonl",
        {"track": 0, "recommendations": [10, 30], "scores": scores},
        {"track": 20, "recommendations": [40]},
    )

    with pytest.raises(InputError, match=message):
        read_lists(path, CATALOG)


def test_scores_that_float32_does_not_hold_are_refused_before_a_file_is_written(tmp_path):
    path = tmp_path / "l.jsonl"
    path.write_text('{"track": 0, "recommendations": [10, 20], "scores": [1e39, 0]}\n')
    assert faults(path) == [':1: "scores" must be a finite number for each track, and never rise']


def test_lists_of_which_the_catalog_knows_no_track_say_so(tmp_path):
    path = tmp_path / "l.jsonl"
    path.write_text('{"track": 0, "recommendations": [11]}\n{"user": 7, "tracks": [12, 13]}\n')
    with pytest.raises(
        InputError, match="has none; 2 are of tracks that the catalog does not have"
    ):
        read_lists(path, CATALOG, drop_unknown=True)
