"""Training tables: what was saved comes back, and damage is one fault."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.catalog import Catalog
from core.errors import InputError
from tests.core.damage import damages
from training.interactions import Interactions, assemble
from training.listen_sources import Selection, load
from training.training_table import load_table, save_table

CATALOG = Catalog([1, 2, 3], ["A", "B", "B"], ["", "x", "y"])


def made() -> Interactions:
    user, track = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 2, 1, 0])
    at_ms = np.arange(5) * 60_000
    return assemble(user, track, np.full(5, 0.5), at_ms, ["ann", "bob"], CATALOG, {})


def changed(path: Path, column: str, values: pa.Array) -> Path:
    """Save a table in which one column is different."""
    save_table(path, made(), {})
    table = pyarrow.parquet.read_table(path)
    place = table.column_names.index(column)
    pyarrow.parquet.write_table(table.set_column(place, column, values), path)
    return path


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("session", pa.array([0, 0, 2, 2, 2])),
        ("session", pa.array([1, 1, 0, 0, 0])),
        ("session", pa.array([0, 0, None, 1, 1])),
        ("session", pa.array(["a"] * 5)),
        ("track", pa.array([0, 1, 2, 1, 3])),
        ("track", pa.array([0, 1, -1, 1, 0])),
        ("user", pa.array(["ann", None, "bob", "bob", "bob"])),
        ("user", pa.array([[1]] * 5)),
        ("time", pa.array([0.5, 0.5, 0.5, 0.5, 1.5])),
        ("time", pa.array([0.5, 0.5, float("nan"), 0.5, 0.5])),
        ("plays", pa.array([1, 1, 0, 1, 1])),
        ("position", pa.array([0, 1, -1, 1, 2])),
        ("at", pa.array([[1]] * 5)),
    ],
    ids=str,
)
def test_a_table_that_no_model_can_use_is_refused(
    tmp_path: Path, column: str, values: pa.Array
) -> None:
    path = changed(tmp_path / "t.parquet", column, values)
    with pytest.raises(InputError, match=r"t\.parquet: is damaged: .* Import the data again"):
        load_table(path, CATALOG)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_random_damage_is_one_fault_or_loads(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("damaged") / "t.parquet"
    save_table(path, made(), {})
    path.write_bytes(data.draw(damages(path.read_bytes())))
    for read in (lambda: load_table(path, CATALOG), lambda: load([path], CATALOG, Selection())):
        try:
            read()
        except InputError as error:
            assert len(error.faults) == 1  # noqa: PT017
