"""The header `Segue-Listener`, by which a balancer keeps a listener on one process."""

import json
from pathlib import Path

import pytest

from tests.app.live import live, post
from tests.service import events_in

HEARD = b'{"track": 1000, "time": 0.5}'
ROUTES = [
    pytest.param("/recommend", b'{"user": 7}', "7", id="recommend"),
    pytest.param("/recommend", b'{"user": "7"}', "7", id="digits-as-a-string"),
    pytest.param("/feedback", b'{"user": "7", "track": 1000, "time": 0.5}', "7", id="feedback"),
    pytest.param("/next/7", HEARD, "7", id="next"),
    pytest.param("/last/7", HEARD, "7", id="last"),
    pytest.param("/recommend", '{"user": "Zoë"}'.encode(), "Zoë", id="utf-8"),
]


@pytest.mark.parametrize("door", ["own", "plain"])
@pytest.mark.parametrize(("path", "body", "listener"), ROUTES)
def test_a_header_that_names_another_listener_is_refused_and_changes_nothing(
    tmp_path: Path, path: str, body: bytes, listener: str, door: str
) -> None:
    with live(tmp_path, server={"door": door}) as server:
        same = listener.encode().decode("latin-1")
        accepted = server.exchange(_post(path, body, same))
        refused = server.exchange(_post(path, body, "8"))
    assert accepted.startswith(b"HTTP/1.1 200 OK")
    assert refused.startswith(b"HTTP/1.1 400 Bad Request")
    error = json.loads(refused.partition(b"\r\n\r\n")[2])["error"]
    assert (error["code"], error["field"]) == ("wrong_listener", "Segue-Listener")
    assert f"must name the listener of the request, '{listener}', got '8'" in error["message"]
    assert len(events_in(tmp_path)) == 1


def _post(path: str, body: bytes, listener: str) -> bytes:
    head, end, rest = post(path, body, "Connection: close").partition(b"\r\n\r\n")
    return head + b"\r\nSegue-Listener: " + listener.encode("latin-1") + end + rest
