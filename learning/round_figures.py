"""The figures of every round: which strategy earned how much, and what was decided."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

PILOT = "pilot"
_COPY = re.compile(r"\.v\d+$")


@dataclass(frozen=True, slots=True)
class RoundRow:
    """A strategy in a round.

    Attributes:
        round: Number of the round, from 1.
        strategy: Its name in the config; the copy that a pilot plays has its version at the end.
        role: `serving`, `pilot`, or `arm` of an experiment of the config.
        version: The version that served in the round.
        sessions: Its sessions, a count.
        time: Mean time of the recommendations of a session, in tracks.
        error: Standard error of the mean.
    """

    round: int
    strategy: str
    role: str
    version: int
    sessions: int
    time: float
    error: float


def rows_of(decisions: Iterable[Mapping[str, Any]]) -> list[RoundRow]:
    """List the strategies of each round of the ledger."""
    rows: list[RoundRow] = []
    number = 0
    for each in decisions:
        if each["outcome"] != "round" or not each["figures"]["played"]:
            continue
        number += 1
        figures = each["figures"]
        for strategy, played in sorted(figures["played"].items()):
            rows.append(
                RoundRow(
                    number,
                    strategy,
                    _role(strategy, figures["default"]),
                    each["serves"],
                    played["sessions"],
                    played["time"],
                    played["error"],
                )
            )
    return rows


def count_rounds(decisions: Iterable[Mapping[str, Any]]) -> int:
    """Count the rounds in which somebody listened."""
    return sum(each["outcome"] == "round" and bool(each["figures"]["played"]) for each in decisions)


def decided_in(decisions: Sequence[Mapping[str, Any]], round_: int) -> list[Mapping[str, Any]]:
    """List the decisions after the figures of a round, until those of the next."""
    found: list[Mapping[str, Any]] = []
    number = 0
    for each in decisions:
        if each["outcome"] == "round":
            number += bool(each["figures"]["played"])
        elif number == round_:
            found.append(each)
    return found


def _role(strategy: str, default: str) -> str:
    if _COPY.search(strategy):
        return PILOT
    return "serving" if strategy == default else "arm"
