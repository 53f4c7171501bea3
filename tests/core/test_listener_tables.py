"""Tables by listener: they come back from their file, and no damage goes unseen."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.catalog import UNKNOWN
from core.errors import InputError
from core.listener_tables import ListenerRows, load_table, save_table
from core.vector_archive import save_vectors
from segue.testing.small_world import TRACKS, small_catalog

CATALOG = small_catalog()
ROWS = ListenerRows(
    np.array([[[3, 4], [0, 0]], [[0, 1], [1, 0]]], dtype=np.float32),
    np.array([[1, 0], [0.25, 0.75]], dtype=np.float32),
    np.array([-1.5, 0.5], dtype=np.float32),
    np.array([[3, 7, UNKNOWN], [TRACKS - 1, 0, 1]], dtype=np.int32),
)


def saved(path, rows=ROWS, catalog=CATALOG):
    save_table(path, ["7", "ü"], rows, catalog, {"model": "any", "space": "s"})
    return path


def test_a_table_comes_back(tmp_path):
    found = load_table(saved(tmp_path / "t.npz"), CATALOG)

    assert (found.keys, len(found), found.dimensions) == (["7", "ü"], 2, 2)
    assert found.manifest["space"] == "s"
    assert found.units.tolist() == [
        [[pytest.approx(0.6), pytest.approx(0.8)], [0, 0]],
        [[0, 1], [1, 0]],
    ]
    assert [found.row_of_user(user) for user in ("7", "ü", "8")] == [0, 1, -1]
    for name in ("interests", "shares", "thresholds", "favourites"):
        assert getattr(found.rows, name).tolist() == getattr(ROWS, name).tolist()
    assert saved(tmp_path / "u.npz").read_bytes() == (tmp_path / "t.npz").read_bytes()


def changed(**numbers):
    values = {name: getattr(ROWS, name).copy() for name in ROWS.__slots__} | numbers
    return ListenerRows(**values)


@pytest.mark.parametrize(
    "rows",
    [
        changed(thresholds=np.array([np.nan, 0], dtype=np.float32)),
        changed(shares=-ROWS.shares),
        changed(favourites=ROWS.favourites + 1),
        changed(favourites=ROWS.favourites - 1),
        changed(shares=ROWS.shares[:, :1]),
    ],
    ids=["no-number", "negative-share", "beyond-the-catalog", "below-unknown", "shape"],
)
def test_numbers_that_mean_nothing_are_refused(tmp_path, rows):
    with pytest.raises(InputError, match="must have finite numbers and known tracks"):
        load_table(saved(tmp_path / "t.npz", rows), CATALOG)


def test_a_table_of_a_different_catalog_is_refused(tmp_path):
    with pytest.raises(InputError, match="was made for a different catalog"):
        load_table(saved(tmp_path / "t.npz", catalog=small_catalog(more=1)), CATALOG)


def test_vectors_are_no_table(tmp_path):
    save_vectors(tmp_path / "v.npz", "user", ["1"], np.eye(1), CATALOG, {})

    with pytest.raises(InputError, match="must be a table by listener that segue wrote"):
        load_table(tmp_path / "v.npz", CATALOG)


@given(data=st.data())
def test_no_damage_is_a_traceback_or_goes_unseen(data, tmp_path_factory):
    path = saved(tmp_path_factory.mktemp("damage") / "t.npz")
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(content[: data.draw(st.sampled_from([len(content), place]))]))
    found = None
    with suppress(InputError):  # any other exception would be a traceback at the start
        found = load_table(path, CATALOG)
    # Some bytes of the packing have no meaning.
    assert found is None or found.rows.interests.tolist() == ROWS.interests.tolist()


def test_a_table_in_memory_is_used_if_the_file_has_the_same_content(tmp_path):
    path = saved(tmp_path / "t.npz")
    known = load_table(path, CATALOG)
    assert load_table(path, CATALOG, [known]) is known
    saved(path, changed(thresholds=ROWS.thresholds + 1))
    assert load_table(path, CATALOG, [known]).rows.thresholds.tolist() == [-0.5, 1.5]
