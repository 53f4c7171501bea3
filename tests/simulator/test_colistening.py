"""Lists out of listening, counted by hand."""

import numpy as np
import pytest

from simulator import colistening
from simulator.colistening import Companions, companions, personal, popularity
from simulator.rehearsal import Listening

# Two listeners, three sessions, each of (listener, [(track, hundredths), ...]).
Heard = list[tuple[int, list[tuple[int, int]]]]
SOME: Heard = [
    (0, [(0, 100), (1, 50), (2, 10)]),
    (0, [(0, 100), (3, 40)]),
    (1, [(1, 100), (1, 60), (3, 30)]),
]


def listening(sessions: Heard) -> Listening:
    rows = [
        (number, listener, track, hundredths)
        for number, (listener, heard) in enumerate(sessions)
        for track, hundredths in heard
    ]
    return Listening(*(np.array(column) for column in zip(*rows, strict=True)))


def test_popularity_is_by_time_heard_and_leaves_out_what_nobody_heard() -> None:
    # Track 0: 200, 1: 210, 2: 10, 3: 70; 4 never.
    assert popularity(listening(SOME), 5).tolist() == [1, 0, 3, 2]


def test_companions_are_tracks_liked_in_one_session() -> None:
    """Listener 0 leaves 200 of 500 unheard, 40 of 100; listener 1 110 of 300, 36.

    0 and 1: 100 * 50 * 40 ** 4 // 10 ** 6 = 12,800. 0 and 3, with 40 for 50: 10,240.
    1 and 3, twice since 1 stands twice: 100 * 30 and 60 * 30, times 36 ** 4 = 1,679,616, is 5,038
    and 3,023. Track 2 was not liked; a track is not its own company.
    Totals: 0 has 23,040, 1 has 20,861, 3 has 18,301; 62,202 / 3 is 20,734, 0.02 of it 414.68.
    """
    found = companions(listening(SOME), 5, 100)
    assert [found.of(track).tolist() for track in range(5)] == [[1, 3], [0, 3], [], [0, 1], []]
    first = found.scores[found.offsets[0] : found.offsets[1]]
    assert first.tolist() == pytest.approx(
        [12_800 / ((23_040 * 20_861) ** 0.5 + 414.68), 10_240 / ((23_040 * 18_301) ** 0.5 + 414.68)]
    )


def test_only_the_best_companions_are_kept() -> None:
    found = companions(listening(SOME), 5, 1)
    assert [found.of(track).tolist() for track in range(5)] == [[1], [0], [], [0], []]


def test_a_session_does_not_run_into_the_next() -> None:
    found = companions(listening([(0, [(0, 90)]), (0, [(1, 90)]), (1, [(2, 90), (3, 90)])]), 4, 9)
    assert [found.of(track).tolist() for track in range(4)] == [[], [], [3], [2]]


def test_tracks_far_apart_in_a_session_are_no_company() -> None:
    # Heard by nine tenths: who leaves nothing unheard tells nothing.
    heard = [(track, 90) for track in range(20)]
    assert set(companions(listening([(0, heard)]), 20, 99).of(0).tolist()) == set(range(1, 13))


def test_a_listeners_list_has_what_they_liked_and_its_company() -> None:
    """Listener 0 liked 0 for 200, 1 for 50 and 3 for 40; each counts 10,000 for a hundredth.

    Company as given: 0 goes with 4 at 0.5 and 1 with 4 at 0.1: 200 * 0.5 + 50 * 0.1 = 105 millions.
    """
    company = Companions(np.array([0, 1, 2, 2, 2, 2]), np.array([4, 4]), np.array([0.5, 0.1]))
    found = personal(listening(SOME), company, 2, 3)
    assert found.of(0).tolist() == [4, 0, 1]
    assert found.scores[:3].tolist() == [105e6, 2e6, 0.5e6]
    # Listener 1 liked 1 for 160, and 3 for 30.
    assert found.of(1).tolist() == [4, 1, 3]


@pytest.mark.parametrize("at_once", [1, 2, 200])
def test_a_listener_who_liked_nothing_has_no_list(
    at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(colistening, "_LISTENERS_AT_ONCE", at_once)
    company = companions(listening(SOME), 5, 9)
    sessions: Heard = [(0, [(0, 100)]), (2, [(0, 100)]), (1, [(3, 29)])]
    found = personal(listening(sessions), company, 3, 9)
    assert len(found.of(1)) == 0
    assert found.of(0).tolist() == found.of(2).tolist() == [1, 3, 0]


def test_listening_alone_makes_no_company() -> None:
    found = companions(listening([(0, [(0, 100)]), (1, [(3, 20)])]), 4, 9)
    assert len(found.tracks) == 0
