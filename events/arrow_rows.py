"""Arrow tables of rows that Python has."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa


def table_of(rows: Sequence[Sequence[Any]], **kinds: pa.DataType) -> pa.Table:
    """Make a table of rows; `kinds` are its columns in their order, also where no row is."""
    columns = zip(*rows, strict=True) if rows else ([] for _ in kinds)
    arrays = [pa.array(values, kind) for values, kind in zip(columns, kinds.values(), strict=True)]
    return pa.table(arrays, names=list(kinds))
