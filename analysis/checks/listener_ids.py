"""Reading a file of all listeners that exist, to compare those who came with those who could."""

from pathlib import Path

from core.errors import Faults
from core.jsonl import read_records


def read_listener_ids(path: Path) -> list[str]:
    """Read the `user` of each line of a JSONL file.

    Raises:
        InputError: A line has no number or string as `user`; names all such lines.
    """
    faults = Faults()
    found = []
    for line, record in read_records(path, faults):
        user = record.get("user")
        if isinstance(user, int | str) and not isinstance(user, bool):
            found.append(str(user))
        else:
            faults.add(f"{path}:{line}", f"must have a `user`, a number or a string, got {user!r}")
    faults.raise_if_any()
    return found
