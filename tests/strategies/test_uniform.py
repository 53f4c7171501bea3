"""Random: the whole catalog."""

from core.listener import Listener
from segue.testing.small_world import TRACKS, build


def test_it_proposes_the_whole_catalog_always():
    proposed = build("random").propose(Listener.of("1", [(3, 0.1)]))
    assert proposed.listed() == list(range(TRACKS))
    assert proposed.weights is None
