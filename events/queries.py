"""SQL longer than five lines: each query stands in a file of its own, `PACKAGE/sql/NAME.sql`."""

from importlib import resources


def read_query(package: str, name: str) -> str:
    """The text of a query.

    Args:
        package: The package that has the folder `sql/`, for instance `analysis`.
        name: Of the file, without `.sql`.
    """
    return (resources.files(package) / "sql" / f"{name}.sql").read_text(encoding="utf-8")
