"""The sources of the board: the logs that it shows, and the config file of its server."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class BoardSources:
    """The files that a board is made of.

    Attributes:
        logs: Event files or folders.
        config: The config file of the server that shows the board; None for a folder of logs.
        folders: Folders of config snapshots that are not beside the logs.
    """

    logs: tuple[Path, ...]
    config: Path | None = None
    folders: tuple[Path, ...] = ()
