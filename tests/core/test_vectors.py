"""Vector files, and the exact search of the nearest tracks."""

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.archive import write_archive
from core.catalog import UNKNOWN
from core.errors import InputError
from core.lists import save_lists
from core.nearest import among_greatest, among_greatest_of_each, doubt, greatest_in_order
from core.vector_archive import load_vectors, save_again, save_vectors
from core.vector_index import make_index
from core.vectors import Vectors, split
from segue.testing.small_world import TRACKS, small_catalog
from tests import needs

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

    def chosen(products):
        return vectors._ordered(among_greatest(products, 6, doubt(query, 40)), query, 6)[0].tolist()

    wanted = chosen(exact)

    for _ in range(50):
        noise = draws.uniform(-1, 1, TRACKS) * 20 * np.finfo(np.float32).eps * np.linalg.norm(query)
        assert chosen((exact + noise).astype(np.float32)) == wanted


@given(
    st.lists(st.sampled_from([-np.inf, -2.0, 0.0, 0.5, 1.0]) | st.floats(-3, 3, width=32),
             min_size=1, max_size=300),
    st.integers(1, 40),
)  # fmt: skip
def test_the_k_greatest_are_always_among_those_that_are_kept(products, k):
    row = np.asarray(products, dtype=np.float32)
    kept = among_greatest(row, k, 0.0)

    greatest = np.sort(row)[::-1][:k]
    assert sorted(row[kept])[::-1][:k] == greatest[greatest > -np.inf].tolist()
    of_each = among_greatest_of_each(np.stack([row, row[::-1]]), k, np.zeros(2, np.float32))
    assert of_each.places[of_each.slices()[0]].tolist() == kept.tolist()
    assert of_each.ends[1] == len(of_each.places)


@given(
    st.lists(
        st.lists(st.sampled_from([-1.5, -0.0, 0.0, 1e-40, 2.0]) | st.floats(-3, 3, width=32),
                 max_size=30),
        min_size=1, max_size=4),
    st.integers(1, 9),
)  # fmt: skip
def test_products_of_several_queries_are_ordered_as_a_stable_sort_orders_each(groups, k):
    flat = np.array([each for group in groups for each in group], dtype=np.float32)
    ends = np.cumsum([len(group) for group in groups])

    order = greatest_in_order(flat, ends.tolist(), k)

    for start, end, found in zip([0, *ends[:-1]], ends, order.slices(), strict=True):
        wanted = start + np.argsort(-flat[start:end], kind="stable")[:k]
        assert order.places[found].tolist() == wanted.tolist()


def test_very_large_and_very_small_vectors_have_unit_length_too():
    vectors = vectors_of([[3e30, 4e30], [3e-30, -4e-30], [0, 0], [3e38, 3e38]])

    assert vectors.units == pytest.approx(
        np.array([[0.6, 0.8], [0.6, -0.8], [0, 0], [0.5**0.5, 0.5**0.5]]), abs=1e-6
    )
    assert vectors.lengths.tolist() == pytest.approx([5e30, 5e-30, 0, np.inf])


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


def test_directions_are_mapped_and_not_copied(tmp_path):
    found = load_vectors(saved(tmp_path / "v.npz"), CATALOG)

    assert not found.units.flags.owndata
    assert not found.units.flags.writeable
    assert found.units.ctypes.data % 64 == 0, "numpy copies a matrix that is not aligned"


def test_a_file_from_before_directions_were_stored_is_read(tmp_path):
    path = saved(tmp_path / "v.npz")
    members = dict(np.load(path))
    members["vectors"] = members.pop("units") * 2
    del members["lengths"]
    write_archive(path, members)
    found = load_vectors(path, CATALOG)

    assert (found.units.tolist(), found.lengths.tolist()) == (np.eye(3).tolist(), [2, 2, 2])


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("units", np.full(9, 0.5, np.float32)),
        ("units", np.full(9, np.nan, np.float32)),
        ("units", np.eye(3, dtype=np.float16).ravel()),
        ("lengths", np.ones(2, np.float32)),
        ("lengths", np.array([1, np.inf, 1], np.float32)),
    ],
)
def test_directions_that_are_none_are_refused(tmp_path, name, values):
    path = saved(tmp_path / "v.npz")
    write_archive(path, dict(np.load(path)) | {name: values})

    with pytest.raises(InputError, match="must have one vector of finite numbers for each key"):
        load_vectors(path, CATALOG)


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
    monkeypatch.setattr("core.vector_index.INDEXED_FROM", 500)
    draws = np.random.default_rng(3)
    points = draws.normal(size=(20, 16))[draws.integers(0, 20, 1000)] * 2
    points = (points + draws.normal(size=points.shape)).astype(np.float32)
    path = tmp_path / "large.npz"
    save_vectors(path, "track", range(1000), points, LARGE, {})
    return path, points


def test_a_large_file_has_cells_and_says_its_recall(in_cells):
    path, points = in_cells
    found = load_vectors(path, LARGE)

    assert found.index is not None
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
    assert found.manifest["probed"] == found.index.probed < len(found.index.centres)


def test_cells_find_together_what_they_find_alone_and_leave_out_what_was_heard(in_cells):
    found = load_vectors(in_cells[0], LARGE)
    queries = in_cells[1][:9]
    # Each leaves out a different number of tracks: a batch must not decide how far one looks.
    without = [set(range(n, n + 4 * n)) for n in range(9)]

    together = found.near_all(queries, 5, without)

    for query, left_out, (tracks, products) in zip(queries, without, together, strict=True):
        alone = found.near(query, 5, left_out)
        assert (tracks.tolist(), products.tolist()) == (alone[0].tolist(), alone[1].tolist())
        assert not set(tracks.tolist()) & left_out
        assert products.tolist() == sorted(products.tolist(), reverse=True)


