"""Gate: another strategy by the previous track's time."""

import pytest

from core.catalog import UNKNOWN
from core.listener import Listener
from segue.testing.small_world import build, why
from strategies.base import named_in
from strategies.registry import find

CASES = [
    {"below": 0.1, "use": "random"},
    {"below": 0.3, "use": "popular"},
    {"use": "contextual"},
]


def source(cases, listener):
    proposed = build("gate", cases=cases).propose(listener)
    return None if proposed is None else proposed.source


@pytest.mark.parametrize(
    ("time", "use"),
    [
        (0.0, "random"),
        (0.099999999, "random"),
        (0.1, "popular"),
        (0.299999999, "popular"),
        (0.3, "contextual"),
        (1.0, "contextual"),
    ],
)
def test_the_first_case_above_the_time_proposes(time, use):
    assert source(CASES, Listener.of("1", [(4, time)])) == use


def test_an_unknown_previous_track_still_has_a_time():
    assert source(CASES, Listener.of("1", [(UNKNOWN, 0.2)])) == "popular"


def test_a_first_visit_gets_the_case_without_below():
    assert source([*CASES[:2], {"use": "personal"}], Listener.of("1")) == "personal"
    assert source(CASES[:2], Listener.of("1")) is None


def test_it_abstains_where_no_case_fits():
    assert source(CASES[:2], Listener.of("1", [(4, 0.3)])) is None


def test_it_abstains_when_the_chosen_strategy_does():
    assert source(CASES, Listener.of("1", [(21, 0.9)])) is None


@pytest.mark.parametrize(
    ("time", "reason"),
    [
        (0.08, "previous time 0.08 < 0.1: 'random'"),
        (0.1, "previous time 0.1 < 0.3: 'popular'"),
        (0.5, "previous time 0.5 >= 0.3: 'contextual'"),
    ],
)
def test_it_says_why(time, reason):
    assert why(build("gate", cases=CASES), Listener.of("1", [(4, time)]))[0] == reason


def test_it_says_why_without_a_previous_track_or_a_choice():
    assert why(build("gate", cases=CASES), Listener.of("1"))[0] == "no previous track: 'contextual'"
    only = build("gate", cases=[{"use": "random"}])
    assert why(only, Listener.of("1", [(4, 1)]))[0] == "always 'random'"
    assert why(build("gate", cases=CASES[:1]), Listener.of("1", [(4, 1)])) == ["no case fits"]


@pytest.mark.parametrize(
    ("cases", "match"),
    [
        ([], "at least 1 item"),
        ([CASES[1], CASES[0]], r"below must rise from case to case, got 0\.3 and then 0\.1"),
        ([CASES[0], CASES[0]], "below must rise"),
        ([CASES[2], CASES[0]], "only the last case may have no below, and case 0 has none"),
        ([{"below": 0, "use": "random"}], "greater than 0"),
        ([{"below": 1.1, "use": "random"}], "less than or equal to 1"),
        ([{"below": 0.1, "us": "random"}], r"cases\.0\.us\n.*Extra inputs"),
    ],
    ids=["none", "falling", "equal", "else-first", "zero", "above-one", "typo"],
)
def test_cases_that_make_no_gate_are_refused(cases, match):
    with pytest.raises(ValueError, match=match):
        build("gate", cases=cases)


def test_the_names_in_its_cases_are_found_for_the_check_at_start():
    params = find("gate").params.model_validate({"cases": CASES})
    assert named_in(params, "strategy") == [
        ("cases.0.use", "random"),
        ("cases.1.use", "popular"),
        ("cases.2.use", "contextual"),
    ]


@pytest.mark.parametrize(
    ("cases", "always"),
    [
        ([{"below": 0.3, "use": "random"}, {"use": "popular"}], True),
        ([{"below": 0.3, "use": "random"}, {"below": 0.9, "use": "popular"}], False),
        ([{"below": 0.3, "use": "contextual"}, {"use": "popular"}], False),
    ],
    ids=["all-answer", "no-last-case", "one-may-abstain"],
)
def test_it_always_answers_when_every_case_does(cases, always):
    assert build("gate", cases=cases).always_answers is always
