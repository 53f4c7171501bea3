"""The app under an ASGI server of the user's own, by its factory."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from tests.service import events_in, write_config

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "uvicorn", "--factory", "app.application:from_environment"]


def environment(config: Path) -> dict[str, str]:
    return {**os.environ, "SEGUE_CONFIG": str(config), "PYTHONPATH": str(ROOT)}


def test_plain_uvicorn_serves_the_config_that_the_environment_names(tmp_path: Path) -> None:
    server = subprocess.Popen(
        [*COMMAND, "--port", "0"],
        env=environment(write_config(tmp_path)),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr is not None
    address = next(
        word
        for line in server.stderr
        if "running on" in line
        for word in line.split()
        if "://" in word
    )
    answer = httpx.post(f"{address}/recommend", json={"user": 7}, timeout=60)
    assert answer.status_code == 200
    assert events_in(tmp_path)[0]["decision"] == answer.json()["decision"]
    server.send_signal(signal.SIGTERM)
    server.communicate(timeout=60)


def test_a_faulty_config_ends_with_2_and_its_faults(tmp_path: Path) -> None:
    config = write_config(tmp_path, default="nobody")
    ran = subprocess.run(
        [*COMMAND, "--port", "0"], env=environment(config), capture_output=True, text=True
    )
    assert ran.returncode == 2
    assert "default: unknown strategy 'nobody'" in ran.stderr
    assert "Traceback" not in ran.stderr
