"""A reload that hangs is given up and said; the next one, the requests and SIGTERM go on."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.app.test_kill import started
from tests.service import events_in, write_config

TOKEN = {"Authorization": "Bearer token"}
SERVER = {"reload_timeout_s": 1.0, "shutdown_s": 1.0}


Start = Callable[..., tuple[subprocess.Popen[str], str]]


@pytest.fixture
def running() -> Iterator[Start]:
    """Start servers that end with the test, whatever its outcome."""
    servers: list[subprocess.Popen[str]] = []

    def start(folder: Path, **sections: Any) -> tuple[subprocess.Popen[str], str]:
        server, address = started(folder, **sections)
        servers.append(server)
        return server, address

    yield start
    for server in servers:
        if server.poll() is None:
            server.kill()
            server.communicate()


def module(folder: Path, statement: str) -> None:
    (folder / "hanging.py").write_text(statement)
    write_config(folder, server=SERVER, modules=["hanging"])


def waiting_module(folder: Path) -> None:
    module(folder, "import threading\n\nthreading.Event().wait()\n")


def spinning_module(folder: Path) -> None:
    module(folder, "\n\nwhile True:\n    pass\n")


def pipe_without_a_writer(folder: Path) -> None:
    os.mkfifo(folder / "pipe.jsonl")
    write_config(
        folder, lambda config: config["catalog"].update(tracks="pipe.jsonl"), server=SERVER
    )


HANGING: dict[str, tuple[Callable[[Path], None], str]] = {
    "a-module-waits": (waiting_module, "hangs at {folder}/hanging.py:3 (<module>)"),
    "a-module-computes-for-ever": (spinning_module, "hangs at {folder}/hanging.py:"),
    "a-pipe-without-a-writer": (pipe_without_a_writer, "core/sealed.py:"),
}


@pytest.mark.parametrize(("hang", "where"), HANGING.values(), ids=HANGING.keys())
def test_a_reload_that_hangs_blocks_neither_the_next_one_nor_sigterm(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    running: Start,
    hang: Callable[[Path], None],
    where: str,
) -> None:
    monkeypatch.setenv("SEGUE_ADMIN_TOKEN", "token")
    server, address = running(tmp_path, server=SERVER)
    assert server.stderr is not None
    said: list[str] = []
    reader = threading.Thread(target=said.extend, args=(server.stderr,))
    reader.start()
    with httpx.Client(base_url=address, timeout=60) as client:

        def reload() -> Any:
            return client.post("/admin/reload", headers=TOKEN)

        before = client.get("/readyz").json()["config"]
        hang(tmp_path)
        refused = reload()
        assert refused.status_code == 422
        message = refused.json()["error"]["message"]
        assert "must load within 1 s (server.reload_timeout_s), but " in message
        assert where.format(folder=tmp_path) in message
        ready = client.get("/readyz").json()
        assert ready["config"] == before
        assert "reload_failed" in str(ready["warnings"])
        assert client.post("/recommend", json={"user": 7}).status_code == 200

        if "hanging.py" in where:
            write_config(tmp_path, server=SERVER, modules=["hanging"], holdout={"share": 0.5})
            assert "'hanging'" in reload().json()["error"]["message"]
        write_config(tmp_path, server=SERVER, experiments=[])
        assert reload().status_code == 200
        served = client.get("/readyz").json()
        assert served["config"] != before
        assert not served.get("warnings")
        assert client.post("/recommend", json={"user": 7}).status_code == 200

    server.send_signal(signal.SIGTERM)
    assert server.wait(30) == 0
    reader.join(30)
    server.stderr.close()
    assert any("must load within 1 s" in line for line in said), "the server's log says it too"
    assert [event["config"] for event in events_in(tmp_path)] == [before, served["config"]]
    assert {path.stem for path in (tmp_path / "log/configs").glob("*.json")} == {
        before,
        served["config"],
    }


def test_a_module_that_ends_the_process_ends_no_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, running: Start
) -> None:
    monkeypatch.setenv("SEGUE_ADMIN_TOKEN", "token")
    server, address = running(tmp_path)
    with httpx.Client(base_url=address, timeout=60) as client:
        for statement, said in (
            ("import sys\nsys.exit(0)\n", "cannot be imported: SystemExit: 0"),
            ("raise KeyboardInterrupt\n", "tried to end the process by KeyboardInterrupt()"),
        ):
            name = f"leaving_{len(statement)}"
            (tmp_path / f"{name}.py").write_text(statement)
            write_config(tmp_path, modules=[name])
            refused = client.post("/admin/reload", headers=TOKEN)
            assert refused.status_code == 422
            assert said in refused.json()["error"]["message"]
        assert client.post("/recommend", json={"user": 7}).status_code == 200
    server.send_signal(signal.SIGTERM)
    server.communicate()
    assert server.returncode == 0


@pytest.mark.parametrize("ask", ["http", "hangup"])
def test_sigterm_ends_a_server_in_the_middle_of_a_reload_that_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, running: Start, ask: str
) -> None:
    monkeypatch.setenv("SEGUE_ADMIN_TOKEN", "token")
    settings = {"reload_timeout_s": 600.0, "shutdown_s": 1.0}
    server, address = running(tmp_path, server=settings)
    httpx.get(f"{address}/healthz", timeout=60)  # a hangup before the server is up is ignored
    os.mkfifo(tmp_path / "reached")
    (tmp_path / "hanging.py").write_text(
        "import threading\nfrom pathlib import Path\n\n"
        f"Path({str(tmp_path / 'reached')!r}).write_text('here')\nthreading.Event().wait()\n"
    )
    write_config(tmp_path, server=settings, modules=["hanging"])
    asked: list[Any] = []

    def reload() -> None:
        try:
            asked.append(httpx.post(f"{address}/admin/reload", headers=TOKEN, timeout=60))
        except httpx.TransportError as error:
            asked.append(error)

    thread = threading.Thread(target=reload)
    if ask == "http":
        thread.start()
    else:
        server.send_signal(signal.SIGHUP)
    assert (tmp_path / "reached").read_text() == "here", "the reload hangs from here"
    server.send_signal(signal.SIGTERM)
    _, errors = server.communicate(timeout=60)
    assert server.returncode == 0
    assert "Traceback" not in errors
    assert errors.splitlines()[-1] == "Stopped"
    if ask == "http":
        thread.join(60)
        assert len(asked) == 1
