"""The board in a real Chromium, over servers of other kinds: workers, a token, no extra."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from tests import needs
from tests.board.chromium import chromium, opened, violations
from tests.board.site import TOKEN, Site, free_port, played, serving
from tests.redis_server import running_redis

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [needs.package("playwright"), needs.program("chromium")]

WITHOUT = """import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name == "duckdb":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
"""
"""A `sitecustomize` of a Python without the extra `analysis`."""


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a config and a log."""
    return played(tmp_path, 40)


def played_seat(page: "Page", site: Site) -> None:
    """Take the seat, and answer two tracks."""
    page.goto(f"{site.address}/board#/seat")
    page.get_by_role("button", name="Take the seat").click()
    page.wait_for_selector(".player")
    for number in (1, 2):
        page.keyboard.press("2")
        page.wait_for_selector(f".session li:nth-child({number})")


def reloaded(page: "Page", site: Site) -> None:
    """Reload the config with the token."""
    page.goto(f"{site.address}/board#/config")
    page.get_by_role("button", name="Reload …").click()
    page.get_by_label("Admin token", exact=False).fill(TOKEN)
    page.keyboard.press("Enter")
    page.get_by_text("Reloaded", exact=True).wait_for()


@needs.program("redis-server")
def test_the_board_of_several_workers_shows_the_log_of_all(
    folder: Path, browser: "Browser", tmp_path_factory: pytest.TempPathFactory
) -> None:
    with running_redis(tmp_path_factory.mktemp("redis")) as redis:
        config = yaml.safe_load((folder / "config.yaml").read_text())
        config["state"] = {"backend": "redis", "url": redis.url}
        (folder / "workers.yaml").write_text(yaml.safe_dump(config))
        site = Site(folder, free_port(), "workers.yaml", ("--workers", "2"))
        with serving(site), opened(browser, f"{site.address}/board") as page:
            page.wait_for_selector(".tile .figure")
            played_seat(page, site)
            page.goto(f"{site.address}/board#/decision?listener=me")
            page.locator(".turns tbody tr").nth(2).wait_for()
            page.locator(".turns tbody th a").first.click()
            page.get_by_text("Made again now: the same").wait_for()
            reloaded(page, site)


def test_an_address_for_other_machines_shows_the_board_for_the_token(
    folder: Path, browser: "Browser"
) -> None:
    password = {"username": "anybody", "password": TOKEN}
    with (
        serving(Site(folder, free_port(), options=("--host", "0.0.0.0"))) as site,
        opened(browser, f"{site.address}/board", http_credentials=password) as page,
    ):
        page.wait_for_selector(".tile .figure")
        played_seat(page, site)
        reloaded(page, site)


def test_without_the_extra_the_first_page_names_it_and_the_others_work(
    folder: Path, browser: "Browser", tmp_path_factory: pytest.TempPathFactory
) -> None:
    absent = tmp_path_factory.mktemp("absent")
    (absent / "sitecustomize.py").write_text(WITHOUT)
    root = Path(__file__).parents[2]
    environment = {"PYTHONPATH": f"{absent}:{root}"}
    with (
        serving(Site(folder, free_port(), environment=environment)) as site,
        opened(browser, f"{site.address}/board") as page,
    ):
        page.get_by_text("pip install 'segue[analysis]'").wait_for()
        assert violations(page) == []
        played_seat(page, site)
        page.goto(f"{site.address}/board#/decision?listener=me")
        page.locator(".turns tbody th a").first.click()
        page.get_by_text("Made again now: the same").wait_for()
        for place, sign in (("config", ".facts"), ("learn", ".catalog")):
            page.goto(f"{site.address}/board#/{place}")
            page.wait_for_selector(sign)


def test_names_that_look_like_markup_are_text_and_fit_a_phone(
    folder: Path, browser: "Browser"
) -> None:
    name, title = '<img src=x onerror="alert(1)">', '<script>alert("title")</script>' + "長" * 99
    tracks = (folder / "tracks.jsonl").read_text().replace('"Title 1"', json.dumps(title))
    (folder / "tracks.jsonl").write_text(tracks)
    phone = {"width": 360, "height": 800}
    with (
        serving(Site(folder, free_port())) as site,
        opened(browser, f"{site.address}/board#/seat", viewport=phone) as page,
    ):
        page.get_by_label("Listener", exact=False).first.fill(name)
        page.get_by_label("Start with a track", exact=False).fill("script")
        page.locator(".found button").first.click()
        page.get_by_role("button", name="Take the seat").click()
        page.wait_for_selector(".player")
        page.keyboard.press("3")
        page.wait_for_selector(".session li")
        assert page.locator(".session h2").inner_text() == f"Session of {name}"
        assert page.locator(".session li").first.inner_text().startswith("<script>")
        page.wait_for_function("document.documentElement.scrollWidth <= window.innerWidth")
        page.goto(f"{site.address}/board#/experiments")
        mean = page.locator(".tile .arms tbody td").last
        mean.wait_for()
        box = mean.bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= phone["width"], "the mean session is in view"
