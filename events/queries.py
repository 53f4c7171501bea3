"""SQL longer than five lines: each query stands in a file of its own, `PACKAGE/sql/NAME.sql`.

DuckDB and Spark run the same text (`query_engine.py`). So no file says `CREATE`: a line
`-- TABLE name` or `-- VIEW name` begins a query with a name, and the engine writes the head.
"""

import re
from dataclasses import dataclass
from importlib import resources
from typing import Literal

_HEAD = re.compile(r"^-- (TABLE|VIEW) (\w+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class NamedQuery:
    """A query and the name of its rows.

    Attributes:
        kind: `table`: the rows are computed once and kept; `view`: whenever they are read.
        name: Name of the table or view.
        text: The query.
    """

    kind: Literal["table", "view"]
    name: str
    text: str


def read_query(package: str, name: str) -> str:
    """The text of a query.

    Args:
        package: The package that has the folder `sql/`, for instance `analysis`.
        name: Of the file, without `.sql`.
    """
    return (resources.files(package) / "sql" / f"{name}.sql").read_text(encoding="utf-8")


def read_named(package: str, name: str, **values: object) -> list[NamedQuery]:
    """The named queries of a file, in its order; values fill the text's `{placeholders}`.

    Args:
        package: As for `read_query`.
        name: As for `read_query`.
        values: Values; without any, braces stay as they are.
    """
    text = read_query(package, name)
    _, *parts = _HEAD.split(text.format(**values) if values else text)
    found = []
    for kind, named, query in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        query = query.rstrip().removesuffix(";")
        found.append(NamedQuery("table" if kind == "TABLE" else "view", named, query))
    return found
