"""Reloading a real server: it serves the version, or everything stays as it was."""

from pathlib import Path

import httpx
import pytest

from core.errors import SegueError
from engine.runtime import load_runtime
from engine.settings.learnt_artifacts import ServingState
from engine.settings.loading import load_settings
from learning.server_reload import HttpReload, SignalReload, pid_in
from learning.version_store import VersionStore
from tests.learning.small_loop import SmallLoop, write_config
from tests.served import serving

TOKEN = "a-token-of-the-tests"


def test_a_server_serves_the_pilot_after_a_round(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_ADMIN_TOKEN", TOKEN)
    with serving(folder / "config.yaml") as address:
        loop = SmallLoop(folder, HttpReload(address, TOKEN, 60), pilot=0.2, strategy="softly")
        loop.round()
        served = httpx.get(f"{address}/experiments", timeout=60).json()
        assert [each["name"] for each in served["experiments"]] == ["pilot_v1"]
        assert served["config"] == load_runtime(load_settings(folder / "config.yaml")).digest


def test_a_refused_reload_leaves_what_serves(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_ADMIN_TOKEN", TOKEN)
    with serving(folder / "config.yaml") as address:
        before = httpx.get(f"{address}/experiments", timeout=60).json()["config"]
        write_config(folder, lambda config: config.update(state={"max_listeners": 5}))
        loop = SmallLoop(folder, HttpReload(address, TOKEN, 60), pilot=0.2, strategy="softly")
        with pytest.raises(SegueError, match=r"refused the reload.*max_listeners"):
            loop.round()
        assert httpx.get(f"{address}/experiments", timeout=60).json()["config"] == before
    assert loop.outcomes == [("failed", None)]
    assert loop.learner.store.state().pilot is None
    assert not load_settings(folder / "config.yaml").experiments


def test_a_wrong_token_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_ADMIN_TOKEN", TOKEN)
    with (
        serving(folder / "config.yaml") as address,
        pytest.raises(SegueError, match=r"refused the reload: .*Bearer"),
    ):
        HttpReload(address, "a different one", 60).reload("x")


def test_a_server_of_a_different_config_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEGUE_ADMIN_TOKEN", TOKEN)
    with (
        serving(folder / "config.yaml") as address,
        pytest.raises(SegueError, match="It reads a different config file"),
    ):
        HttpReload(address, TOKEN, 60).reload("0123456789ab")


def test_a_server_that_cannot_be_reached_leaves_what_serves(folder: Path) -> None:
    loop = SmallLoop(folder, HttpReload("http://127.0.0.1:9", TOKEN, 5), strategy="softly")
    with pytest.raises(SegueError, match=r"http://127.0.0.1:9: the server cannot be reached"):
        loop.round()
    assert loop.learner.store.state().pilot is None
    assert loop.outcomes == [("failed", None)]


class Interrupted:
    """A server that is waited for until Ctrl-C.

    Attributes:
        found: The state on the disk whenever it was asked without waiting.
    """

    def __init__(self, store: VersionStore) -> None:
        self._store = store
        self.found: list[ServingState] = []

    def reload(self, digest: str) -> str:
        raise KeyboardInterrupt

    def ask(self) -> None:
        self.found.append(self._store.state())


def test_ctrl_c_while_the_server_loads_takes_back_what_it_may_have_loaded(folder: Path) -> None:
    server = Interrupted(VersionStore(folder / "artifacts"))
    loop = SmallLoop(folder, server, pilot=0.2, strategy="softly")
    with pytest.raises(KeyboardInterrupt):
        loop.round()
    assert server.found == [ServingState()]
    assert loop.learner.store.numbers() == [1]  # whole, and it does not play
    assert not load_settings(folder / "config.yaml").experiments


def test_a_process_that_is_no_more_is_said() -> None:
    with pytest.raises(SegueError, match=r"--pid 4194999: no server takes a signal there"):
        SignalReload(4_194_999, None, 5).reload("x")


@pytest.mark.parametrize(
    "content", [None, "", "no number", "0", "-1"], ids=["missing", "empty", "text", "group", "all"]
)
def test_a_file_without_a_process_id_is_said(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "server.pid"
    if content is not None:
        path.write_text(content)
    with pytest.raises(SegueError, match=r"--pid-file .*server\.pid: must have the process id"):
        pid_in(path)
