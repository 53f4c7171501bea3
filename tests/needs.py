"""Marks for tests that need a program, a package or data that a machine may lack.

Such a test is skipped, and its reason names the missing part. With SEGUE_CI set, a missing program
or package fails the run: CI installs them, and a test that never ran proves nothing.
"""

import importlib.util
import os
import shutil
from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared"
MISSING = "needs"


def program(name: str) -> pytest.MarkDecorator:
    """Mark a test that runs this program, a package of Debian."""
    return _unless(shutil.which(name) is not None, f"{MISSING} {name} (apt-get install {name})")


def package(name: str) -> pytest.MarkDecorator:
    """Mark a test that imports this Python package of an extra."""
    found = importlib.util.find_spec(name) is not None
    return _unless(found, f"{MISSING} the package {name} (pip install {name})")


MOTO = shutil.which("moto_server") or str(Path(__file__).parents[1] / ".s3/bin/moto_server")
"""An S3-compatible server; `.ci/run` installs it into an environment of its own."""


def s3_server() -> pytest.MarkDecorator:
    """Mark a test that starts `MOTO`."""
    found = Path(MOTO).exists()
    return _unless(found, f"{MISSING} moto_server (see .ci/run)")


def shared(*paths: str) -> pytest.MarkDecorator:
    """Mark a test that reads data from outside the project."""
    absent = [path for path in paths if not (SHARED / path).exists()]
    return pytest.mark.skipif(bool(absent), reason=f"not here: ../shared/{', '.join(absent)}")


def _unless(found: bool, reason: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not found and "SEGUE_CI" not in os.environ, reason=reason)
