"""The door gives the same bytes as plain ASGI, for every request and every way to split it."""

import gzip
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import base_dispatcher
from tests import needs
from tests.app.live import Live, get, live, post
from tests.service import events_in

HEARD = b'{"user": 7, "track": 1000, "time": 0.5}'
LISTEN = b'{"track": 1000, "time": 0.5}'
END = get("/healthz", "Connection: close")
"""Sent last, so that the server closes and the test knows where the answers end."""


def chunked(path: str, *parts: bytes) -> bytes:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    head = (
        f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    return head.encode() + chunks + b"0\r\n\r\n"


EVERYTHING = b",".join(b"%d" % track for track in range(1000, 1240, 10))
LARGE = b'{"user": 7, "exclude": [' + b",".join([b"123456789"] * 8000) + b"]}"
WIDE = b'{"user": 7, "attributes": {' + b",".join([b'"": []'] * 8000) + b"}}"

CORPUS: dict[str, list[bytes]] = {
    "recommend": [post("/recommend", HEARD)],
    "feedback": [post("/feedback", HEARD)],
    "botify-next": [post("/next/7", LISTEN)],
    "botify-last": [post("/last/7", LISTEN)],
    "botify-next-of-a-word": [post("/next/anna-lena_2.0~x", LISTEN)],
    "percent-in-the-path": [post("/next/a%20b", LISTEN)],
    "no-user-in-the-path": [post("/next/", LISTEN)],
    "two-parts-in-the-path": [post("/next/7/8", LISTEN)],
    "slash-in-the-user": [post("/next/AC%2FDC", LISTEN), post("/last/AC%2FDC", LISTEN)],
    "slash-as-it-is": [post("/next/AC/DC", LISTEN)],
    "slash-at-the-end": [post("/next/7/", LISTEN)],
    "no-utf-8-in-the-path": [post("/next/%FF", LISTEN), post("/next/%EF%BF%BD", LISTEN)],
    "slash-in-the-track": [get("/tracks/a%2Fb"), get("/track/a%2Fb")],
    "padded-user": [post("/next/%207", LISTEN)],
    "query": [post("/recommend?a=b", HEARD)],
    "track": [get("/tracks/1000")],
    "unknown-track": [get("/tracks/nowhere")],
    "unknown-path": [get("/nowhere"), post("/nowhere", HEARD)],
    "wrong-method": [get("/recommend"), post("/healthz", HEARD)],
    "head": [get("/healthz", method="HEAD"), get("/recommend", method="HEAD")],
    "options": [get("/recommend", method="OPTIONS")],
    "keep-alive": [post("/recommend", HEARD)] * 3,
    "hot-then-cold-then-hot": [post("/recommend", HEARD), get("/readyz"), post("/feedback", HEARD)],
    "key": [post("/recommend", HEARD, "Idempotency-Key: k1")] * 2,
    "key-with-two-bodies": [
        post("/recommend", HEARD, "Idempotency-Key: k2"),
        post("/recommend", b'{"user": 7}', "Idempotency-Key: k2"),
    ],
    "empty-key": [post("/recommend", HEARD, "Idempotency-Key: ")],
    "forced-without-a-token": [post("/recommend", HEARD, "Segue-Force: fallback=T1")],
    "no-json": [post("/recommend", b"{"), post("/recommend", b"")],
    "wrong-type": [post("/recommend", b'{"user": 7.5}')],
    "unknown-field": [post("/recommend", b'{"user": 7, "usr": 8}')],
    "no-latin": [post("/recommend", '{"user": "Ŝako"}'.encode())],
    "explain": [post("/recommend", b'{"user": 8, "explain": true}', "Idempotency-Key: e")],
    "nothing-left": [
        post("/recommend", b'{"user": 7, "exclude": [%b]}' % EVERYTHING)
    ],
    "other-content-type": [
        b"POST /recommend HTTP/1.1\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}"
    ],
    "no-content-type": [
        post("/recommend", HEARD).replace(b"Content-Type", b"X-Type"),
        post("/next/7", LISTEN).replace(b"Content-Type", b"X-Type"),
    ],
    "too-large-of-a-different-type": [post("/recommend", LARGE).replace(b"/json", b"/jsonl")],
    "packed": [post("/recommend", gzip.compress(HEARD), "Content-Encoding: gzip")],
    "identity": [post("/recommend", HEARD, "Content-Encoding: identity")],
    "key-twice": [
        post("/recommend", b'{"user": 7, "user": 8}'),
        post("/recommend", b'{"user": 7, "\\u0075ser": 8}'),
        post("/feedback", HEARD[:-1] + b', "time": 1}'),
        post("/last/7", LISTEN[:-1] + b', "time": 1}'),
    ],
    "wide": [post("/recommend", WIDE)],
    "charset": [
        b"POST /recommend HTTP/1.1\r\nContent-Type: application/json; charset=utf-8\r\n"
        b"Content-Length: 11\r\n\r\n" + b'{"user": 7}'
    ],
    "no-content-length": [b"POST /recommend HTTP/1.1\r\nContent-Type: application/json\r\n\r\n"],
    "chunked": [chunked("/recommend", HEARD[:9], HEARD[9:]), chunked("/feedback", HEARD)],
    "too-large": [post("/recommend", LARGE), post("/recommend", HEARD)],
    "too-large-chunked": [chunked("/recommend", LARGE[:60_000], LARGE[60_000:])],
    "http-1.0": [post("/recommend", HEARD, version="1.0")],
    "http-1.0-keep-alive": [post("/recommend", HEARD, "Connection: keep-alive", version="1.0")],
    "connection-keep-alive": [post("/recommend", HEARD, "Connection: keep-alive")],
    "connection-close": [post("/recommend", HEARD, "Connection: close")],
    "header-case": [post("/recommend", HEARD).replace(b"Content-Type", b"cOnTeNt-TyPe")],
    "expect": [post("/recommend", HEARD, "Expect: 100-continue")],
    "no-http": [b"SSH-2.0-OpenSSH_9.6\r\n\r\n"],
    "bad-header": [b"POST /recommend HTTP/1.1\r\nbad header\r\n\r\n"],
    "two-lengths": [
        b"POST /recommend HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"
    ],
    "connect": [b"CONNECT 127.0.0.1:443 HTTP/1.1\r\n\r\n"],
    "absolute-form": [post("http://127.0.0.1/recommend", HEARD)],
    "version-9": [post("/recommend", HEARD, version="9.9")],
}  # fmt: skip


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Live, Live]]:
    """Run the same server with the door and as plain ASGI; both number decisions alike."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base_dispatcher.secrets, "token_hex", lambda size: "ab" * size)
        folder = tmp_path_factory.mktemp("door")
        with (
            live(folder / "own", server={"door": "own"}) as own,
            live(folder / "plain", server={"door": "plain"}) as plain,
        ):
            yield own, plain


def same(both: tuple[Live, Live], *sends: bytes) -> bytes:
    """Compare the door's answer with plain ASGI's, without the date; return it."""
    answers = [
        re.sub(rb"date: [^\r]*\r\n", b"", each.exchange(*sends), flags=re.IGNORECASE)
        for each in both
    ]
    assert answers[0] == answers[1]
    assert answers[0]
    return answers[0]


@pytest.mark.parametrize("name", CORPUS)
def test_the_same_bytes_one_request_after_the_other(both: tuple[Live, Live], name: str) -> None:
    for request in CORPUS[name]:
        same(both, request + END)


@pytest.mark.parametrize("name", CORPUS)
def test_the_same_bytes_pipelined(both: tuple[Live, Live], name: str) -> None:
    same(both, b"".join([*CORPUS[name], post("/recommend", HEARD), *CORPUS[name], END]))


@pytest.mark.parametrize(
    "name", ["recommend", "chunked", "botify-next", "no-json", "expect", "http-1.0", "unknown-path"]
)
def test_the_same_bytes_split_at_every_byte(both: tuple[Live, Live], name: str) -> None:
    request = CORPUS[name][0]
    for cut in range(1, len(request), 7):
        same(both, request[:cut], request[cut:] + END)
    # The last byte and END go together: after an HTTP/1.0 answer the server closes, and a system
    # whose program closes with bytes unread resets the connection.
    same(both, *(request[at : at + 1] for at in range(len(request) - 1)), request[-1:] + END)


def test_the_door_is_used(both: tuple[Live, Live], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the door, these tests would compare plain ASGI with itself."""
    from app.door import Door
    from app.turn_batches import TurnBatches

    callers: list[object] = []
    add = TurnBatches.add
    monkeypatch.setattr(
        TurnBatches,
        "add",
        lambda self, call, caller: (callers.append(caller), add(self, call, caller)),
    )
    for name in ("recommend", "feedback", "botify-next", "botify-last", "chunked", "http-1.0"):
        same(both, CORPUS[name][0] + END)
    assert len(callers) == 6
    assert all(isinstance(caller, Door) for caller in callers)


