"""Quantiles of very many values, by SQL whose sort may go to the disk.

`percentile_cont` holds all values in memory, once for each share: nine million answers take more
than the 500 MB that DuckDB has.
"""

from collections.abc import Sequence


def quantiles_by(group: str, value: str, rows: str, shares: Sequence[float]) -> str:
    """Make a query for the quantiles of a value, by group.

    Args:
        group: The column of the groups.
        value: The column of the values; NULL counts as none.
        rows: A table, or a query in parentheses.
        shares: 0.5 is the median.

    Returns:
        SQL that gives the group, and a column for each share: between two values by the straight
        line, as `percentile_cont` does (type 7 of Hyndman and Fan, "Sample Quantiles in
        Statistical Packages", The American Statistician 1996).
    """
    columns = ", ".join(_interpolated(value, share) for share in shares)
    return f"""WITH placed AS (
            SELECT
                {group},
                {value},
                row_number() OVER (PARTITION BY {group} ORDER BY {value}) - 1 AS place,
                count(*) OVER (PARTITION BY {group}) - 1 AS last_place
            FROM {rows}
            WHERE {value} IS NOT NULL
        )
        SELECT {group}, {columns} FROM placed GROUP BY {group} ORDER BY {group}"""  # noqa: S608


def _interpolated(value: str, share: float) -> str:
    at = f"{share} * last_place"
    below = f"max(CASE WHEN place = floor({at}) THEN {value} END)"
    above = f"max(CASE WHEN place = ceil({at}) THEN {value} END)"
    return f"{below} + max({at} - floor({at})) * ({above} - {below})"
