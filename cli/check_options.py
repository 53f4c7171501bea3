"""Options that `verify` and `report` share: snapshots, accepted failures, arms of botify."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from core.errors import Faults

Configs = Annotated[
    list[Path] | None,
    typer.Option(help="Folder of config snapshots, if it is not beside the logs; repeatable."),
]
BotifyArms = Annotated[
    list[str] | None,
    typer.Option(
        help="Arms of an experiment of botify, in the order of its numbers: "
        "`STICKY_ARTIST=C,T1,T2,T3`; repeatable. Not needed if the arms are named C, T1, T2, ..."
    ),
]
Replay = Annotated[
    bool | None,
    typer.Option(
        "--replay/--no-replay",
        help="Make every decision again, as a check. By default if the log is small and its "
        "configs are at hand.",
        show_default=False,
    ),
]
Tolerate = Annotated[
    list[str] | None,
    typer.Option(help="A check whose failure you have examined and accept; repeatable."),
]


def check_tolerated(names: Iterable[str], faults: Faults) -> None:
    """Add a fault for each name that is no check."""
    from audit.log_report import find_unknown_checks

    find_unknown_checks(names, faults, "--tolerate")


def parse_botify_arms(given: Iterable[str], faults: Faults) -> dict[str, list[str]]:
    """Experiment of botify -> its arms in order; adds a fault for each text that is none."""
    found = {}
    for text in given:
        name, equals, arms = text.partition("=")
        listed = [arm.strip() for arm in arms.split(",") if arm.strip()]
        if not equals or not name.strip() or len(listed) < 2:
            faults.add("--botify-arms", f"must be NAME=ARM,ARM,... with two arms, got {text!r}")
        found[name.strip()] = listed
    return found
