"""Codes of a column of ids: each id is looked at once in an import, however many rows have it."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from training.importers.bad_line import BadLine

NULL = -1
"""Code of a row without an id; ids with a fault have smaller ones."""

_UNSEEN = np.iinfo(np.int32).min
_LARGEST = 1 << 26
"""Ids below it are looked up in a table, by 4 bytes each: a dict takes a microsecond for each of
the half a million different tracks in a million rows of Yambda, and the table 5 ns a row."""


class IdCodes:
    """The codes of the ids of a column.

    Args:
        code_of: Gives the code of an id that is seen for the first time.
        faults: Code -> fault of an id that is none; filled, and shared among columns.
    """

    def __init__(self, code_of: Callable[[Any], int], faults: dict[int, BadLine]) -> None:
        self._code_of = code_of
        self._faults = faults
        self._table = np.full(1 << 10, _UNSEEN, dtype=np.int32)
        self._known: dict[Any, int] = {}

    def of(self, column: Any) -> npt.NDArray[np.int32]:
        """Codes of an Arrow column of ids of any type that is neither nested nor a time."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if pa.types.is_integer(column.type) and len(column):
            bounds = pc.min_max(column)
            least, most = bounds["min"].as_py(), bounds["max"].as_py()
            if least is not None and least >= 0 and most < _LARGEST:
                return self._of_small(column, most)
        if not pa.types.is_dictionary(column.type):
            column = column.dictionary_encode()
        codes = [
            NULL if id_ is None else self._of_one(id_) for id_ in column.dictionary.to_pylist()
        ]
        table = np.array([*codes, NULL], dtype=np.int32)
        places = column.indices.fill_null(len(codes)).to_numpy(zero_copy_only=False)
        codes_of_rows: npt.NDArray[np.int32] = table[places]
        return codes_of_rows

    def _of_small(self, column: Any, most: int) -> npt.NDArray[np.int32]:
        import pyarrow as pa

        if most >= len(self._table):
            more = max(most + 1, 2 * len(self._table)) - len(self._table)
            self._table = np.append(self._table, np.full(more, _UNSEEN, dtype=np.int32))
        ids = column.fill_null(0).to_numpy(zero_copy_only=False)
        codes: npt.NDArray[np.int32] = self._table[ids]
        is_null = column.is_null().to_numpy(zero_copy_only=False)
        unseen = (codes == _UNSEEN) & ~is_null
        if unseen.any():
            for id_ in pa.array(ids[unseen]).unique().to_pylist():  # in the order of the rows
                self._table[id_] = self._of_one(id_)
            codes = self._table[ids]
        codes[is_null] = NULL
        return codes

    def _of_one(self, id_: Any) -> int:
        code = self._known.get(id_)
        if code is None:
            try:
                code = self._code_of(id_)
            except BadLine as fault:
                code = NULL - 1 - len(self._faults)
                self._faults[code] = fault
            if not isinstance(id_, int) or id_ >= _LARGEST:
                self._known[id_] = code
        return code
