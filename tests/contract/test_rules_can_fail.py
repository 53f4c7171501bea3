"""Every rule of the contract is broken on purpose once, so that each is known to find a fault."""

import itertools
import random
from typing import Literal

import numpy as np
import pytest
from pydantic import BaseModel, ConfigDict, Field

from core.candidates import Candidates
from core.listener import Listener
from segue.testing import rules
from segue.testing.rules import Case
from segue.testing.small_world import TRACKS, example_params, some_listeners
from strategies.base import Artifacts, ListParams, Params, TrackLists
from strategies.registry import Registered


class Sound:
    """Propose two tracks; each bad strategy below changes a part of this one.

    Reads: nothing.
    Abstains: never.
    Chance: uniform.
    Cost: none.
    """

    always_answers = True

    def __init__(self, params: Params, artifacts: Artifacts) -> None:
        self.params = params
        self.artifacts = artifacts

    def propose(self, listener: Listener) -> Candidates | None:
        listener.note("two tracks")
        return self.candidates(listener)

    def candidates(self, listener: Listener) -> Candidates | None:
        return Candidates([3, 5])


class Raises(Sound):
    def candidates(self, listener):
        return Candidates([listener.session[-1].track + 1])


class Draws(Sound):
    def candidates(self, listener):
        return Candidates([random.randrange(TRACKS)])


class DrawsFromNumpy(Sound):
    def candidates(self, listener):
        return Candidates(np.random.permutation(TRACKS)[:2])


class ProposesAPlainList(Sound):
    def candidates(self, listener):
        return [3, 5]


class ProposesNothing(Sound):
    def candidates(self, listener):
        return Candidates([])


class ProposesTwice(Sound):
    def candidates(self, listener):
        return Candidates([3, 5, 3])


class ProposesIds(Sound):
    def candidates(self, listener):
        return Candidates([self.artifacts.catalog.ids[3]])


class ProposesThePreviousUnknown(Sound):
    def candidates(self, listener):
        return Candidates([listener.last.track]) if listener.last else Candidates([1])


class WeighsByNothing(Sound):
    def candidates(self, listener):
        return Candidates.of([3, 5], [1.0, 0.0])


class WeighsTooFew(Sound):
    def candidates(self, listener):
        return Candidates.of([3, 5, 7], [1.0, 2.0])


class WeighsByNegatives(Sound):
    """The shares of two negative weights are positive, and sum to 1."""

    def candidates(self, listener):
        return Candidates.of([3, 5], [-1.0, -2.0])


class WeighsByOneNegative(Sound):
    def candidates(self, listener):
        return Candidates.of([3, 5], [3.0, -1.0])


class WeighsByNoNumber(Sound):
    def candidates(self, listener):
        return Candidates.of([3, 5], [1.0, float("nan")])


class WeighsByZeros(Sound):
    def candidates(self, listener):
        return Candidates.of([3, 5], [0.0, 0.0])


class ProposesBeyondTheCatalog(Sound):
    def candidates(self, listener):
        return Candidates([3, TRACKS])


class Overstated(Candidates):
    def chances(self):
        return np.array([0.9, 0.3])


class SumsToMore(Sound):
    def candidates(self, listener):
        return Overstated([3, 5])


class Repeats(Sound):
    def candidates(self, listener):
        return Candidates(range(TRACKS))


class Sorts(Sound):
    def candidates(self, listener):
        listener.listens.sort()
        return Candidates([3, 5])


class Appends(Sound):
    def candidates(self, listener):
        listener.packed.append(0)
        return Candidates([3, 5])


class ShufflesWhatAllShare(Sound):
    def candidates(self, listener):
        self.artifacts.top[:] = self.artifacts.top[::-1].copy()
        return Candidates([3, 5])


class AbstainsAfterAll(Sound):
    def candidates(self, listener):
        return Candidates([3, 5]) if listener.last else None


class NamesAStranger(Sound):
    def candidates(self, listener):
        return Candidates([3, 5], source="popular")


class SaysNothing(Sound):
    def propose(self, listener):
        return Candidates([3, 5])


class AnswersDifferentlyWhenAsked(Sound):
    def candidates(self, listener):
        return Candidates([3] if listener._notes is None else [5])


class Abstains(Sound):
    always_answers = False

    def candidates(self, listener):
        return None


class Counts(Sound):
    def __init__(self, params, artifacts):
        super().__init__(params, artifacts)
        self.turn = itertools.count()

    def candidates(self, listener):
        return Candidates([next(self.turn) % TRACKS])


class Remembers(Sound):
    """Propose to one listener what the listener before liked."""

    def __init__(self, params, artifacts):
        super().__init__(params, artifacts)
        self.liked = 3

    def candidates(self, listener):
        loved = listener.last_listen(at_least=0.9)
        if loved is not None:
            self.liked = loved.track
        return Candidates([self.liked])


class ReusesItsArray(Sound):
    def __init__(self, params, artifacts):
        super().__init__(params, artifacts)
        self.array = np.array([0, 23])

    def candidates(self, listener):
        self.array[0] = len(listener.packed) % 20
        return Candidates(self.array)


class Undocumented(Sound):
    pass


class SaysLittle(Sound):
    """Propose two tracks.

    Reads: nothing.
    Abstains: sometimes.
    Chance: uniform.
    """


class NeverButDoesNotSaySo(Sound):
    """Propose two tracks.

    Reads: nothing.
    Abstains: never, so it may end a chain.
    Chance: uniform.
    Cost: none.
    """

    always_answers = False


