"""A person as the recommender."""

from simulator.play.in_process_runner import InProcessRunner
from simulator.recommenders.console import Console
from tests.simulator.tiny import botify, some_world


def session(*typed: str) -> tuple[list[str], int, list[int]]:
    """Return the lines shown, the number of complete sessions, and their steps."""
    shown: list[str] = []
    lines = iter(typed)

    def prompt(text: str) -> str:
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    listeners = botify(some_world(), 3)
    player = InProcessRunner(listeners, Console(shown.append, prompt), 1)
    outcome = player.play(listeners.plan_day(0, 2))
    return shown, len(outcome.sessions), outcome.sessions.steps.tolist()


def test_an_id_plays_a_track_and_the_console_shows_the_share_heard() -> None:
    shown, ended, _ = session("1006", "1009")
    assert "begins a session" in shown[0]
    assert shown[1].startswith("  heard 100% of Artist")
    assert shown[2].endswith("% of Artist 0 - Title 2 (1006)")
    assert shown[3].endswith("% of Artist 1 - Title 3 (1009)")
    assert ended == 0


def test_words_search_artist_and_title() -> None:
    shown, _, _ = session("TITLE 59 artist", "nothing such", " ", "title")
    assert shown[2:4] == [
        "  Artist 19 - Title 59 (1177)",
        "  no track has that id, and no artist and title have those words",
    ]
    assert shown[4] == "  Artist 0 - Title 0 (1000)"
    assert shown[-1] == "  ... and 45 more; add a word"


def test_the_console_shows_when_the_listener_leaves() -> None:
    shown, ended, steps = session(*["1000"] * 40)
    assert ended == 2
    assert f"The listener left after {steps[0]} recommendations" in "\n".join(shown)


def test_a_console_never_shows_true_tastes() -> None:
    shown, _, _ = session("1006")
    assert not any(word in "\n".join(shown).lower() for word in ("interest", "taste", "budget"))
