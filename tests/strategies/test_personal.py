"""Personal: the listener's own list."""

from core.listener import Listener
from segue.testing.small_world import build, list_for, why


def test_it_proposes_the_listeners_own_list():
    assert build("personal", list="personal").propose(Listener.of("4")).listed() == list_for(4)


def test_it_abstains_for_a_listener_without_a_list():
    personal = build("personal", list="personal")
    assert personal.propose(Listener.of("9", [(3, 1.0)])) is None
    assert why(personal, Listener.of("9")) == ["the listener has no list in 'personal'"]


def test_it_may_walk_its_list_in_order():
    walk = build("personal", list="personal", draw="first", unheard="session")
    first, second, *_ = list_for(4)
    assert walk.propose(Listener.of("4")).listed() == [first]
    assert walk.propose(Listener.of("4", [(first, 0.2)])).listed() == [second]
