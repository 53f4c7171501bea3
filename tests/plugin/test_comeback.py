"""The plugin's own tests, as its author would write them: they import segue and the plugin only."""

import pytest
import segue_comeback  # noqa: F401  (importing it registers the type)

from segue import Listener
from segue.testing import build, contract_test, why

test_contract = contract_test("comeback")


def test_two_skips_after_a_finished_track_lead_back_to_its_artist():
    listener = Listener.of("1", [(0, 0.95), (9, 0.02), (12, 0.1)])

    assert build("comeback").propose(listener).listed() == [1, 2, 3, 4, 5]
    assert why(build("comeback"), listener) == [
        "2 skips in a row",
        "back to the artist of the last finished track",
    ]


@pytest.mark.parametrize(
    ("listens", "earlier"),
    [
        ([(0, 0.95), (9, 0.02)], []),
        ([(0, 0.5), (9, 0.02), (12, 0.1)], []),
        ([(9, 0.02), (12, 0.1)], [(22, 1.0)]),
        ([], [(0, 1.0), (1, 0.0), (2, 0.0)]),
    ],
    ids=["one-skip", "nothing-finished", "artist-heard-out", "first-of-session"],
)
def test_it_abstains(listens, earlier):
    assert build("comeback").propose(Listener.of("1", listens, earlier)) is None
