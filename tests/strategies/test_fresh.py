"""Fresh: a stated share of the turns for tracks that are not on the popularity list."""

from dataclasses import replace

import numpy as np
import pytest

from core.errors import SegueError
from core.listener import Listener
from segue.testing.small_world import TOP, TRACKS, build, chances, list_of, small_artifacts

AFTER_0 = Listener.of("1", [(0, 1.0)])


@pytest.mark.parametrize("known", [len(TOP), 3])
def test_fresh_tracks_share_their_part_equally(known):
    made = build("fresh", of="contextual", share=0.2, known=known)
    new = set(range(TRACKS)) - set(TOP[:known])
    near = list_of(0)

    found = chances(made.propose(AFTER_0))

    assert found == pytest.approx(
        {
            track: 0.2 / len(new) * (track in new) + 0.8 / len(near) * (track in near)
            for track in new | set(near)
        }
    )


def test_it_abstains_with_the_strategy():
    assert build("fresh", of="contextual").propose(Listener.of("1")) is None


def test_a_popularity_list_of_the_whole_catalog_is_refused():
    whole = replace(small_artifacts(), top=np.arange(TRACKS, dtype=np.int32))
    with pytest.raises(SegueError, match=r"no track is fresh\. Lower it"):
        build("fresh", whole, of="popular")
    assert build("fresh", whole, of="popular", known=TRACKS - 1)
