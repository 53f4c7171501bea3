"""`segue vectors`, as typed at a terminal."""

import json

import numpy as np
import pytest

from core.catalog import load_catalog
from core.errors import InputError
from core.vectors import load_vectors, save_vectors
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
        (POINTS[0], "1000\n", "must be an array"),
        (np.array([[1, 2]]), "1000\n", "must be an array"),
    ],
    ids=["twice", "too-few", "no-number", "one-row", "integers"],
)
def test_what_does_not_fit_is_refused_by_its_row(world, points, ids, message):
    np.save(world / "bad.npy", points)
    (world / "bad.txt").write_text(ids)

    with pytest.raises(InputError, match=message):
        imported(world, "bad.npy", world / "bad.txt")


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
        (["a", "b"], "song", "must have lists of numbers"),
    ],
    ids=["lengths", "missing", "column", "text"],
)
def test_parquet_that_does_not_fit_is_refused(world, rows, ids, message):
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table({"song": IDS[:2], "vector": rows}), world / "bad.parquet")
    with pytest.raises(InputError, match=message):
        imported(world, "bad.parquet", ids)


def test_damaged_parquet_is_refused_with_one_sentence(world):
    (world / "cut.parquet").write_bytes(b"PAR1" + bytes(40))

    with pytest.raises(InputError, match="must be a Parquet file"):
        imported(world, "cut.parquet", "song")
