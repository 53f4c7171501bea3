"""Balancers that keep a listener on one of two processes with memory state."""

import json
import signal
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from cli import main
from tests import needs
from tests.app.test_kill import started
from tests.balancers import haproxy, nginx
from tests.service import events_in

LISTENERS = 24
HEARD = {"track": 1000, "time": 0.5}


@contextmanager
def two_servers(folder: Path) -> Iterator[list[tuple["subprocess.Popen[str]", int]]]:
    """Run two processes of one config, which write to one log."""
    servers = [started(folder) for _ in range(2)]
    try:
        yield [(process, int(url.rpartition(":")[2])) for process, url in servers]
    finally:
        for process, _ in servers:
            process.terminate()
            process.communicate()


class Client:
    """A client of our API or of botify's, with the header that nginx goes by.

    Args:
        port: The balancer's port.
        api: `body` for `POST /recommend`, `path` for `POST /next/{user}`.
    """

    def __init__(self, port: int, api: str) -> None:
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
        self._api = api
        self._heard: dict[str, dict[str, float]] = {}

    def ask(self, user: int | str, **headers: str) -> httpx.Response:
        """Report the track before as heard, and ask for the next one."""
        heard = self._heard.get(str(user), {} if self._api == "body" else HEARD)
        if self._api == "path":
            answer = self._http.post(f"/next/{user}", json=heard)
        else:
            headers = {"Segue-Listener": str(user)} | headers
            answer = self._http.post("/recommend", json={"user": user, **heard}, headers=headers)
        if answer.status_code == 200:
            self._heard[str(user)] = {"track": answer.json()["track"], "time": 0.5}
        return answer

    def close(self) -> None:
        self._http.close()


def told(folder: Path) -> dict[str, list[tuple[str, int]]]:
    """Listener -> (process, turn), in the order of the events."""
    stories: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for event in sorted(events_in(folder), key=lambda event: event["timestamp"]):
        stories[str(event["user"])].append((event["decision"].partition("-")[0], event["turn"]))
    return stories


def segue(*arguments: object) -> Any:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(main.build(), [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    return result.output


@needs.program("nginx")
@needs.program("haproxy")
@pytest.mark.parametrize(
    ("balancer", "api"), [("nginx", "body"), ("nginx", "path"), ("haproxy", "body")]
)
def test_a_listener_stays_on_one_process_until_it_dies(
    tmp_path: Path, balancer: str, api: str
) -> None:
    with two_servers(tmp_path) as servers:
        ports = [port for _, port in servers]
        run = (
            nginx(tmp_path / "nginx", "by-listener", ports, ("rate=200r/s", "rate=10000r/s"))
            if balancer == "nginx"
            else haproxy(tmp_path, ports)
        )
        with run as port:
            client = Client(port, api)
            for _ in range(3):
                for user in range(LISTENERS):
                    # A number and its digits are one listener.
                    assert client.ask(user if user % 2 else str(user)).status_code == 200
            before = told(tmp_path)
            servers[0][0].send_signal(signal.SIGKILL)
            servers[0][0].wait(60)
            for user in range(LISTENERS):
                answer = client.ask(user)
                while answer.status_code != 200:  # one that met the dead process: sent again
                    assert answer.status_code in (502, 503, 504)
                    answer = client.ask(user)
            client.close()
        after = told(tmp_path)
    assert {len(story) for story in before.values()} == {3}
    assert all(len({process for process, _ in story}) == 1 for story in before.values())
    assert all([turn for _, turn in story] == [1, 2, 3] for story in before.values())
    processes = {story[0][0] for story in before.values()}
    assert len(processes) == 2
    (living,) = {story[3][0] for story in after.values()}
    for story in after.values():  # the dead process's listeners begin again, and no others
        assert story[3] == (living, 4 if story[0][0] == living else 1)
    assert "is valid: no check failed" in segue("verify", tmp_path / "log")


@needs.program("nginx")
def test_nginx_takes_no_turn_without_the_header_and_the_server_none_with_a_wrong_one(
    tmp_path: Path,
) -> None:
    with two_servers(tmp_path) as servers:
        ports = [port for _, port in servers]
        with nginx(tmp_path / "nginx", "by-listener", ports) as port:
            client = Client(port, "body")
            unnamed = client.ask(7, **{"Segue-Listener": ""})
            wrong = client.ask(7, **{"Segue-Listener": "8"})
            report = {"user": 7, **HEARD}
            unnamed_report = httpx.post(
                f"http://127.0.0.1:{port}/feedback", json=report, timeout=60
            )
            ready = httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=60)
            client.close()
    assert [each.status_code for each in (unnamed, unnamed_report, wrong)] == [400, 400, 400]
    codes = [each.json()["error"]["code"] for each in (unnamed, unnamed_report, wrong)]
    assert codes == ["unnamed_listener", "unnamed_listener", "wrong_listener"]
    assert ready.status_code == 200
    assert events_in(tmp_path) == []


@needs.program("haproxy")
def test_haproxy_keeps_operations_inside(tmp_path: Path) -> None:
    with two_servers(tmp_path) as servers, haproxy(tmp_path, [port for _, port in servers]) as port:
        for path in ("/metrics", "/experiments", "/admin/reload", "/docs"):
            assert httpx.get(f"http://127.0.0.1:{port}{path}", timeout=60).status_code == 404
        assert (
            json.loads(httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=60).text)["status"]
            == "ready"
        )
