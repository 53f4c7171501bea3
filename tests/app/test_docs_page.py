"""/docs: one page, which needs nothing but this server."""

import base64
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from websockets.sync.client import ClientConnection, connect

from tests import needs
from tests.app.live import live
from tests.service import events_in, running


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    folder: Path = tmp_path_factory.mktemp("docs")
    with running(folder) as made:
        yield made


def test_the_page_loads_nothing_from_a_different_host(client: TestClient) -> None:
    response = client.get("/docs")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", response.text)
    assert "import" not in re.findall(r"<style>(.*?)</style>", response.text, re.DOTALL)[0]
    assert re.findall(r'href="([^"]+)"', response.text) == ["/openapi.json"]


def test_the_policy_names_the_pages_own_script_and_style(client: TestClient) -> None:
    response = client.get("/docs")
    policy = response.headers["content-security-policy"]
    for tag in ("script", "style"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", response.text, re.DOTALL)
        digest = base64.b64encode(sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert not re.search(r"<[^>]+\s(style|on\w+)=", response.text)  # the policy would stop them


def test_the_page_has_every_route_with_its_parameters_and_answers(client: TestClient) -> None:
    text = unescape(client.get("/docs").text)
    words = re.sub("</?code>", "`", text)
    for path, methods in client.get("/openapi.json").json()["paths"].items():
        for method, route in methods.items():
            assert f"<b>{method.upper()}</b> <code>{path}</code>" in text
            for line in filter(None, route["description"].split("\n")):
                assert line in words
            for parameter in route.get("parameters", ()):
                assert f'name="{parameter["name"]}"' in text
    assert text.count('name="Authorization"') == 2  # to reload, and to forget a listener
    assert "The track to play next: the first of `tracks`." in words  # a field of an answer


@pytest.mark.parametrize("path", ["/redoc", "/docs/oauth2-redirect"])
def test_the_pages_of_the_framework_are_gone(client: TestClient, path: str) -> None:
    """They load their scripts from a host on the internet."""
    assert client.get(path).status_code == 404


class Browser:
    """A headless Chromium with one page, driven over its DevTools protocol."""

    def __init__(self, devtools: ClientConnection) -> None:
        self._devtools = devtools
        self._sent = 0
        self._session = self._ask("Target.attachToTarget", targetId=self._page(), flatten=True)[
            "sessionId"
        ]

    def _page(self) -> str:
        targets = self._ask("Target.getTargets")["targetInfos"]
        return str(next(each["targetId"] for each in targets if each["type"] == "page"))

    def _ask(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        self._sent += 1
        message = {"id": self._sent, "method": method, "params": params}
        self._devtools.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while True:
            answer = json.loads(self._devtools.recv(60))
            if answer.get("id") == self._sent:
                assert "error" not in answer, answer
                return dict(answer["result"])

    def open(self, url: str) -> None:
        """Open a page, and wait until it is loaded."""
        self._ask("Page.enable", self._session)
        self._ask("Page.navigate", self._session, url=url)
        while json.loads(self._devtools.recv(60)).get("method") != "Page.loadEventFired":
            pass

    def run(self, script: str) -> Any:
        """Run a script in the page, wait for its promise, and return its value."""
        result = self._ask(
            "Runtime.evaluate", self._session, expression=f"(async () => {{{script}}})()",
            awaitPromise=True, returnByValue=True,
        )  # fmt: skip
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")


@contextmanager
def browser(folder: Path) -> Iterator[Browser]:
    program = shutil.which("chromium")
    assert program is not None
    process = subprocess.Popen(
        [program, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0",
         f"--user-data-dir={folder}", "about:blank"],
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    try:
        address = next(line.split()[-1] for line in process.stderr if "DevTools listening" in line)
        with connect(address, max_size=None) as devtools:
            yield Browser(devtools)
    finally:
        process.terminate()
        process.communicate(timeout=60)


# The script fills a form, sends it, and waits for what the form shows.
SEND = """
  const form = document.querySelector('form[data-path="' + PATH + '"]');
  for (const [name, value] of Object.entries(VALUES)) form.elements[name].value = value;
  form.closest("details").open = true;
  form.requestSubmit();
  const shown = form.querySelector("pre");
  while (shown.hidden) await new Promise(done => setTimeout(done, 10));
  return shown.textContent;
"""


def send(page: Browser, path: str, **values: str) -> str:
    script = f"const PATH = {json.dumps(path)}, VALUES = {json.dumps(values)};" + SEND
    return str(page.run(script))


@needs.program("chromium")
def test_a_browser_sends_what_a_form_says(tmp_path: Path) -> None:
    with live(tmp_path) as server, browser(tmp_path / "profile") as page:
        page.open(f"http://127.0.0.1:{server.port}/docs")
        assert send(page, "/recommend").startswith("200 OK")
        assert '"user": "AC/DC"' in send(page, "/next/{user}", user="AC/DC")
        assert send(page, "/tracks/{track}", track="nowhere").startswith("404 Not Found")
        assert "segue_answers_total" in send(page, "/metrics")
    assert [event["user"] for event in events_in(tmp_path)] == [7, "AC/DC"]