def test_of_cells_equally_near_the_first_are_read(in_cells):
    found = load_vectors(in_cells[0], LARGE)
    cells = replace(found.index, centres=np.repeat(found.index.centres[::3], 3, axis=0)[:-1])
    cells = replace(cells, centres=cells.centres[: len(found.index.centres)], probed=4)
    queries = in_cells[1][:20]

    near = cells._cells_near(queries, np.full(20, 1e-4, np.float32))

    for query, row in zip(queries, near.tolist(), strict=True):
        products = np.einsum("ij,j->i", cells.centres, query)
        assert row == sorted(np.argsort(-products, kind="stable")[:4].tolist())
        assert [row] == cells._cells_near(query[None], np.float32([1e-4])).tolist()


@pytest.mark.parametrize(
    ("groups", "enough", "cells"),
    [(125, 0.95, 73), (20, 0.95, 36), (125, 0.5, 36)],
    ids=["many-groups", "few-groups", "both-find-enough"],
)
def test_cells_are_as_many_as_find_enough_at_least_cost(monkeypatch, groups, enough, cells):
    monkeypatch.setattr("core.vector_index.ENOUGH", enough)
    draws = np.random.default_rng(5)
    points = np.repeat(draws.normal(size=(groups, 32)), 1000 // groups, axis=0)
    units, _ = split(points + draws.normal(0, 0.01, (1000, 32)))

    made = make_index(units, LARGE, "cells")

    assert len(made.arrays["cells"]) == cells + 1


def test_cells_that_do_not_hold_each_row_are_refused(in_cells):
    path, _ = in_cells
    members = dict(np.load(path))
    write_archive(path, members | {"centres": members["centres"] * 2})
    with pytest.raises(InputError, match="must have cells that hold each row once"):
        load_vectors(path, LARGE)
    write_archive(path, members | {"cells": members["cells"][:-1]})
    with pytest.raises(InputError, match="must have cells that hold each row once"):
        load_vectors(path, LARGE)
    write_archive(path, {name: each for name, each in members.items() if name != "centres"})
    with pytest.raises(InputError, match="must have cells that hold each row once"):
        load_vectors(path, LARGE)


@pytest.fixture
def in_graph(in_cells):
    """The same vectors in a file with a graph."""
    path = in_cells[0].with_name("graph.npz")
    save_vectors(path, "track", range(1000), in_cells[1], LARGE, {}, way="graph")
    return path, in_cells[1]


@needs.package("usearch")
def test_a_graph_finds_most_of_the_nearest_and_says_how_many(in_graph):
    path, points = in_graph
    found, exact = load_vectors(path, LARGE), Vectors("track", range(1000), points, LARGE, {}, "")
    queries, without = points[:40] + points[40:80], [set(range(n, n + 30)) for n in range(40)]

    shares = []
    for near, true in zip(
        found.near_all(queries, 20, without), exact.near_all(queries, 20, without), strict=True
    ):
        assert len(near[0]) == 20
        assert near[1].tolist() == sorted(near[1].tolist(), reverse=True)
        shares.append(len({*near[0].tolist()} & {*true[0].tolist()}) / 20)
    for query, left_out, near in zip(
        queries, without, found.near_all(queries, 20, without), strict=True
    ):
        assert not left_out & {*near[0].tolist()}
        assert near[0].tolist() == found.near(query, 20, left_out)[0].tolist()
    assert np.mean(shares) > 0.9
    assert found.manifest["recall"]["of 10"] > 0.9
    assert (found.manifest["index"], found.keys) == ("graph", list(range(1000)))


@needs.package("usearch")
def test_the_same_vectors_make_the_same_graph(in_graph):
    path, points = in_graph
    again = path.with_name("again.npz")
    save_vectors(again, "track", range(1000), points, LARGE, {}, way="graph")

    assert again.read_bytes() == path.read_bytes()


@needs.package("usearch")
@pytest.mark.parametrize("content", [np.zeros(40, np.uint8), np.zeros(3, np.int64)])
def test_a_graph_that_is_none_is_refused(in_graph, content):
    path, _ = in_graph
    write_archive(path, dict(np.load(path)) | {"graph": content})

    with pytest.raises(InputError, match="must have a graph"):
        load_vectors(path, LARGE)


@needs.package("usearch")
def test_a_graph_over_fewer_rows_is_refused(in_graph):
    path, points = in_graph
    fewer = path.with_name("fewer.npz")
    save_vectors(fewer, "track", range(900), points[:900], LARGE, {}, way="graph")
    write_archive(path, dict(np.load(path)) | {"graph": dict(np.load(fewer))["graph"]})

    with pytest.raises(InputError, match="must have a graph over each row once"):
        load_vectors(path, LARGE)


def test_an_index_can_be_taken_away_and_given_again(in_cells):
    path, _ = in_cells
    vectors = load_vectors(path, LARGE)
    save_again(path, vectors, LARGE, "exact")
    exact = load_vectors(path, LARGE)
    save_again(path, exact, LARGE, "auto")

    assert exact.index is None
    assert "recall" not in exact.manifest
    assert load_vectors(path, LARGE).manifest["recall"]["of 10"] > 0.5


def test_vectors_in_memory_are_used_if_the_file_has_the_same_content(tmp_path):
    path = saved(tmp_path / "v.npz")
    known = load_vectors(path, CATALOG)
    assert load_vectors(path, CATALOG, [known]) is known
    save_vectors(path, "track", [0, 1, 3], np.eye(3), CATALOG, {})
    assert load_vectors(path, CATALOG, [known]).keys == [0, 1, 3]