class Unheard(Params):
    """Settings.

    Attributes:
        unheard: What is left out.
    """

    unheard: Literal["session", "history"] = "session"


class Unexplained(Params):
    """Settings."""

    depth: int = 3


class TakesAnything(BaseModel):
    """Settings."""

    model_config = ConfigDict(frozen=True)


class Changeable(Params):
    """Settings.

    Attributes:
        depth: How deep.
    """

    model_config = ConfigDict(frozen=False)

    depth: int = 3


def case_of(bad, params=Params):
    return Case(Registered("bad", params, bad, bad.__module__, ""), {})


BROKEN = [
    (rules.never_raises, Raises, Params, "raises IndexError"),
    (rules.draws_nothing, Draws, Params, "equal listeners different candidates"),
    (rules.draws_nothing, DrawsFromNumpy, Params, "equal listeners different candidates"),
    (rules.proposes_distinct_known_tracks, ProposesAPlainList, Params, "proposes a list"),
    (rules.proposes_distinct_known_tracks, ProposesNothing, Params, "no track; None abstains"),
    (rules.proposes_distinct_known_tracks, ProposesTwice, Params, "a track twice"),
    (rules.proposes_distinct_known_tracks, ProposesIds, Params, r"\[1030\], which are no indices"),
    (rules.proposes_distinct_known_tracks, ProposesThePreviousUnknown, Params, r"\[-1\]"),
    (
        rules.proposes_distinct_known_tracks,
        ProposesBeyondTheCatalog,
        Params,
        r"\[24\], which are no indices",
    ),
    (rules.weighs_by_positive_numbers, WeighsByNegatives, Params, r"gives the weight -1\.0"),
    (rules.weighs_by_positive_numbers, WeighsByOneNegative, Params, r"gives the weight -1\.0"),
    (rules.weighs_by_positive_numbers, WeighsByNoNumber, Params, "gives the weight nan"),
    (rules.weighs_by_positive_numbers, WeighsByZeros, Params, r"gives the weight 0\.0"),
    (rules.weighs_by_positive_numbers, WeighsTooFew, Params, "gives 2 weights for 3 tracks"),
    (rules.gives_chances_that_sum_to_one, WeighsByNothing, Params, "chance that is not positive"),
    (rules.gives_chances_that_sum_to_one, WeighsTooFew, Params, "gives 2 chances"),
    (rules.gives_chances_that_sum_to_one, SumsToMore, Params, r"sum to 1\.2"),
    (rules.leaves_out_what_unheard_forbids, Repeats, Unheard, "which the listener heard"),
    (rules.changes_nothing, Sorts, Params, r"changes listener\.listens"),
    (rules.changes_nothing, Appends, Params, r"changes listener\.packed"),
    (rules.changes_nothing, ShufflesWhatAllShare, Params, "changes the artifacts"),
    (
        rules.is_true_to_always_answers,
        AbstainsAfterAll,
        Params,
        "but declares always_answers",
    ),
    (
        rules.names_only_sources_that_it_declares,
        NamesAStranger,
        Params,
        "gives 'popular' as",
    ),
    (rules.says_why, SaysNothing, Params, "notes no reason"),
    (
        rules.says_why,
        AnswersDifferentlyWhenAsked,
        Params,
        "differently when the request asks",
    ),
    (rules.answers_sometimes, Abstains, Params, "abstains for every listener"),
    (rules.keeps_no_listener_state, Counts, Params, "lets earlier listeners change"),
    (rules.keeps_no_listener_state, Remembers, Params, "lets earlier listeners change"),
    (
        rules.keeps_no_listener_state,
        ReusesItsArray,
        Params,
        "lets earlier listeners change",
    ),
    (rules.is_documented, Undocumented, Params, "lacks a first line"),
    (rules.is_documented, SaysLittle, Params, "lacks 'Cost"),
    (rules.is_documented, NeverButDoesNotSaySo, Params, "always_answers = True too"),
    (rules.is_documented, Sound, Unexplained, "docstring of Unexplained lacks 'depth"),
    (rules.refuses_unknown_params, Sound, TakesAnything, "accepts a param 'no_such_param'"),
    (rules.keeps_its_params_frozen, Sound, Changeable, "can be changed after start"),
]


def ask(rule, case):
    if rule in rules.OF_THE_TYPE:
        rule(case)
    else:
        for listener in some_listeners().values():
            rule(case, listener)


@pytest.mark.parametrize(
    ("rule", "bad", "params", "match"),
    BROKEN,
    ids=[f"{rule.__name__}-{bad.__name__}-{params.__name__}" for rule, bad, params, _ in BROKEN],
)
def test_a_bad_strategy_breaks_the_rule(rule, bad, params, match):
    with pytest.raises(AssertionError, match=match):
        ask(rule, case_of(bad, params))


def test_every_rule_is_broken_by_a_strategy_of_this_file():
    assert {rule for rule, *_ in BROKEN} == set(rules.RULES)


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda r: r.__name__)
def test_a_sound_strategy_breaks_none(rule):
    ask(rule, case_of(Sound))


def test_the_cases_of_a_type_have_all_choices_and_both_ends_of_every_range():
    class Wide(ListParams):
        """Settings."""

        list: TrackLists
        share: float = Field(0.5, ge=0, le=1)
        loud: bool = False

    found = rules.cases(Registered("wide", Wide, Sound, "here", ""))
    assert found[0].given == example_params(Wide) == {"list": "contextual"}
    assert len(found) == 1 + 3 * 3 * 2 + 2
    assert {case.params.draw for case in found} == {"uniform", "first", "rank"}
    assert {case.params.share for case in found} == {0.5, 0, 1}
