"""deploy/: checks of its files that need no Docker engine, and a real nginx."""

import contextlib
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import yaml

from app.application import create_app
from app.server import Server
from tests import needs, service

DEPLOY = Path(__file__).parents[1] / "deploy"


def test_compose_mounts_files_that_exist_and_builds_the_image_of_this_checkout() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]

    assert (DEPLOY / services["segue"]["build"] / "Dockerfile").exists()
    for service_ in services.values():
        for volume in service_["volumes"]:
            source = volume.partition(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists()


def test_the_unit_runs_a_command_that_exists() -> None:
    unit = (DEPLOY / "segue.service").read_text()

    assert "segue serve --config" in unit
    assert "kill -HUP" in unit  # the signal that reloads


def listen() -> tuple[socket.socket, int]:
    """Open a listening socket; give it and its port, which no process can take from now on."""
    listening = socket.create_server(("127.0.0.1", 0))
    return listening, listening.getsockname()[1]


@contextlib.contextmanager
def running_server(folder: Path, listening: socket.socket) -> Iterator[None]:
    """Run our server in a thread."""
    runtime = service.loaded(folder)
    server = Server(create_app(runtime), runtime.settings.server)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
        listening.close()


@needs.program("nginx")
def test_nginx_in_front_passes_requests_on_and_keeps_admin_inside(tmp_path: Path) -> None:
    (nginx_socket, nginx_port), (segue_socket, segue_port) = listen(), listen()
    site = (DEPLOY / "nginx.conf").read_text()
    site = site.replace("127.0.0.1:8000", f"127.0.0.1:{segue_port}").replace(
        "listen 8080", f"listen 127.0.0.1:{nginx_port}"
    )
    temporary = "".join(
        f"{kind}_temp_path {tmp_path}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (tmp_path / "nginx.conf").write_text(
        f"daemon off; pid {tmp_path}/pid; error_log stderr;\nevents {{}}\n"
        f"http {{ access_log off;\n{temporary}{site} }}\n"
    )
    program = shutil.which("nginx")
    assert program is not None
    command = [program, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    with nginx_socket, running_server(tmp_path / "world", segue_socket):
        # nginx takes over the listening socket, as in an upgrade, so no request can come too early.
        nginx = subprocess.Popen(
            command,
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=[nginx_socket.fileno()],
            env={**os.environ, "NGINX": f"{nginx_socket.fileno()};"},
        )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{nginx_port}", timeout=60) as client:
                answer = client.post("/recommend", json={"user": 7})
                large = client.post("/recommend", content=b" " * 70_000)
                admin = client.post("/admin/reload")
        finally:
            nginx.terminate()
            _, errors = nginx.communicate()
    assert answer.status_code == 200, errors
    assert answer.json()["user"] == 7
    assert large.status_code == 413
    assert admin.status_code == 404
