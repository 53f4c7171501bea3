"""Real balancers with the files of deploy/, in front of servers that a test has started."""

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

DEPLOY = Path(__file__).parents[1] / "deploy"
_SERVER = re.compile(
    r"^    (resolver .*;\n    )?server (127\.0\.0\.1:\d+|recommender:8000 resolve);\n", re.MULTILINE
)


def listen() -> tuple[socket.socket, int]:
    """Open a listening socket; give it and its port, which no process can take from now on."""
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    return listening, listening.getsockname()[1]


@contextmanager
def nginx(
    folder: Path, upstream: str, ports: Sequence[int], *changes: tuple[str, str]
) -> Iterator[int]:
    """Run nginx with our site and one of our upstreams; give its port.

    Args:
        folder: For its files.
        upstream: The `*` of nginx-upstream-*.conf.
        ports: Ports of the servers, in place of those in the file.
        changes: (old, new) texts of the site.
    """
    spread = (DEPLOY / f"nginx-upstream-{upstream}.conf").read_text()
    (first, *rest) = [each.group() for each in _SERVER.finditer(spread)]
    for each in rest:
        spread = spread.replace(each, "")
    spread = spread.replace(first, "".join(f"    server 127.0.0.1:{port};\n" for port in ports))
    listening, port = listen()
    site = (DEPLOY / "nginx.conf").read_text()
    for old, new in [("listen 8080", f"listen 127.0.0.1:{port}"), *changes]:
        assert old in site
        site = site.replace(old, new)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"daemon off; pid {folder}/pid; error_log {folder}/errors;\n"
        "events { worker_connections 1024; }\n"
        f"http {{ access_log off;\n{temporary}{spread}{site} }}\n"
    )
    program = shutil.which("nginx")
    assert program is not None
    with listening:
        # nginx takes over the listening socket, as in an upgrade, so no request can come too early.
        process = subprocess.Popen(
            [program, "-p", str(folder), "-c", str(folder / "nginx.conf")],
            pass_fds=[listening.fileno()],
            env={**os.environ, "NGINX": f"{listening.fileno()};"},
            stderr=subprocess.DEVNULL,
        )
        try:
            yield port
        finally:
            process.terminate()
            process.wait(60)


@contextmanager
def haproxy(folder: Path, ports: Sequence[int]) -> Iterator[int]:
    """Run HAProxy with deploy/haproxy.cfg in front of two servers; give its port."""
    listening, port = listen()
    # It takes over the listening socket, so no request can come too early.
    descriptor = listening.fileno()
    site = (DEPLOY / "haproxy.cfg").read_text().replace("bind :8080", f"bind fd@{descriptor}")
    for old, new in zip(("127.0.0.1:8000", "127.0.0.1:8010"), ports, strict=True):
        assert old in site
        site = site.replace(old, f"127.0.0.1:{new}")
    path = folder / "haproxy.cfg"
    path.write_text(site)
    program = shutil.which("haproxy")
    assert program is not None
    with listening:
        process = subprocess.Popen(
            [program, "-db", "-f", str(path)],
            pass_fds=[descriptor],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield port
        finally:
            process.terminate()
            process.wait(60)
