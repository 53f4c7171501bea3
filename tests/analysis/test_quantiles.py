"""Quantiles by SQL that may sort on the disk, in both engines."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from analysis.quantiles import quantiles_by
from events.duckdb_engine import DuckDbEngine
from events.duckdb_loader import database
from events.query_engine import QueryEngine
from tests.spark_local import ENGINES, opened_engine

SHARES = [0.0, 0.5, 0.9, 0.99, 1.0]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[QueryEngine]:
    opened = opened_engine(request.param)
    yield opened
    opened.close()


def test_quantiles_are_those_of_numpy(engine: QueryEngine) -> None:
    random = np.random.default_rng(5)
    values = {f"arm {n}": random.gamma(2, 3, n) for n in (1, 2, 3, 11, 101, 1000)}
    rows = [(arm, float(each)) for arm, own in values.items() for each in own]
    arms, ms = zip(*rows, ("silent", None), strict=True)
    engine.add("timed", pa.table({"arm": list(arms), "ms": pa.array(ms, pa.float64())}))

    found = engine.rows(quantiles_by("arm", "ms", "timed", SHARES))

    assert [arm for arm, *_ in found] == sorted(values)
    for arm, *quantiles in found:
        assert quantiles == pytest.approx(np.quantile(values[arm], SHARES), rel=1e-12)


def test_three_million_values_need_less_memory_than_their_own(tmp_path: Path) -> None:
    engine = DuckDbEngine(database(tmp_path / "log.duckdb", memory_mb=40, threads=2))
    engine.con.execute(
        "CREATE TABLE timed AS SELECT 'C' AS arm, CAST((i * 7) % 3000001 AS DOUBLE) AS ms "
        "FROM range(3000001) AS r(i)"
    )

    found = engine.con.execute(quantiles_by("arm", "ms", "timed", [0.5, 0.9, 0.99])).fetchall()

    assert found == [("C", 1_500_000.0, 2_700_000.0, 2_970_000.0)]
    engine.close()
