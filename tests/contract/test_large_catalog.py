"""No strategy looks at the whole catalog in a request: its cost does not grow with the catalog.

Memory is counted, and no time is measured: a list of 50,000 tracks takes 400 KB at least.
"""

import tracemalloc
from functools import partial

import pytest

from core.candidates import Candidates
from core.draw import draw
from core.rng import Stream
from segue.testing import rules
from segue.testing.small_world import build, small_artifacts, some_listeners
from strategies import registry
from strategies.base import Named

MORE = 50_000
MOST_BYTES = 100_000
MIXED = {"strategies": {"contextual": 9, "random": 1}}


@pytest.fixture(scope="module")
def large():
    artifacts = small_artifacts(more=MORE)
    artifacts.strategies["mixed"] = Named("mixed", build("mixture", artifacts, **MIXED))
    return artifacts


def peak_bytes(make):
    """Measure the most memory that a proposal and the draw from it took for any listener.

    The least of three, each with a strategy just made: the test runner's threads allocate too, and
    what they take is counted with it.
    """
    return min(measured(make()) for _ in range(3))


def measured(strategy):
    highest = 0
    listeners = some_listeners()
    strategy.propose(listeners["liked"])
    tracemalloc.start()
    try:
        for name, listener in listeners.items():
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            candidates = strategy.propose(listener)
            if candidates is not None:
                drawn, _ = draw(candidates, Stream(name), 3)
                candidates.chance_of(drawn[0])
                len(candidates.without(drawn[:1]) or ())
            highest = max(highest, tracemalloc.get_traced_memory()[1] - before)
    finally:
        tracemalloc.stop()
    return highest


@pytest.mark.parametrize("name", registry.known())
def test_no_type_lists_the_catalog(name, large):
    found = registry.find(name)
    for case in rules.cases(found):
        assert peak_bytes(partial(found.make, case.params, large)) < MOST_BYTES, case


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("intersection", {"first": "contextual", "second": "mixed"}),
        ("intersection", {"first": "mixed", "second": "contextual"}),
        ("intersection", {"first": "random", "second": "mixed"}),
        ("intersection", {"first": "mixed", "second": "random"}),
        ("mixture", {"strategies": {"mixed": 1, "popular": 1}}),
        ("merge", {"strategies": ["contextual", "random"], "unheard": "history"}),
        ("merge", {"strategies": ["random", "contextual"], "draw": "rank"}),
        ("merge", {"strategies": ["mixed", "contextual"]}),
        ("merge", {"strategies": ["mixed", "random"], "unheard": "history", "draw": "first"}),
        ("gate", {"cases": [{"below": 0.5, "use": "mixed"}, {"use": "random"}]}),
    ],
    ids=lambda value: str(value)[:60],
)
def test_no_combination_with_the_catalog_in_it_lists_the_catalog(name, params, large):
    assert peak_bytes(partial(build, name, large, **params)) < MOST_BYTES


def test_a_strategy_that_lists_the_catalog_is_found(large):
    class Lists:
        def propose(self, listener):
            return Candidates([t for t in large.catalog.everything.listed() if t % 2])

    assert measured(Lists()) > 4 * MOST_BYTES
