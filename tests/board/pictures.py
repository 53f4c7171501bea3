"""The pictures of the board in the docs, of the shipped config: `make pictures` takes them."""

import base64
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.board.chromium import chromium, opened
from tests.board.site import Site, free_port

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "pictures"
DAYS, SESSIONS = 6, 900
SIZE = {"width": 1180, "height": 1060}
QUALITY = 82
"""Of WebP; text stays sharp, and a picture stays below 150 kB."""


def take_pictures() -> None:
    """Play the embedded world, serve it, and take a picture of four pages."""
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        site = Site(_played(Path(folder)), free_port())
        site.start()
        try:
            with opened(
                browser, f"{site.address}/board", viewport=SIZE, device_scale_factor=2
            ) as page:
                _wall(page)
                _experiment(page, site)
                _decision(page, site)
                _seat(page, site)
        finally:
            site.end()


def _played(folder: Path) -> Path:
    """Copy the embedded world, give experiments the questions of their comments, and play."""
    shutil.copytree(ROOT / "data", folder / "data")
    config = (ROOT / "config.yaml").read_text()
    asked = re.sub(
        r"- name: (\w+) +# (.+\?)$", r'- name: \1\n    question: "\2"', config, flags=re.M
    )
    (folder / "config.yaml").write_text(asked)
    command = [sys.executable, "-m", "cli", "simulate", "--recommender", "local", "--log", "log"]
    options = ["--days", str(DAYS), "--episodes", str(SESSIONS), "--yes", "--json"]
    where = {"cwd": folder, "env": {**os.environ, "PYTHONPATH": str(ROOT)}}
    subprocess.run([*command, *options], check=True, stdout=subprocess.DEVNULL, **where)  # type: ignore[call-overload]
    return folder


def _wall(page: "Page") -> None:
    page.wait_for_selector(".tile .figure")
    _save(page, "board-experiments")


def _experiment(page: "Page", site: Site) -> None:
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    page.locator(".tile .name").first.click()
    page.wait_for_selector(".checks li")
    _save(page, "board-experiment")
    page.emulate_media(color_scheme="light", reduced_motion="reduce")


def _decision(page: "Page", site: Site) -> None:
    page.goto(f"{site.address}/board#/decision")
    page.locator(".turns tbody th a").first.click()
    page.wait_for_selector(".steps")
    _save(page, "board-decision")


def _seat(page: "Page", site: Site) -> None:
    page.goto(f"{site.address}/board#/seat")
    page.get_by_role("button", name="Take the seat").click()
    page.wait_for_selector(".player")
    for number, key in enumerate("3231", 1):
        page.keyboard.press(key)
        page.wait_for_selector(f".session li:nth-child({number})")
    _save(page, "board-seat")


def _save(page: "Page", name: str) -> None:
    """Save the visible part as WebP, which only the browser's own protocol gives."""
    page.evaluate("window.scrollTo(0, 0); document.activeElement.blur()")
    session = page.context.new_cdp_session(page)
    taken = session.send("Page.captureScreenshot", {"format": "webp", "quality": QUALITY})
    (FOLDER / f"{name}.webp").write_bytes(base64.b64decode(taken["data"]))


if __name__ == "__main__":
    take_pictures()