def test_an_offer_to_upgrade_is_ignored_and_the_body_is_read(tmp_path: Path) -> None:
    """RFC 9110, 7.8 allows that; stock Java clients offer HTTP/2 with every request."""
    offer = (
        "Connection: Upgrade, HTTP2-Settings",
        "Upgrade: h2c",
        "HTTP2-Settings: AAEAAEAAAAIAAAAB",
    )
    request = post("/recommend", HEARD, *offer)
    with live(tmp_path) as server:
        for cut in (0, 30, len(request) - len(HEARD), len(request) - 5):
            answer = server.exchange(request[:cut], request[cut:] + END)
            head, _, body = answer.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK")
            assert json.loads(body[: body.index(b"}HTTP") + 1])["user"] == 7
        cold = server.exchange(get("/readyz", *offer) + END)
        assert cold.count(b"HTTP/1.1 200 OK") == 2
    assert len(events_in(tmp_path)) == 4


def test_an_offer_of_a_websocket_is_ignored_too(tmp_path: Path) -> None:
    """No route of ours is a websocket; an offer with a turn once ended in a traceback."""
    offers = [
        ("Connection: Upgrade", "Upgrade: websocket"),
        ("Connection: Upgrade", "Upgrade: h2c", "Connection: keep-alive, foo"),
    ]
    with live(tmp_path) as server:
        for offer in offers:
            answer = server.exchange(post("/next/7", b'{"track": 1000, "time": 1}', *offer) + END)
            assert answer.count(b"HTTP/1.1 200 OK") == 2
    assert len(events_in(tmp_path)) == 2


