"""Schemathesis: requests made from the served OpenAPI get the answers that it describes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import needs
from tests.app.live import live

ROOT = Path(__file__).parents[2]
EXAMPLES = 60
"""Requests for each operation, beside those that cover the limits; the same ones in each run."""
PROGRAM = "from schemathesis.cli import schemathesis; schemathesis()"


@needs.package("schemathesis")
def test_every_answer_is_one_that_the_served_openapi_describes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_ADMIN_TOKEN", "token")
    hooks = {"SCHEMATHESIS_HOOKS": "tests.soak.schemathesis_hooks", "PYTHONPATH": str(ROOT)}
    with live(tmp_path) as server:
        address = f"http://127.0.0.1:{server.port}/openapi.json"
        arguments = ["--checks", "all", "--max-examples", str(EXAMPLES), "--no-color"]
        run = subprocess.run(
            [
                sys.executable,
                "-c",
                PROGRAM,
                "run",
                address,
                *arguments,
                "--generation-deterministic",
            ],
            cwd=tmp_path,
            env={**os.environ, **hooks},
            capture_output=True,
            text=True,
        )
    assert run.returncode == 0, run.stdout[-8_000:] + run.stderr[-2_000:]
    selected, tested = map(int, re.findall(r"(?:Selected|Tested): (\d+)", run.stdout))
    assert selected == tested >= 12
