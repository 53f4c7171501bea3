"""A round that kills its own process at a chosen point, for test_kill: POINT FOLDER."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from learning.version_store import VersionStore
from tests.learning.small_loop import SmallLoop


def killing(function: Callable[..., Any], after: bool) -> Callable[..., Any]:
    """Wrap a function so that the process ends before it or after it, as by a power cut."""

    def killed(*args: Any, **kwargs: Any) -> Any:
        if after:
            function(*args, **kwargs)
        os.kill(os.getpid(), signal.SIGKILL)

    return killed


POINTS = {
    "before the manifest": (VersionStore, "seal", False),
    "before the version is in its place": (VersionStore, "seal", True),
    "before the state": (VersionStore, "save_state", False),
    "after the state": (VersionStore, "save_state", True),
}

if __name__ == "__main__":
    owner, name, after = POINTS[sys.argv[1]]
    setattr(owner, name, killing(getattr(owner, name), after))
    loop = SmallLoop(Path(sys.argv[2]), pilot=0.5, bound=0.9, strategy="softly")
    loop.learner.take_round(is_over=True)