def test_a_packet_of_hundreds_of_offers_is_read_to_its_end(tmp_path: Path) -> None:
    offer = post("/recommend", HEARD, "Connection: Upgrade", "Upgrade: h2c")
    with live(tmp_path) as server:
        answer = server.exchange(offer * 1_500 + END)
    assert answer.count(b"HTTP/1.1 200 OK") == 1_501


CLIENT = """
import java.net.URI;
import java.net.http.*;

public class Client {
  public static void main(String[] a) throws Exception {
    HttpClient client = HttpClient.newHttpClient();
    for (int i = 0; i < 3; i++) {
      HttpRequest request = HttpRequest.newBuilder(URI.create(a[0] + "/recommend"))
        .header("Content-Type", "application/json")
        .POST(HttpRequest.BodyPublishers.ofString("{\\"user\\": " + i + "}")).build();
      HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
      System.out.println(answer.statusCode() + " " + answer.body());
    }
  }
}
"""


@needs.program("java")
def test_a_stock_java_client_is_answered(tmp_path: Path) -> None:
    (tmp_path / "Client.java").write_text(CLIENT)
    with live(tmp_path) as server:
        ran = subprocess.run(
            ["java", str(tmp_path / "Client.java"), f"http://127.0.0.1:{server.port}"],
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    answers = ran.stdout.splitlines()
    assert [line[:4] for line in answers] == ["200 "] * 3
    assert [json.loads(line[4:])["user"] for line in answers] == [0, 1, 2]


@needs.program("curl")
def test_curl_that_offers_http2_is_answered(tmp_path: Path) -> None:
    with live(tmp_path) as server:
        ran = subprocess.run(
            ["curl", "--http2", "--silent", "--fail", "-H", "Content-Type: application/json",
             "-d", '{"user": 7}', f"http://127.0.0.1:{server.port}/recommend"],
            capture_output=True, text=True,
        )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["user"] == 7


@pytest.mark.parametrize(
    ("first", "statuses"),
    [
        pytest.param(post("/recommend", HEARD), [b"200", b"400"], id="kept-alive"),
        pytest.param(post("/recommend", HEARD, version="1.0"), [b"200"], id="closed-after-it"),
        pytest.param(post("/recommend", HEARD, "Connection: close"), [b"200"], id="told-to-close"),
    ],
)
def test_a_turn_is_answered_before_the_bytes_after_it_are_refused(
    tmp_path: Path, first: bytes, statuses: list[bytes]
) -> None:
    """Plain uvicorn answers 400 alone here, although the turn is on file."""
    with live(tmp_path) as server, server.connect() as connection:
        connection.sendall(first + b"\0\0 no HTTP\r\n\r\n")
        answer = b""
        try:
            while part := connection.recv(65536):
                answer += part
        except ConnectionResetError:
            pass  # the server closed with bytes of ours unread
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == statuses
    assert len(events_in(tmp_path)) == 1
