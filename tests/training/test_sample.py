"""Samples: some listeners of a log, each with all of their listens."""

import numpy as np

from tests.training.listening import listening
from training.listen_sources import Selection


def listens(share: float) -> dict[str, list[int]]:
    """The tracks of each listener of a sample, in order."""
    log = Selection(sample=share).apply(listening(900))
    assert set(np.unique(log.user).tolist()) == set(range(len(log.users))), "nobody has no listen"
    return {name: log.track[log.user == user].tolist() for user, name in enumerate(log.users)}


def test_a_sample_has_all_listens_of_some_listeners() -> None:
    whole, half = listens(1.0), listens(0.5)
    assert 0.2 * len(whole) < len(half) < 0.8 * len(whole)
    assert half == {name: whole[name] for name in half}


def test_a_smaller_sample_is_part_of_a_larger_one() -> None:
    assert listens(0.2).keys() < listens(0.6).keys() < listens(1.0).keys()


def test_a_manifest_names_the_sample() -> None:
    assert Selection(sample=0.25).as_json() == {"sample": 0.25}
    assert Selection().as_json() == {}
