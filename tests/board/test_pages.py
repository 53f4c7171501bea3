"""The board in a real Chromium, served by a real server, over events of a small simulation."""

import json
import re
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import needs
from tests.board.chromium import PATIENCE_MS, chromium, opened, violations
from tests.board.site import EXPERIMENT, QUESTION, TOKEN, Site, played_site

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [needs.package("playwright")]

WIDTHS = (360, 768, 1440)
SCHEMES = ("light", "dark")
PAGES = {
    "wall": ("#/experiments", ".tile .figure"),
    "experiment": (f"#/experiments/{EXPERIMENT}", ".checks li"),
    "turns": ("#/decision", ".turns tbody tr"),
    "seat": ("#/seat", ".sit"),
    "config": ("#/config", ".facts"),
    "learn": ("#/learn", ".catalog"),
}
"""Name -> the page's address, and what shows that it is there."""
FITS = "() => document.documentElement.scrollWidth <= window.innerWidth"
SHIFTS = """() => { window.shifts = []; new PerformanceObserver((list) => {
    for (const each of list.getEntries()) if (!each.hadRecentInput) window.shifts.push(each.value);
}).observe({type: "layout-shift"}); }"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with played_site(tmp_path_factory.mktemp("board")) as site:
        yield site


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    with chromium() as browser:
        yield browser


def looked_at(page: "Page") -> None:
    """Look at a page at every width, light and dark: it fits, and axe-core finds nothing."""
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_function(FITS)  # a chart is drawn again at its new width
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
            assert violations(page) == [], f"at {width} px, {scheme}"


@needs.program("chromium")
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_every_screen_and_is_accessible(
    name: str, site: Site, browser: "Browser"
) -> None:
    where, sign = PAGES[name]
    with opened(browser, f"{site.address}/board{where}") as page:
        page.wait_for_selector(sign)
        assert page.locator("h1").count() == 1
        looked_at(page)


@needs.program("chromium")
def test_every_chart_has_a_sentence_and_a_table(site: Site, browser: "Browser") -> None:
    with opened(browser, f"{site.address}/board#/experiments/{EXPERIMENT}") as page:
        page.wait_for_selector("figure svg")
        titles = page.locator("figure h3").all_inner_texts()
        assert titles == [
            "Effect so far",
            "Effect by days since a listener entered",
            "Latency of answers",
        ]
        for title in titles:
            figure = page.locator("figure", has=page.get_by_role("heading", name=title))
            assert re.search(r"\d", figure.locator("p.visually-hidden").inner_text())
            figure.get_by_text("Numbers").click()
            assert figure.locator("tbody tr").count() > 0


@needs.program("chromium")
def test_paper_has_no_menu_forced_colours_have_shapes_and_calm_people_no_motion(
    site: Site, browser: "Browser"
) -> None:
    with opened(browser, f"{site.address}/board") as page:
        page.wait_for_selector(".lights .lamp")
        page.emulate_media(media="print")
        assert page.locator(".frame").is_hidden()
        page.emulate_media(media="screen", forced_colors="active", reduced_motion="reduce")
        lamp = page.locator(".lights .lamp.good").first
        assert lamp.evaluate("each => getComputedStyle(each).borderStyle") == "solid"
        link = page.locator(".places a").first
        assert link.evaluate("each => getComputedStyle(each).transitionDuration") == "0s"
        assert violations(page) == []


@needs.program("chromium")
def test_a_decision_is_found_by_its_listener_and_made_again(site: Site, browser: "Browser") -> None:
    listener = next(each["user"] for each in site.events() if each["message"] == "next")
    with opened(browser, f"{site.address}/board#/decision") as page:
        page.get_by_label("Listener").fill(str(listener))
        page.keyboard.press("Enter")
        page.wait_for_url(f"**listener={listener}")
        page.locator(".turns tbody th a").first.click()
        page.get_by_text("Made again now: the same").wait_for()
        assert page.locator(".step h2").all_inner_texts() == [
            "Heard before",
            "Slot and arm",
            "Chain",
            "Candidates",
            "The draw",
            "The event as logged",
        ]
        looked_at(page)


@needs.program("chromium")
def test_an_unknown_decision_is_told_in_a_sentence(site: Site, browser: "Browser") -> None:
    with browser.new_page() as page:
        page.goto(f"{site.address}/board#/decision/nobody-1")
        assert "nobody-1" in page.locator(".notice.bad").inner_text(timeout=PATIENCE_MS)


@needs.program("chromium")
def test_the_seat_is_played_by_keyboard_alone(site: Site, browser: "Browser") -> None:
    with opened(browser, f"{site.address}/board#/seat") as page:
        page.wait_for_selector(".sit")
        page.wait_for_selector("#listeners option", state="attached")  # the latest, to pick from
        page.get_by_label("Listener", exact=False).first.focus()
        page.keyboard.press("ControlOrMeta+a")
        page.keyboard.type("somebody new")
        page.keyboard.press("Enter")
        page.wait_for_selector(".player")
        for number, key in enumerate("132", 1):
            page.keyboard.press(key)
            page.wait_for_selector(f".session li:nth-child({number})")
        slider = page.get_by_label("Share heard")
        slider.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        page.wait_for_selector(".session li:nth-child(4)")
        shown = page.locator(".session .number").all_inner_texts()
        assert shown == ["0.55", "0.50", "1.00", "0.10"]
        assert page.locator(".arms-aside .own").count() == 1
        assert page.locator(".arms-aside article").count() == 2
        looked_at(page)
    turns = [each for each in site.events() if each["user"] == "somebody new"]
    assert [each.get("time") for each in turns[1:]] == [0.1, 1.0, 0.5, 0.55]
    assert all(each["seat"] for each in turns)


@needs.program("chromium")
def test_a_seat_begins_with_a_track_that_the_listener_searched_for(
    site: Site, browser: "Browser"
) -> None:
    with opened(browser, f"{site.address}/board#/seat") as page:
        page.get_by_label("Start with a track", exact=False).fill("a")
        first = page.locator(".found button").first
        title = first.locator("b").inner_text()
        first.click()
        page.get_by_role("button", name="Take the seat").click()
        assert page.locator(".player .title").inner_text() == title


@needs.program("chromium")
def test_a_session_ends_when_the_listener_has_no_patience_left(
    site: Site, browser: "Browser"
) -> None:
    with opened(browser, f"{site.address}/board#/seat") as page:
        page.get_by_label("Skips until you leave", exact=False).fill("1")
        page.get_by_role("button", name="Take the seat").click()
        half = page.get_by_role("button", name="Half")
        half.focus()
        page.keyboard.press("Enter")
        page.get_by_text("0.50 skips left").wait_for()
        assert half.evaluate("each => each === document.activeElement")
        page.keyboard.press("Enter")
        page.get_by_text("The session has ended").wait_for()
    last = [each for each in site.events() if each["user"] == "me"][-1]
    assert (last["message"], last["time"]) == ("last", 0.5)


@needs.program("chromium")
def test_a_config_is_reloaded_with_the_token_only(site: Site, browser: "Browser") -> None:
    with browser.new_page() as page:
        page.set_default_timeout(PATIENCE_MS)
        page.goto(f"{site.address}/board#/config")
        for token, told in (("wrong", "The reload was refused"), (TOKEN, "Reloaded")):
            page.get_by_role("button", name="Reload …").click()
            page.get_by_label("Admin token", exact=False).fill(token)
            page.keyboard.press("Enter")
            page.get_by_text(told, exact=True).wait_for()


@needs.program("chromium")
def test_two_lists_are_compared_and_a_list_has_titles(site: Site, browser: "Browser") -> None:
    with (site.folder / "contextual.jsonl").open() as lists:
        track = json.loads(lists.readline())["track"]
    with opened(browser, f"{site.address}/board#/learn") as page:
        page.get_by_label("Track or listener").fill(str(track))
        page.get_by_role("button", name="Open").click()
        page.wait_for_selector(".few tbody tr")
        looked_at(page)


@needs.program("chromium")
def test_new_numbers_move_nothing_and_are_not_spoken(site: Site, browser: "Browser") -> None:
    with opened(browser, f"{site.address}/board") as page:
        page.wait_for_selector(".tile .figure")
        before = page.locator(".head .quiet").inner_text()
        page.evaluate("document.fonts.ready")
        page.evaluate(SHIFTS)
        site.turn(100_001)
        page.wait_for_function(
            "before => document.querySelector('.head .quiet').innerText !== before", arg=before
        )
        assert page.evaluate("window.shifts") == []
        assert page.locator("#changes").inner_text() == ""
        assert page.evaluate(
            "[...document.querySelectorAll('.arms td:not(.text)')].every("
            "  (each) => getComputedStyle(each).textAlign === 'right')"
            " && getComputedStyle(document.body).fontVariantNumeric === 'tabular-nums'"
        )


@needs.program("chromium")
def test_the_stream_ends_while_the_tab_is_hidden(site: Site, browser: "Browser") -> None:
    def hide(hidden: bool) -> str:
        return (
            f"Object.defineProperty(document, 'hidden', {{value: {str(hidden).lower()}, "
            "configurable: true}); document.dispatchEvent(new Event('visibilitychange'))"
        )

    with opened(browser, f"{site.address}/board") as page:
        page.get_by_text("Live", exact=True).wait_for()
        page.wait_for_selector(".tile .figure")
        page.evaluate(hide(True))
        page.get_by_text("Paused", exact=True).wait_for()
        page.evaluate(hide(False))
        page.get_by_text("Live", exact=True).wait_for()
        assert page.locator(".tile .figure").count() == 1


@needs.program("chromium")
def test_a_killed_server_is_missed_and_a_restarted_one_found(
    tmp_path: Path, browser: "Browser"
) -> None:
    with played_site(tmp_path, 80) as site, opened(browser, f"{site.address}/board") as page:
        page.wait_for_selector(".tile .figure")
        page.evaluate("window.sameDocument = true")
        site.end(signal.SIGKILL)
        page.get_by_text("Reconnecting", exact=True).wait_for()
        page.get_by_text("The server does not answer", exact=False).wait_for()
        assert page.locator(".question").inner_text() == QUESTION  # what was there stays
        site.start()
        page.get_by_text("Live", exact=True).wait_for()
        page.locator(".notice.bad").wait_for(state="detached")
        before = page.locator(".head .quiet").inner_text()
        site.turn(100_001)
        page.wait_for_function(
            "before => document.querySelector('.head .quiet').innerText !== before", arg=before
        )
        assert page.evaluate("window.sameDocument")


@needs.program("chromium")
def test_a_broken_log_turns_the_light_red_and_withholds_the_effect(
    tmp_path: Path, browser: "Browser"
) -> None:
    with played_site(tmp_path, 80) as site, opened(browser, f"{site.address}/board") as page:
        page.wait_for_selector(".effect .figure")
        assert page.locator(".lights .lamp.bad").count() == 0
        site.falsify()
        page.wait_for_selector(".lights .lamp.bad")
        assert page.locator(".tile .figure").inner_text() == "Withheld"
        assert page.locator(".tile .state").inner_text() == "Unhealthy"
        assert "%" not in page.locator(".tile .halves").inner_text()
        assert "unhealthy, invalid" in page.locator("#changes").inner_text()
        page.goto(f"{site.address}/board#/experiments/{EXPERIMENT}")
        page.wait_for_selector(".checks details[open]")
        failed = page.locator(".checks details[open] b").all_inner_texts()
        assert "assignment" in failed
        assert page.locator("#effects").count() == 0
        looked_at(page)
