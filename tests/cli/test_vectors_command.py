"""`segue vectors`, as typed at a terminal."""

import json

import numpy as np
import pytest

from core.catalog import load_catalog
from core.errors import InputError
from core.vector_archive import load_vectors, save_vectors
from segue.testing.small_world import TRACKS, WITHOUT_LIST, small_artifacts, small_catalog
from tests.cli.test_lists_command import segue
from tests.service import write_world

IDS = small_catalog().ids
POINTS = np.random.default_rng(2).normal(size=(TRACKS, 5)).astype(np.float32)


@pytest.fixture
def world(tmp_path):
    write_world(tmp_path)
    np.save(tmp_path / "audio.npy", POINTS[::-1])
    (tmp_path / "ids.txt").write_text("".join(f"{each}\n" for each in IDS[::-1]))
    return tmp_path


def imported(world, file, ids, *more):
    to = world / "audio.npz"
    printed = segue(
        "vectors", "import", world / file, "--ids", ids, "--catalog", world / "tracks.jsonl",
        "--to", to, *more,
    )  # fmt: skip
    return printed, load_vectors(to, load_catalog(world / "tracks.jsonl"))


def points_of(vectors):
    """Give the vectors in the order of the catalog."""
    rows = [vectors.row_of_track(track) for track in range(TRACKS)]
    return vectors.units[rows] * vectors.lengths[rows, None]


def test_rows_of_an_array_get_the_ids_of_a_file(world):
    printed, made = imported(world, "audio.npy", world / "ids.txt", "--model", "audio-1")

    assert points_of(made) == pytest.approx(POINTS, abs=1e-6)
    assert "24 vectors by track of 5 numbers, 100% of the catalog" in printed
    assert (made.manifest["model"], list(made.manifest["from"])) == ("audio-1", ["audio.npy"])


def test_parquet_has_ids_and_vectors_in_columns(world):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pyarrow.table({"song": IDS, "embedding": [row.tolist() for row in POINTS]})
    parquet.write_table(table, world / "text.parquet")

    _, made = imported(
        world, "text.parquet", "song", "--column", "embedding", "--precision", "float16"
    )

    assert points_of(made) == pytest.approx(POINTS, abs=2e-3)


def test_vectors_by_listener(world):
    np.save(world / "users.npy", POINTS[:2])
    (world / "users.txt").write_text("7\nx\n")

    _, made = imported(world, "users.npy", world / "users.txt", "--by", "user")

    assert (made.key, made.keys) == ("user", ["7", "x"])


def test_unknown_tracks_are_named_or_left_out(world):
    np.save(world / "more.npy", POINTS[:3])
    (world / "more.txt").write_text(f"{IDS[0]}\nnobody\n{IDS[2]}\n")

    with pytest.raises(InputError, match="row 2: track 'nobody' is not in the catalog"):
        imported(world, "more.npy", world / "more.txt")
    printed, made = imported(world, "more.npy", world / "more.txt", "--drop-unknown")

    assert "Left out 1 tracks" in printed
    assert made.keys == [0, 2]
    assert made.manifest["dropped"] == 1


@pytest.mark.parametrize(
    ("points", "ids", "message"),
    [
        (POINTS[:2], "1000\n1000\n", "track '1000' already has a vector in row 1"),
        (POINTS[:2], "1000\n", "must have one id for each of the 2 rows"),
        (POINTS[:2] * np.nan, "1000\n1010\n", "row 1: must have finite numbers"),
        (POINTS[0], "1000\n", r"must be an array .*, is \(5,\) of float32"),
        (np.array([[1, 2]]), "1000\n", r"must be an array .*, is \(1, 2\) of int64"),
        (np.array([[1, 2j]]), "1000\n", "must be an array"),
        (np.zeros((1, 0)), "1000\n", "must be an array"),
        (np.array([[1, {}]]), "1000\n", r"must be a \.npy file or Parquet"),
        (np.array([[1.0], [1e300]]), "1000\n1010\n", "row 2: must have numbers that fit float32"),
        (np.array([[3e38, 3e38]]), "1000\n", "row 1: must have numbers that fit float32"),
    ],
    ids=[
        "twice",
        "too-few",
        "no-number",
        "one-row",
        "integers",
        "complex",
        "no-column",
        "objects",
        "large",
        "long",
    ],
)
def test_what_does_not_fit_is_refused_by_its_row(world, points, ids, message):
    np.save(world / "bad.npy", points)
    (world / "bad.txt").write_text(ids)

    with pytest.raises(InputError, match=message):
        imported(world, "bad.npy", world / "bad.txt")


