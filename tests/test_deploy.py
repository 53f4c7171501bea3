"""deploy/: checks of its files that need no Docker engine, and a real nginx."""

import contextlib
import re
import runpy
import shutil
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.application import create_app
from app.server import Server
from tests import balancers, needs, service
from tests.app.live import read_all
from tests.balancers import listen

DEPLOY = Path(__file__).parents[1] / "deploy"


def test_the_unit_runs_a_command_that_exists() -> None:
    unit = (DEPLOY / "segue.service").read_text()

    assert "segue serve --config" in unit
    assert "kill -HUP" in unit  # the signal that reloads


@contextlib.contextmanager
def running_server(folder: Path, listening: socket.socket) -> Iterator[None]:
    """Run our server in a thread."""
    runtime = service.loaded(folder)
    app = create_app(runtime, hosts=runtime.settings.server.hosts)
    server = Server(app, runtime.settings.server)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


class Nginx:
    """A real nginx with our site, in front of a server.

    Attributes:
        port: Its port on 127.0.0.1.
        client: An HTTP client of it.
    """

    def __init__(self, port: int, client: httpx.Client) -> None:
        self.port = port
        self.client = client


@contextlib.contextmanager
def nginx(folder: Path, upstream_port: int, *changes: tuple[str, str]) -> Iterator[Nginx]:
    """Run nginx with our site in front of one server; some texts of the site are changed."""
    with (
        balancers.nginx(folder, "one", [upstream_port], *changes) as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        yield Nginx(port, client)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Nginx]:
    listening, port = listen()
    with running_server(tmp_path / "world", listening), nginx(tmp_path, port) as made:
        yield made


@needs.program("nginx")
def test_nginx_in_front_passes_requests_on(site: Nginx, tmp_path: Path) -> None:
    """The server checks the Host header here, as `segue serve` does on a loopback address."""
    answer = site.client.post("/recommend", json={"user": 7}, headers={"Host": "player.example"})
    assert answer.status_code == 200
    assert answer.json()["user"] == 7
    heard = {"track": 1000, "time": 1.0}
    assert site.client.post("/next/AC%2FDC", json=heard).json()["user"] == "AC/DC"
    assert site.client.get("/tracks/1000").json()["track"] == 1000
    assert site.client.get("/readyz").status_code == 200
    large = site.client.post("/recommend", content=b" " * 70_000)
    assert (large.status_code, large.json()["error"]["code"]) == (413, "too_large")


@needs.program("nginx")
@pytest.mark.parametrize(
    "path",
    ["/admin/reload", "/metrics", "/experiments", "/docs", "/docs/oauth2-redirect", "/redoc",
     "/openapi.json", "/board", "/board/x", "/%6detrics", "//metrics", "/x/../metrics",
     "/listeners/7", "/metrics/", "/./docs", "/metrics?a=b"],
)  # fmt: skip
def test_nginx_keeps_operations_inside(site: Nginx, path: str) -> None:
    with socket.create_connection(("127.0.0.1", site.port), 60) as connection:
        head = f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b'"message":"no such path"' in answer  # nginx's words; the server did not see it


@needs.program("nginx")
def test_nginx_limits_the_requests_of_an_address(tmp_path: Path) -> None:
    listening, port = listen()
    slower = (("rate=200r/s", "rate=1r/m"), ("burst=400", "burst=3"))
    with (
        running_server(tmp_path / "world", listening),
        nginx(tmp_path, port, *slower) as site,
    ):
        answers = [site.client.post("/recommend", json={"user": 7}) for _ in range(8)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429] * 4
    assert answers[-1].json()["error"]["code"] == "too_many_requests"
    assert answers[-1].headers["retry-after"] == "1"


@needs.program("nginx")
def test_nginx_waits_for_nobody_without_an_end(tmp_path: Path) -> None:
    """Neither for a client that sends half a request, nor for a server that does not answer."""
    deaf, port = listen()  # it listens, and nobody accepts or answers
    quicker = (("header_timeout 10s", "header_timeout 1s"), ("read_timeout 10s", "read_timeout 1s"))
    with deaf, nginx(tmp_path, port, *quicker) as site:
        with socket.create_connection(("127.0.0.1", site.port), 60) as slow:
            slow.sendall(b"POST /recommend HTTP/1.1\r\nHost: a\r\nX-Slow: ")
            assert read_all(slow) == b""
        answer = site.client.post("/recommend", json={"user": 7})
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "no_answer")


