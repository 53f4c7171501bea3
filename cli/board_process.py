"""The board's process, as a server starts it."""

import json
import sys
from pathlib import Path

from audit.board.sources import BoardSources
from engine.runtime import Runtime

_CODE = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from cli.board_process import main; main(*sys.argv[2:])"
)
"""Runs us, whatever lies in the working folder: `-m` would look there first."""


def command_beside(runtime: Runtime) -> list[str]:
    """Return the command of the process beside a server of this config."""
    settings = runtime.settings
    folder = settings.resolve(settings.events.dir).absolute()
    return command_for(BoardSources((folder,), settings.path.absolute()), settings.server.log)


def command_for(sources: BoardSources, form: str = "text") -> list[str]:
    """Return the command of a process.

    Args:
        sources: What it shows.
        form: Form of its log on stderr, `text` or `json`.
    """
    named = {
        "logs": [str(path) for path in sources.logs],
        "config": sources.config and str(sources.config),
        "folders": [str(path) for path in sources.folders],
    }
    return [sys.executable, "-c", _CODE, json.dumps(sys.path), json.dumps(named), form]


def main(named: str, form: str) -> None:
    """Compute for the board until its server closes the pipe."""
    # Not at the top: a server that nobody watches needs none of it.
    from app.server_log import set_up
    from audit.board import process

    set_up("json" if form == "json" else "text")
    found = json.loads(named)
    config = found["config"] and Path(found["config"])
    process.run(
        BoardSources(tuple(map(Path, found["logs"])), config, tuple(map(Path, found["folders"])))
    )