@pytest.mark.parametrize(
    "points",
    [
        POINTS.astype(">f4"), np.asfortranarray(POINTS), POINTS.astype(np.float16),
        POINTS.astype(np.float64), POINTS.astype(np.longdouble), POINTS[:, ::-1][:, ::-1],
    ],
    ids=["big-endian", "fortran", "half", "double", "long-double", "strided"],
)  # fmt: skip
def test_every_kind_of_float_array_is_read(world, points):
    np.save(world / "any.npy", points)
    (world / "all.txt").write_text("".join(f"{each}\n" for each in IDS))

    _, made = imported(world, "any.npy", world / "all.txt")

    assert points_of(made) == pytest.approx(POINTS, abs=2e-3)


def test_vectors_of_length_zero_are_counted_and_have_no_nearest(world):
    np.save(world / "zero.npy", np.array([[0.0, 0.0], [1.0, 0.0]]))
    (world / "two.txt").write_text(f"{IDS[0]}\n{IDS[1]}\n")

    printed, _ = imported(world, "zero.npy", world / "two.txt")

    assert "1 of them have length 0" in printed
    with pytest.raises(InputError, match="has length 0, so nothing is near"):
        segue("vectors", "near", world / "audio.npz", IDS[0], "--catalog", world / "tracks.jsonl")


def test_numbers_that_a_smaller_type_cannot_hold_are_refused(world):
    np.save(world / "large.npy", np.array([[7e4, 0.0]]))
    (world / "one.txt").write_text(f"{IDS[0]}\n")

    with pytest.raises(InputError, match="row 1: must have numbers that fit float16"):
        imported(world, "large.npy", world / "one.txt", "--precision", "float16")
    assert not (world / "audio.npz").exists()


def test_an_archive_of_arrays_and_damaged_heads_are_refused(world):
    with (world / "several.npy").open("wb") as file:
        np.savez(file, one=POINTS)
    with pytest.raises(InputError, match="is an archive of several"):
        imported(world, "several.npy", world / "ids.txt")
    whole = (world / "audio.npy").read_bytes()
    for number, damaged in enumerate((b"", whole[:90], whole[:200], whole[:10] + b"(" * 118)):
        (world / f"{number}.npy").write_bytes(damaged)
        with pytest.raises(InputError, match=r"must be a \.npy file or Parquet"):
            imported(world, f"{number}.npy", world / "ids.txt")


def test_an_index_is_made_and_its_recall_is_printed(world):
    printed, _ = imported(world, "audio.npy", world / "ids.txt", "--index", "cells")
    assert "Index: cells" in printed
    again = segue(
        "vectors", "index", world / "audio.npz", "--catalog", world / "tracks.jsonl",
        "--to", world / "exact.npz", "--index", "exact",
    )  # fmt: skip

    assert "24 vectors by track" in again
    assert "Index:" not in again
    assert load_vectors(world / "exact.npz", load_catalog(world / "tracks.jsonl")).index is None


def test_a_file_that_is_no_array_is_refused(world):
    with pytest.raises(InputError, match=r"must be a \.npy file or Parquet"):
        imported(world, "tracks.jsonl", world / "ids.txt")
    with pytest.raises(InputError, match="does not exist"):
        imported(world, "missing.npy", world / "ids.txt")


