"""Who may call: the Host header, pages of other origins, and the keys of clients."""

import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from app.hosts import hosts_at
from core.errors import SegueError
from engine import base_dispatcher
from segue.client import ApiError, Client
from tests import needs
from tests.app.live import Live, get, live, post
from tests.app.test_kill import started
from tests.service import events_in, loaded, running

HEARD = b'{"user": 7, "track": 1000, "time": 0.5}'
END = get("/healthz", "Connection: close")
NAMES = ("localhost", "127.0.0.1", "[::1]")
PAGE = "https://player.example"
KEYS = {"web": "SEGUE_KEY_WEB", "app": "SEGUE_KEY_APP"}


@pytest.fixture
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEGUE_KEY_WEB", "sesame-web")
    monkeypatch.setenv("SEGUE_KEY_APP", "sesame-app")


@pytest.fixture(params=["own", "plain"], scope="module")
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Live]:
    folder: Path = tmp_path_factory.mktemp("callers")
    with live(folder, hosts=NAMES, server={"door": request.param, "cors": [PAGE]}) as made:
        yield made


def sent_to(host: str, request: bytes) -> bytes:
    return request.replace(b"Host: 127.0.0.1", b"Host: " + host.encode())


def statuses(answer: bytes) -> list[str]:
    return re.findall(r"HTTP/1.1 (\d+)", answer.decode())


# Host


@pytest.mark.parametrize(
    "host", ["localhost", "LocalHost", "127.0.0.1:8000", "localhost:9", "[::1]", "[::1]:8000"]
)
def test_a_name_of_the_server_is_accepted(server: Live, host: str) -> None:
    request = sent_to(host, post("/recommend", HEARD))
    assert statuses(server.exchange(request * 2 + END)) == ["200"] * 3
    assert statuses(server.exchange(sent_to(host, get("/tracks/1000")) + END)) == ["200"] * 2


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8000", "localhost.evil.example", "127.0.0.1.evil", ""]
)
@pytest.mark.parametrize("path", ["/recommend", "/next/7", "/healthz", "/metrics", "/nowhere"])
def test_a_name_of_somebody_else_is_refused(server: Live, host: str, path: str) -> None:
    """A page in a browser on this machine would reach the server by such a name."""
    before = len(events_in(server.folder))
    hot = path in ("/recommend", "/next/7")
    request = sent_to(host, post(path, HEARD) if hot else get(path))
    answer = server.exchange(request + END)
    assert statuses(answer) == ["421", "200"]
    assert b'"code":"wrong_host"' in answer
    assert b"server.hosts" in answer
    assert len(events_in(server.folder)) == before


def test_a_connection_may_not_change_to_a_name_of_somebody_else(server: Live) -> None:
    evil = sent_to("evil.example", post("/recommend", HEARD))
    good = post("/recommend", HEARD)
    with server.connect() as connection:
        for request, status in [(good, "200"), (good, "200"), (evil, "421"), (good, "200")] * 2:
            connection.sendall(request)
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(65536)
            assert statuses(answer) == [status]


def test_a_request_without_a_host_comes_from_no_browser(server: Live) -> None:
    request = post("/recommend", HEARD, version="1.0").replace(b"Host: 127.0.0.1\r\n", b"")
    assert statuses(server.exchange(request)) == ["200"]


def test_a_real_server_checks_the_names_at_its_loopback_address(tmp_path: Path) -> None:
    process, url = started(tmp_path, "--admin-address", "127.0.0.1:0")
    assert process.stderr is not None
    inside = next(line for line in process.stderr if "http://" in line).split()[2]
    for address in (url, inside):
        assert httpx.get(f"{address}/readyz", timeout=60).status_code == 200
        refused = httpx.get(f"{address}/readyz", headers={"Host": "evil.example"}, timeout=60)
        assert refused.status_code == 421
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)


def test_the_name_that_the_server_listens_by_is_one_of_its_names(tmp_path: Path) -> None:
    process, url = started(tmp_path, "--host", "127.0.0.5", server={"hosts": ["segue.example"]})
    for name in ("127.0.0.5", "segue.example"):
        assert httpx.get(f"{url}/readyz", headers={"Host": name}, timeout=60).status_code == 200
    assert httpx.get(f"{url}/readyz", headers={"Host": "127.0.0.1"}, timeout=60).status_code == 421
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("127.0.0.1", ("a", "127.0.0.1")),
        ("127.0.0.2", ("a", "127.0.0.2")),
        ("::1", ("a", "[::1]")),
        ("0.0.0.0", None),
        ("::", None),
    ],
)
def test_names_are_checked_only_where_other_machines_cannot_come(
    address: str, names: tuple[str, ...] | None
) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as listening:
        assert hosts_at(listening, ("a",)) == names


