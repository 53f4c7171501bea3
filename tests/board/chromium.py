"""A real Chromium that looks at the board."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PATIENCE_MS = 60_000
AXE = Path(__file__).parent / "axe" / "axe.min.js"


@contextmanager
def chromium() -> Iterator["Browser"]:
    """Run Debian's Chromium, without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox"],  # CI runs as root
        )
        yield browser
        browser.close()


@contextmanager
def opened(browser: "Browser", address: str, **look: Any) -> Iterator["Page"]:
    """Open a page of the board; afterwards, nothing must have gone wrong in the browser.

    A request that the server did not answer is no fault of the page: tests end servers.

    Args:
        browser: The browser.
        address: The address of the page.
        look: Options of the browser's context, for instance its `viewport`.
    """
    page = browser.new_page(**look)
    page.set_default_timeout(PATIENCE_MS)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda said: (
            faults.append(said.text)
            if said.type in ("error", "warning") and "net::ERR_" not in said.text
            else None
        ),
    )
    page.goto(address)
    try:
        yield page
    finally:
        page.close()
    assert faults == []


def violations(page: "Page") -> list[str]:
    """List what axe-core finds, each with the first place."""
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {each['help']}: {each['nodes'][0]['html']}" for each in found["violations"]
    ]
