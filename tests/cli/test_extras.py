"""The command line without the extras: it starts, and says what to install when it must."""

import json
import subprocess
import sys
from pathlib import Path

from cli.main import EXTRAS

ROOT = Path(__file__).parents[2]


def test_building_the_command_line_imports_nothing_of_the_extras() -> None:
    """Or else a server without the analysis installed could not be started."""
    program = (
        "import json, sys; from cli.main import build; build(); print(json.dumps([*sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not set(EXTRAS) & set(json.loads(done.stdout))
