"""Vector files, and the exact search of the nearest tracks."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.archive import write_archive
from core.catalog import UNKNOWN
from core.errors import InputError
from core.lists import save_lists
from core.vectors import Vectors, load_vectors, save_vectors
from segue.testing.small_world import TRACKS, small_catalog

CATALOG = small_catalog()


def vectors_of(points, tracks=None):
    tracks = list(range(len(points))) if tracks is None else tracks
    return Vectors("track", tracks, np.asarray(points, dtype=np.float32), CATALOG, {}, "by hand")


@given(
    st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=TRACKS),
    st.tuples(st.integers(-2, 2), st.integers(-2, 2)),
    st.integers(1, TRACKS + 3),
)
def test_near_gives_the_greatest_products_in_order(points, query, k):
    vectors = vectors_of(points)
    products = vectors.units @ np.asarray(query, dtype=np.float32)
    expected = sorted(range(len(points)), key=lambda row: (-products[row], row))[:k]

    tracks, found = vectors.near(np.asarray(query, dtype=np.float32), k)

    assert tracks.tolist() == expected
    assert found.tolist() == products[expected].tolist()


@pytest.mark.parametrize("at_once", [1 << 22, 50])
def test_several_queries_find_what_each_finds_alone(at_once, monkeypatch):
    monkeypatch.setattr("core.vectors.PRODUCTS", at_once)
    draws = np.random.default_rng(6)
    points = draws.normal(size=(TRACKS, 37)).astype(np.float32)
    points[5:9] = points[2] * np.array([[1], [1 + 1e-7], [2], [3]])  # of one direction, nearly
    vectors = vectors_of(points)
    queries = np.vstack([points[2], draws.normal(size=(30, 37))]).astype(np.float32)
    without = [
        set(draws.choice(TRACKS, number % 6, replace=False).tolist()) for number in range(31)
    ]

    together = vectors.near_all(queries, 4, without)

    for query, left_out, (tracks, products) in zip(queries, without, together, strict=True):
        alone = vectors.near(query, 4, left_out)
        assert (tracks.tolist(), products.tolist()) == (alone[0].tolist(), alone[1].tolist())
        assert not set(tracks.tolist()) & left_out


def test_products_that_differ_in_their_last_bits_choose_the_same_tracks():
    """Another BLAS, or more threads, give products that differ by rounding."""
    draws = np.random.default_rng(7)
    vectors = vectors_of(np.repeat(draws.normal(size=(3, 40)), 8, axis=0) + 1e-7 * np.eye(24, 40))
    query = draws.normal(size=40).astype(np.float32)
    exact = vectors.units @ query
    wanted = vectors._best(exact.copy(), query, 6, ())

    for _ in range(50):
        noise = draws.uniform(-1, 1, TRACKS) * 20 * np.finfo(np.float32).eps * np.linalg.norm(query)
        found = vectors._best((exact + noise).astype(np.float32), query, 6, ())
        assert found[0].tolist() == wanted[0].tolist()


def test_directions_have_unit_length_and_lengths_are_kept():
    vectors = vectors_of([[3, 4], [0, 0], [0, 2]])

    assert vectors.lengths.tolist() == [5, 0, 2]
    assert vectors.units.tolist() == [pytest.approx([0.6, 0.8]), [0, 0], [0, 1]]


def test_rows_by_track_and_by_listener():
    by_track = vectors_of([[1, 0], [0, 1]], [7, 3])
    by_user = Vectors("user", ["7", "x"], np.eye(2, dtype=np.float32), CATALOG, {}, "by hand")

    assert [by_track.row_of_track(track) for track in (7, 3, 4, UNKNOWN)] == [0, 1, -1, -1]
    assert [by_user.row_of_user(user) for user in ("7", "x", "8")] == [0, 1, -1]


@pytest.mark.parametrize(("precision", "error"), [("float32", 0), ("float16", 1e-3)])
@pytest.mark.parametrize("key", ["track", "user"])
def test_a_file_comes_back(tmp_path, key, precision, error):
    points = np.random.default_rng(5).normal(size=(5, 3))
    keys = [2, 5, 8, 11, 23] if key == "track" else ["1", "b", "ü", "4", "5"]
    path = tmp_path / "v.npz"
    save_vectors(path, key, keys, points, CATALOG, {"model": "any"}, precision)

    found = load_vectors(path, CATALOG)

    assert (found.key, list(found.keys), found.dimensions) == (key, keys, 3)
    assert found.units * found.lengths[:, None] == pytest.approx(points, abs=1e-6 + error)
    assert found.manifest["model"] == "any"
    again = tmp_path / "again.npz"
    save_vectors(again, key, keys, points, CATALOG, {"model": "any"}, precision)
    assert again.read_bytes() == path.read_bytes()


def saved(path, catalog=CATALOG):
    save_vectors(path, "track", [0, 1, 2], np.eye(3), catalog, {})
    return path


def test_a_file_of_a_different_catalog_is_refused(tmp_path):
    with pytest.raises(InputError, match="was made for a different catalog"):
        load_vectors(saved(tmp_path / "v.npz", small_catalog(more=1)), CATALOG)


def test_lists_are_no_vectors(tmp_path):
    save_lists(tmp_path / "l.npz", "track", {0: [1, 2]}, CATALOG, {})

    with pytest.raises(InputError, match="must have one vector of finite numbers for each key"):
        load_vectors(tmp_path / "l.npz", CATALOG)


@given(data=st.data())
def test_no_damage_is_a_traceback_or_goes_unseen(data, tmp_path_factory):
    path = saved(tmp_path_factory.mktemp("damage") / "v.npz")
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(content[: data.draw(st.sampled_from([len(content), place]))]))
    found = None
    with suppress(InputError):  # any other exception would be a traceback at the start
        found = load_vectors(path, CATALOG)
    # Some bytes of the packing have no meaning.
    assert found is None or found.units.tolist() == np.eye(3).tolist()


LARGE = small_catalog(more=976)


@pytest.fixture
def in_cells(tmp_path, monkeypatch):
    """A file with cells, over vectors in a few directions; and the vectors by track."""
    monkeypatch.setattr("core.vectors.CELLS_FROM", 500)
    draws = np.random.default_rng(3)
    points = draws.normal(size=(20, 16))[draws.integers(0, 20, 1000)] * 2
    points = (points + draws.normal(size=points.shape)).astype(np.float32)
    path = tmp_path / "large.npz"
    save_vectors(path, "track", range(1000), points, LARGE, {})
    return path, points


def test_a_large_file_has_cells_and_says_its_recall(in_cells):
    path, points = in_cells
    found = load_vectors(path, LARGE)

    assert found.cells is not None
    assert sorted(found.keys) == list(range(1000))
    rows = [found.row_of_track(track) for track in range(1000)]
    assert found.units[rows] * found.lengths[rows, None] == pytest.approx(points, abs=1e-5)
    hits = []
    for query in points[::50]:
        near = found.near(query, 10)[0].tolist()
        assert len(near) == len(set(near)) == 10
        exact = np.argsort(-(found.units @ query), kind="stable")[:10]
        hits.append(len(set(near) & set(found.tracks[exact].tolist())))
    assert np.mean(hits) / 10 > 0.5
    assert found.manifest["recall"]["of 10"] > 0.5
    assert found.manifest["recall"]["of 200"] < 1, "some cells are not read"


def test_cells_find_together_what_they_find_alone_and_leave_out_what_was_heard(in_cells):
    found = load_vectors(in_cells[0], LARGE)
    queries, without = in_cells[1][:9], [set(range(n, n + 30)) for n in range(9)]

    together = found.near_all(queries, 5, without)

    for query, left_out, (tracks, products) in zip(queries, without, together, strict=True):
        alone = found.near(query, 5, left_out)
        assert (tracks.tolist(), products.tolist()) == (alone[0].tolist(), alone[1].tolist())
        assert not set(tracks.tolist()) & left_out
        assert products.tolist() == sorted(products.tolist(), reverse=True)


def test_cells_that_do_not_hold_each_row_are_refused(in_cells):
    path, _ = in_cells
    members = dict(np.load(path))
    write_archive(path, members | {"cells": members["cells"][:-1]})
    with pytest.raises(InputError, match="must have cells that hold each row once"):
        load_vectors(path, LARGE)
    write_archive(path, {name: each for name, each in members.items() if name != "centres"})
    with pytest.raises(InputError, match="must have cells that hold each row once"):
        load_vectors(path, LARGE)


def test_vectors_in_memory_are_used_if_the_file_has_the_same_content(tmp_path):
    path = saved(tmp_path / "v.npz")
    known = load_vectors(path, CATALOG)
    assert load_vectors(path, CATALOG, [known]) is known
    save_vectors(path, "track", [0, 1, 3], np.eye(3), CATALOG, {})
    assert load_vectors(path, CATALOG, [known]).keys == [0, 1, 3]
