"""The table of faults in docs/verification.md has every planted fault, and what finds it."""

import re
from pathlib import Path

from audit.injected_faults import known_faults
from audit.log_faults import REPLAY_FAULTS
from audit.server_faults import SERVER_FAULTS

PAGE = Path(__file__).parents[2] / "docs" / "verification.md"
BY_A_TEST = "(a test)"


def table() -> dict[str, list[str]]:
    """Rows of the one table of faults: name -> what goes wrong, found by, effect."""
    (_, rows) = PAGE.read_text().split("| fault | what goes wrong | found by |")
    lines = rows.split("\n\n")[0].splitlines()[2:]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name: rest for name, *rest in cells}


def test_the_table_has_every_planted_fault_in_its_words() -> None:
    planted = {fault.name: fault.what for fault in (*known_faults(), *REPLAY_FAULTS)}
    planted |= {name: what for name, what, _ in SERVER_FAULTS}

    rows = {name: row for name, row in table().items() if BY_A_TEST not in row[1]}

    assert {name: row[0] for name, row in rows.items()} == planted


def test_the_table_names_what_finds_each_fault() -> None:
    rows = table()
    for fault in (*known_faults(), *REPLAY_FAULTS):
        named = set(re.findall(r"`([a-z-]+)`", rows[fault.name][1]))
        assert set(fault.found_by) <= named, fault.name
    for name, _, _ in SERVER_FAULTS:
        assert rows[name][1] == "canary"


def test_the_table_says_what_each_planted_fault_does_to_the_effect() -> None:
    planted = (*known_faults(), *REPLAY_FAULTS)
    rows = table()
    assert not [fault.name for fault in planted if "%" not in rows[fault.name][2]]