# Browsers


@pytest.mark.parametrize(
    "request_", [post("/recommend", HEARD), post("/recommend", b"{"), get("/healthz"),
                 get("/nowhere"), get("/tracks/1000"), get("/docs"), get("/metrics")],
)  # fmt: skip
def test_no_browser_guesses_the_type_of_an_answer(server: Live, request_: bytes) -> None:
    heads = server.exchange(request_ + END).lower().split(b"http/1.1 ")[1:]
    assert len(heads) == 2
    assert all(head.count(b"x-content-type-options: nosniff\r\n") == 1 for head in heads)


def test_pages_of_other_origins_get_nothing_by_default(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        headers = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
        asked = client.options("/recommend", headers=headers)
        answer = client.post("/recommend", json={"user": 7}, headers={"Origin": PAGE})
    assert asked.status_code == 405
    for response in (asked, answer):
        assert not [name for name in response.headers if name.startswith("access-control")]


def test_a_named_origin_may_ask_and_send(tmp_path: Path) -> None:
    with running(tmp_path, server={"cors": [PAGE]}) as client:
        asking = {"Origin": PAGE, "Access-Control-Request-Method": "POST"}
        asked = client.options("/recommend", headers=asking)
        assert asked.status_code == 200
        assert asked.headers["access-control-allow-origin"] == PAGE
        assert "POST" in asked.headers["access-control-allow-methods"]
        allowed = asked.headers["access-control-allow-headers"].lower()
        assert {"content-type", "idempotency-key", "segue-key"} <= set(allowed.split(", "))
        key = {"Origin": PAGE, "Idempotency-Key": "k"}
        for path, body, status in [
            ("/recommend", {"user": 7}, 200),
            ("/recommend", {"user": 7}, 200),  # kept for the key, and still of this origin
            ("/feedback", {"user": 7}, 422),
        ]:
            answer = client.post(path, json=body, headers=key)
            assert answer.status_code == status
            assert answer.headers["access-control-allow-origin"] == PAGE
            assert answer.headers["vary"] == "Origin"
        read = client.get("/tracks/1000", headers={"Origin": PAGE})
        assert read.headers["access-control-allow-origin"] == PAGE


def test_an_origin_that_is_not_named_may_not(tmp_path: Path) -> None:
    with running(tmp_path, server={"cors": [PAGE]}) as client:
        asking = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
        asked = client.options("/recommend", headers=asking)
        answer = client.post("/recommend", json={"user": 7}, headers=asking)
    assert (asked.status_code, asked.json()["error"]["code"]) == (403, "origin_not_allowed")
    for response in (asked, answer):
        assert "access-control-allow-origin" not in response.headers


def test_a_star_allows_every_origin(tmp_path: Path) -> None:
    with running(tmp_path, server={"cors": ["*"]}) as client:
        answer = client.get("/tracks/1000", headers={"Origin": "https://any.example"})
    assert answer.headers["access-control-allow-origin"] == "https://any.example"


@pytest.mark.parametrize("origin", ["player.example", "https://player.example/", "https://a b"])
def test_an_origin_that_is_none_is_a_fault(tmp_path: Path, origin: str) -> None:
    with pytest.raises(SegueError, match=r"server.cors.0"):
        loaded(tmp_path, server={"cors": [origin]})


# Keys


@pytest.mark.usefixtures("_keys")
def test_a_client_needs_its_key(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with running(tmp_path, server={"keys_env": KEYS}) as client:
        for path, body in [("/recommend", {"user": 7}), ("/next/7", {"track": 1000, "time": 1})]:
            for headers in ({}, {"Segue-Key": "sesame"}, {"Segue-Key": ""}):
                refused = client.post(path, json=body, headers=headers)
                assert refused.status_code == 401
                assert refused.json()["error"]["field"] == "Segue-Key"
                assert refused.headers["www-authenticate"] == "Segue-Key"
        assert client.get("/tracks/1000").status_code == 401
        assert client.get("/track/1000").status_code == 401
        assert events_in(tmp_path) == []
        for name, times in (("web", 2), ("app", 1)):
            key = {"Segue-Key": f"sesame-{name}"}
            for _ in range(times):
                assert client.post("/recommend", json={"user": 7}, headers=key).status_code == 200
            assert client.get("/tracks/1000", headers=key).status_code == 200
        for path in ("/healthz", "/readyz", "/metrics"):
            assert client.get(path).status_code == 200
        text = client.get("/metrics").text
    assert 'segue_client_requests_total{client="web"} 3.0' in text
    assert 'segue_client_requests_total{client="app"} 2.0' in text
    written = "".join(path.read_text() for path in (tmp_path / "log").rglob("*") if path.is_file())
    assert "sesame" not in text + caplog.text + written


def test_without_keys_in_the_config_a_key_is_ignored(tmp_path: Path) -> None:
    with running(tmp_path) as client:
        key = {"Segue-Key": "anything"}
        assert client.post("/recommend", json={"user": 7}, headers=key).status_code == 200
        assert "segue_client_requests" not in client.get("/metrics").text


@pytest.mark.parametrize(
    ("web", "app", "problem"),
    [
        (None, "a", "server.keys_env.web: SEGUE_KEY_WEB is not set"),
        ("", "a", "server.keys_env.web: SEGUE_KEY_WEB is not set"),
        ("a b", "c", "SEGUE_KEY_WEB must hold printable ASCII characters without spaces"),
        ("ö", "c", "SEGUE_KEY_WEB must hold printable ASCII characters without spaces"),
        ("a", "a", "SEGUE_KEY_APP holds the key of the client 'web' too"),
    ],
)
def test_a_key_that_cannot_be_used_ends_the_start(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    web: str | None,
    app: str,
    problem: str,
) -> None:
    monkeypatch.delenv("SEGUE_KEY_WEB", raising=False)
    if web is not None:
        monkeypatch.setenv("SEGUE_KEY_WEB", web)
    monkeypatch.setenv("SEGUE_KEY_APP", app)
    with pytest.raises(SegueError, match=problem), running(tmp_path, server={"keys_env": KEYS}):
        raise AssertionError("it started")


@pytest.mark.usefixtures("_keys")
def test_our_client_sends_its_key(tmp_path: Path) -> None:
    with (
        live(tmp_path, server={"keys_env": KEYS}) as server,
        Client(f"http://127.0.0.1:{server.port}", key="sesame-web") as client,
        Client(f"http://127.0.0.1:{server.port}") as stranger,
    ):
        assert client.recommend(7).user == 7
        assert client.track(1000).track == 1000
        with pytest.raises(ApiError, match="must be the key of a client"):
            stranger.recommend(7)


# One answer, whatever serves


@pytest.mark.usefixtures("_keys")
def test_the_door_and_plain_asgi_give_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base_dispatcher.secrets, "token_hex", lambda size: "ab" * size)
    origin, key = f"Origin: {PAGE}", "Segue-Key: sesame-web"
    requests = [
        post("/recommend", HEARD, key),
        post("/recommend", HEARD),
        post("/recommend", HEARD, key, origin),
        post("/recommend", HEARD, key, origin, "Idempotency-Key: k"),
        post("/recommend", HEARD, key, origin, "Idempotency-Key: k"),
        post("/recommend", HEARD, key, "Origin: https://evil.example"),
        post("/recommend", b"{", key, origin),
        post("/recommend", b" " * 70_000, key, origin),
        sent_to("evil", post("/recommend", HEARD, key)),
        sent_to("evil", post("/recommend", b" " * 70_000, key)),
        sent_to("evil", get("/healthz")),
        get("/tracks/1000", key, origin),
        get("/recommend", origin, "Access-Control-Request-Method: POST", method="OPTIONS"),
    ]
    with ExitStack() as stack:
        servers = [
            stack.enter_context(
                live(
                    tmp_path / door,
                    hosts=NAMES,
                    server={"door": door, "cors": [PAGE], "keys_env": KEYS},
                )
            )
            for door in ("own", "plain")
        ]
        for request in [*requests, b"".join(requests)]:
            one, two = (
                re.sub(rb"date: [^\r]*\r\n", b"", each.exchange(request + END)) for each in servers
            )
            assert one == two
            assert one


@needs.program("curl")
def test_curl_reaches_the_server_by_its_usual_names(tmp_path: Path) -> None:
    process, url = started(tmp_path)
    port = url.rpartition(":")[2]
    for name in ("localhost", "127.0.0.1"):
        ran = subprocess.run(
            ["curl", "-4", "--silent", "--fail", f"http://{name}:{port}/readyz"],
            capture_output=True,
        )
        assert ran.returncode == 0
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
