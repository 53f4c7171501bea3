"""A person as the recommender."""

from simulator.play.in_process_runner import InProcessRunner
from simulator.recommenders.console import Console
from tests.simulator.tiny import classic, some_world


def session(*typed: str) -> tuple[list[str], int, list[int]]:
    """What was shown, how many sessions were played to their end, and the tracks of the first."""
    said: list[str] = []
    lines = iter(typed)

    def ask(prompt: str) -> str:
        try:
            return next(lines)
        except StopIteration:
            raise EOFError from None

    listeners = classic(some_world(), 3)
    player = InProcessRunner(listeners, Console(said.append, ask), 1)
    outcome = player.play(listeners.visits(0, 2))
    return said, len(outcome.played), outcome.played.steps.tolist()


def test_a_track_is_taken_by_its_id_and_what_was_heard_of_it_is_shown() -> None:
    said, ended, _ = session("1006", "1009")
    assert "begins a session" in said[0]
    assert said[1].startswith("  heard 100% of Artist")
    assert said[2].endswith("% of Artist 0 - Title 2 (1006)")
    assert said[3].endswith("% of Artist 1 - Title 3 (1009)")
    assert ended == 0


def test_words_search_artist_and_title() -> None:
    said, _, _ = session("TITLE 59 artist", "nothing such", " ", "title")
    assert said[2:4] == [
        "  Artist 19 - Title 59 (1177)",
        "  no track has that id, and no artist or title those words",
    ]
    assert said[4] == "  Artist 0 - Title 0 (1000)"
    assert said[-1] == "  ... and 45 more; add a word"


def test_a_session_ends_when_the_listener_had_enough() -> None:
    said, ended, steps = session(*["1000"] * 40)
    assert ended == 2
    assert f"That was enough: {steps[0]} recommendations" in "\n".join(said)


def test_a_console_never_shows_the_listeners_mind() -> None:
    said, _, _ = session("1006")
    assert not any(word in "\n".join(said).lower() for word in ("interest", "taste", "budget"))