def test_near_prints_titles_and_cosines(world):
    catalog = world / "tracks.jsonl"
    found = json.loads(
        segue("vectors", "near", world / "taste.npz", IDS[0], "--catalog", catalog, "--json")
    )
    units = small_artifacts().vectors["taste"].units
    best = np.argsort(-(units @ units[0]), kind="stable")[1:11]

    assert [each["track"] for each in found["near"]] == [IDS[track] for track in best]
    assert found["near"][0]["cosine"] == pytest.approx(float(units[best[0]] @ units[0]), abs=1e-4)
    printed = segue("vectors", "near", world / "taste.npz", IDS[0], "--catalog", catalog)
    assert f"Title {best[0]}" in printed


def test_near_says_why_it_finds_nothing(world):
    catalog = ["--catalog", world / "tracks.jsonl"]
    with pytest.raises(InputError, match="track '5' is not in"):
        segue("vectors", "near", world / "taste.npz", "5", *catalog)
    with pytest.raises(InputError, match="has no vector in"):
        segue("vectors", "near", world / "taste.npz", IDS[WITHOUT_LIST[0]], *catalog)
    own = load_catalog(world / "tracks.jsonl")
    save_vectors(world / "u.npz", "user", ["1"], np.eye(1), own, {})
    with pytest.raises(InputError, match="must have vectors by track, has vectors by user"):
        segue("vectors", "near", world / "u.npz", IDS[0], *catalog)


@pytest.mark.parametrize(
    ("rows", "ids", "message"),
    [
        ([[1.0, 2.0], [3.0]], "song", "all of one length; has lengths 1, 2"),
        ([[1.0, 2.0], [None, 3.0]], "song", "row 2: must have finite numbers"),
        ([[1.0], [2.0]], "track", "must have a column 'track', has song, vector"),
        (["a", "b"], "song", "must have lists of numbers, has string"),
        ([["1.0"], ["2.0"]], "song", "must have lists of numbers, has lists of string"),
        ([[[1.0]], [[2.0]]], "song", "must have lists of numbers, has lists of list"),
        ([[1.0], None], "song", "all of one length; has lengths 0, 1"),
        ([[], []], "song", "must have lists of numbers, has lists of null"),
        ([[True], [False]], "song", "must have lists of numbers, has lists of bool"),
        ([[1e300], [1.0]], "song", "row 1: must have numbers that fit float32"),
    ],
    ids=[
        "lengths",
        "missing",
        "column",
        "text",
        "quoted",
        "nested",
        "no-list",
        "empty",
        "bool",
        "large",
    ],
)
def test_parquet_that_does_not_fit_is_refused(world, rows, ids, message):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"song": IDS[:2], "vector": rows}), world / "bad.parquet")
    with pytest.raises(InputError, match=message):
        imported(world, "bad.parquet", ids)


@pytest.mark.parametrize("kind", ["fixed", "large", "whole", "half"])
def test_every_kind_of_list_of_parquet_is_read(world, kind):
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    points = np.rint(POINTS * 10) if kind == "whole" else POINTS
    types = {
        "fixed": pa.list_(pa.float32(), 5), "large": pa.large_list(pa.float64()),
        "whole": pa.list_(pa.int8()), "half": pa.list_(pa.float16()),
    }  # fmt: skip
    rows = [row.astype(np.float16 if kind == "half" else np.float64).tolist() for row in points]
    if kind == "whole":
        rows = [[int(each) for each in row] for row in rows]
    table = pa.table({"song": IDS, "vector": pa.array(rows, types[kind])})
    parquet.write_table(table, world / "any.parquet", row_group_size=7)

    _, made = imported(world, "any.parquet", "song")

    assert points_of(made) == pytest.approx(points, abs=1e-2)


def test_damaged_parquet_is_refused_with_one_sentence(world):
    (world / "cut.parquet").write_bytes(b"PAR1" + bytes(40))

    with pytest.raises(InputError, match="must be a Parquet file"):
        imported(world, "cut.parquet", "song")
