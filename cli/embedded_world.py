"""The embedded world: the config and the data that every installation brings.

In a checkout they are config.yaml and data/, beside the packages. A wheel carries copies of them,
which setup.py puts beside this module.
"""

import shutil
from pathlib import Path

from core.errors import SegueError

CONFIG = "config.yaml"
DATA = "data"


def embedded_folder() -> Path:
    """Return the folder with the embedded config.yaml and data/.

    Raises:
        SegueError: This installation has neither.
    """
    installed = Path(__file__).parent / "embedded"
    for folder in (installed, Path(__file__).parents[1]):
        if (folder / CONFIG).is_file() and (folder / DATA / "tracks.jsonl").is_file():
            return folder
    raise SegueError(
        f"{installed}: must have the embedded world, has none. Install Segue from its wheel, or "
        "run it from a checkout"
    )


def copy_embedded_world(to: Path) -> None:
    """Copy config.yaml and data/ into a folder."""
    folder = embedded_folder()
    shutil.copy(folder / CONFIG, to / CONFIG)
    shutil.copytree(folder / DATA, to / DATA)
