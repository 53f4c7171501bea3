"""The contract of strategies, over every registered type; a new type needs no entry here."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.catalog import UNKNOWN
from core.listener import Listener
from segue.testing import rules
from segue.testing.small_world import TRACKS
from strategies import registry

# Few values, so that equal ones occur: the thresholds of the strategies and their neighbours.
TIMES = (0.0, 0.05, 0.1, 0.299999999, 0.3, 0.5, 0.65, 0.9, 0.900000001, 1.0)

over_every_type = pytest.mark.parametrize("name", registry.known())


@cache
def cases(name):
    return rules.cases(registry.find(name))


listens = st.lists(
    st.tuples(st.integers(UNKNOWN, TRACKS - 1), st.sampled_from(TIMES)), max_size=10
) | st.permutations([(track, 0.5) for track in range(TRACKS)])

listeners = st.builds(
    Listener.of,
    st.sampled_from(["1", "2", "6", "9", "somebody"]),
    listens,
    listens,
    st.integers(1, 100),
)


@over_every_type
@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_every_strategy_keeps_the_rule(rule, name):
    rules.check(rule, cases(name))


@over_every_type
@given(data=st.data(), listener=listeners)
@settings(max_examples=60)
def test_every_rule_holds_for_any_listener(name, data, listener):
    case = data.draw(st.sampled_from(cases(name)))
    for rule in rules.FOR_A_LISTENER:
        rule(case, listener)
