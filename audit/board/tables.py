"""Tables of the board as CSV and as Markdown."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TYPES = {"csv": "text/csv; charset=utf-8", "md": "text/markdown; charset=utf-8"}
"""Format -> its media type."""


@dataclass(frozen=True, slots=True)
class BoardTable:
    """A table.

    Attributes:
        columns: Names of the columns.
        rows: A value for each column; None for an empty cell.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]

    @classmethod
    def of(cls, records: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> "BoardTable":
        """Make the table of these keys of records."""
        return cls(columns, [[record.get(column) for column in columns] for record in records])

    def written(self, form: str) -> str:
        """Write the table as `csv` or `md`."""
        return self._csv() if form == "csv" else self._markdown()

    def _csv(self) -> str:
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows([[_for_sheet(_plain(cell)) for cell in row] for row in self.rows])
        return out.getvalue()

    def _markdown(self) -> str:
        numeric = [
            all(isinstance(row[place], int | float) or row[place] is None for row in self.rows)
            for place in range(len(self.columns))
        ]
        lines = [
            f"| {' | '.join(map(_escaped, self.columns))} |",
            f"|{'|'.join('---:' if each else '---' for each in numeric)}|",
        ]
        lines += [f"| {' | '.join(_escaped(_plain(cell)) for cell in row)} |" for row in self.rows]
        return "\n".join(lines) + "\n"


def _plain(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return f"{cell:.9g}" if isinstance(cell, float) else str(cell)


def _for_sheet(text: str) -> str:
    """Keep a spreadsheet from running a title that begins like a formula."""
    if text.startswith(("=", "@", "\t", "\r")) or (
        text.startswith(("+", "-")) and not _is_number(text)
    ):
        return f"'{text}"
    return text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _escaped(text: str) -> str:
    """Return text as Markdown shows it: no cell ends early, and nothing becomes a link or a tag."""
    for sign in "\\|<[]*_`":
        text = text.replace(sign, f"\\{sign}")
    return " ".join(text.split())