@needs.program("systemd-analyze")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = (DEPLOY / "segue.service").read_text()
    (tmp_path / "segue.service").write_text(
        unit.replace("/srv/segue/.venv/bin/segue", sys.executable)
    )
    ran = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / "segue.service")],
        capture_output=True, text=True,
    )  # fmt: skip
    assert "segue.service" not in ran.stderr
    assert re.search(r"^TimeoutStopSec=\d+$", unit, re.MULTILINE)


@pytest.mark.parametrize(
    "text",
    [(DEPLOY / "segue.service").read_text(), (DEPLOY.parent / "Dockerfile").read_text()],
    ids=["unit", "image"],
)
def test_what_we_ship_has_operations_on_an_address_of_their_own(text: str) -> None:
    command = next(line for line in text.splitlines() if re.match(r"ExecStart=|CMD \[", line))
    assert re.search(r'--admin-address"?,? "?[\d.]+:8001', command)


# The image's packages


def pins(path: Path) -> dict[str, str]:
    """Read name -> version; names as the registry compares them."""
    found = re.findall(r"^([\w.-]+)==([^\s;\\]+)", path.read_text(), re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def test_the_image_installs_its_packages_by_hash_and_builds_without_the_network() -> None:
    dockerfile = (DEPLOY.parent / "Dockerfile").read_text()
    bases = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    assert len(set(bases)) == 1
    assert re.fullmatch(r"python:3\.\d+\.\d+-slim-\w+", bases[0])
    assert "--require-hashes -r deploy/requirements.txt" in dockerfile
    assert "--no-deps --no-build-isolation ." in dockerfile
    listed = (DEPLOY / "requirements.txt").read_text()
    for name, entry in re.findall(r"^(\S+)==(.*?)(?=^\S|\Z)", listed, re.MULTILINE | re.DOTALL):
        assert "--hash=sha256:" in entry, name


def test_the_image_has_every_package_that_the_server_needs_in_the_tested_version() -> None:
    image, tested = pins(DEPLOY / "requirements.txt"), pins(DEPLOY.parent / "constraints.txt")
    project = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())
    wanted = [
        *project["project"]["dependencies"],
        *project["project"]["optional-dependencies"]["redis"],
        *project["build-system"]["requires"],
    ]
    names = [re.sub(r"[-_.]+", "-", re.split(r"[\[<>=~]", each)[0]).lower() for each in wanted]
    assert set(names) <= set(image)
    assert {name: image[name] for name in names} == {name: tested[name] for name in names}
    both = image.keys() & tested.keys()
    assert {name: image[name] for name in both} == {name: tested[name] for name in both}


# Advisories


def judged(*packages: dict[str, Any]) -> tuple[list[str], bool]:
    script = runpy.run_path(str(DEPLOY / "audit_pins.py"))
    found: tuple[list[str], bool] = script["judge"]({"dependencies": list(packages)})
    return found


SOUND = {"name": "orjson", "version": "3.13.0", "vulns": []}
SKIPPED = {"name": "mmh3", "version": "5.3.1", "skip_reason": "Dependency not found on PyPI"}
FAULTY = {
    "name": "h11", "version": "0.14.0",
    "vulns": [{"id": "PYSEC-2025-1", "fix_versions": ["0.16.0"], "aliases": []}],
}  # fmt: skip


def test_an_advisory_fails_the_audit_and_is_named() -> None:
    lines, is_vulnerable = judged(SOUND, FAULTY)
    assert is_vulnerable
    assert lines == ["h11 0.14.0: PYSEC-2025-1, fixed in 0.16.0", "2 pins audited"]


def test_an_audit_without_the_database_says_so_and_fails_no_build() -> None:
    assert judged(SKIPPED) == (
        ["NOT AUDITED: the database of advisories knows none of 1 pins"], False,
    )  # fmt: skip
    assert judged(SOUND, SKIPPED) == (["1 pins audited; not in the database: mmh3"], False)
    ran = subprocess.run(
        [sys.executable, DEPLOY / "audit_pins.py", shutil.which("false") or "false"],
        capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0
    assert ran.stdout.count("NOT AUDITED: pip-audit gave no answer") == 2
