"""A loop that is killed in the middle of a round leaves a whole version; the next one goes on."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.runtime import load_runtime
from engine.settings.learnt_artifacts import ServingState
from engine.settings.loading import load_settings
from tests.learning.killed_round import POINTS
from tests.learning.small_loop import SmallLoop

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_round_leaves_the_version_that_serves_whole(promoted: Path, point: str) -> None:
    SmallLoop(promoted).learner.store.save_state(ServingState((0, 1)))
    before = load_runtime(load_settings(promoted / "config.yaml")).digest
    SmallLoop(promoted).play(200)
    ended = subprocess.run(
        [sys.executable, "-m", "tests.learning.killed_round", point, str(promoted)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    after = load_runtime(load_settings(promoted / "config.yaml"))
    if point != "after the state":
        assert after.digest == before
    loop = SmallLoop(promoted, pilot=0.5, bound=0.9, strategy="softly")
    with loop.learner.store.locked():  # the killed process let go of it
        assert not list((promoted / "artifacts").glob(".*.part"))
        loop.play(200)
        loop.learner.take_round(is_over=True)
    assert loop.outcomes[-1][0] in ("piloted", "promoted", "refused", "goes_on")
    load_runtime(load_settings(promoted / "config.yaml"))
