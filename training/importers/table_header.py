"""The header of a table: which column means what, and how the lines below it are split."""

import csv
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from core.errors import InputError
from training.importers.bad_line import BadLine, shorten

MEANINGS = ("user", "track", "time", "at", "session", "position", "artist", "title", "plays")

_NEEDED = ("user", "track")
_SEPARATORS = {",": "commas", "\t": "tabs", ";": "semicolons", "|": "vertical bars"}
_SHOWN = 12
"""Names of columns that a message shows; a wrong file may have thousands."""


@dataclass(frozen=True, slots=True)
class Header:
    """The header of a table.

    Attributes:
        places: Meaning -> place of its column, from 0.
        size: Number of columns.
        split: Splits a line into its fields.
    """

    places: Mapping[str, int]
    size: int
    split: Callable[[str], list[str]]

    @classmethod
    def of(
        cls, where: str, number: int, names: Sequence[str], columns: Mapping[str, str],
        split: Callable[[str], list[str]] = str.split,
    ) -> "Header":  # fmt: skip
        """Find the column of each meaning.

        Raises:
            InputError: A column that is needed, or was named, is not there, or there twice.
        """
        places = {}
        for meaning in MEANINGS:
            name = columns.get(meaning, meaning)
            if names.count(name) > 1:
                raise InputError.one(
                    f"{where}:{number}:1", f"must have one column '{name}', has {names.count(name)}"
                )
            if name in names:
                places[meaning] = names.index(name)
            elif meaning in columns or meaning in _NEEDED:
                advice = (
                    "Write the names without quotation marks; tabs know no quotation"
                    if f'"{name}"' in names
                    else f"Name it: --column {meaning}=NAME"
                )
                raise InputError.one(
                    f"{where}:{number}:1",
                    f"must have a column '{name}' for the {meaning}, has {_shown(names)}. {advice}",
                )
        return cls(places, len(names), split)


def read_header(
    where: str, number: int, line: str, file_name: str, columns: Mapping[str, str]
) -> Header:
    """Read the header line of a CSV or TSV file.

    The name of the file says which of the two it is; if it does not, a tab in the header does.

    Raises:
        InputError: Columns are missing, or the fields are separated by something else.
    """
    is_tabs = file_name.endswith((".tsv", ".tab")) or (
        not file_name.endswith(".csv") and "\t" in line
    )
    separator = "\t" if is_tabs else ","
    split = split_tabs if is_tabs else split_commas
    try:
        names = [name.strip() for name in split(line)]
    except BadLine as fault:
        raise InputError.one(f"{where}:{number}:{fault.column}", fault.reason) from None
    wanted = [columns.get(meaning, meaning) for meaning in _NEEDED]
    if not all(name in names for name in wanted):
        _check_separator(where, number, line, separator, wanted)
    return Header.of(where, number, names, columns, split)


def split_tabs(line: str) -> list[str]:
    """Split a line of TSV; a quotation mark is a character like any other."""
    return line.split("\t")


def split_commas(line: str) -> list[str]:
    """Split a line of CSV, strictly: a field in quotation marks begins and ends with one.

    Raises:
        BadLine: A quotation mark stands inside a field without them, or is not closed in the line.
    """
    if '"' not in line:
        return line.split(",")
    try:
        (cells,) = csv.reader([line], strict=True)
    except (csv.Error, ValueError):
        reason = "a quotation must close in its line, before a comma or the end"
        raise BadLine(line.index('"') + 1, reason, line[line.index('"') :]) from None
    if any('"' in cell for cell in cells):
        _check_quotations(line)
    return cells


def _check_quotations(line: str) -> None:
    """Check that every field with a quotation mark is in quotation marks, the inner ones doubled.

    A line of a quotation that spans lines looks like a good one but for such a mark.
    """
    rest = line
    while rest:
        if rest.startswith('"'):
            end = 1
            while rest[end : end + 1] != '"' or rest[end + 1 : end + 2] == '"':
                end += 2 if rest[end : end + 1] == '"' else 1
            rest = rest[end + 2 :]
            continue
        field, _, after = rest.partition(",")
        if '"' in field:
            column = len(line) - len(rest) + field.index('"') + 1
            reason = "a field with a quotation mark must be in quotation marks, the mark doubled"
            raise BadLine(column, reason, field)
        rest = after


def _check_separator(
    where: str, number: int, line: str, separator: str, wanted: Sequence[str]
) -> None:
    """Say that the fields are separated by something else, if they are."""
    for mark, plural in _SEPARATORS.items():
        names = [name.strip().strip('"') for name in line.split(mark)]
        if mark == separator:
            continue
        if set(wanted) <= set(names) or len(names) > line.count(separator) + 1:
            name = {",": ".csv", "\t": ".tsv"}.get(mark)
            advice = (
                f"Let its name end in {name}"
                if name
                else f"Save it with {_SEPARATORS[separator]}, and with points in numbers"
            )
            raise InputError.one(
                f"{where}:{number}:1",
                f"must be separated by {_SEPARATORS[separator]}, is separated by {plural}. "
                f"{advice}",
            )


def _shown(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(shorten(name, 40).strip("'") for name in names[:_SHOWN]) + more
