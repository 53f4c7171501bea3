"""The contract of strategies, as functions: Segue's own tests and those of plugins call them.

A rule that is broken raises AssertionError with a sentence. `FOR_A_LISTENER` are asked of one
listener, `OF_THE_TYPE` of a strategy as a whole; tests/contract/test_rules_can_fail.py breaks each
of them on purpose. `check` asks a rule of all the cases that it concerns.
"""

import inspect
import itertools
import random
import re
from array import array
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from pydantic import ValidationError

from core.candidate_faults import fault_of_tracks, fault_of_weights
from core.candidates import Candidates
from core.draw import draw
from core.listener import Listener
from core.rng import Stream
from segue.testing.small_world import TRACKS, example_params, small_artifacts, some_listeners
from strategies.base import Artifacts, Params, marks_of, named_in
from strategies.registry import Registered

NOISES = 8


@dataclass(frozen=True)
class Case:
    """A strategy type with params, over the small world.

    Attributes:
        found: The type.
        given: Its params, as config would have them.
    """

    found: Registered
    given: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.found.name} {self.given}"

    @cached_property
    def params(self) -> Params:
        return self.found.params.model_validate(self.given)

    @cached_property
    def artifacts(self) -> Artifacts:
        return small_artifacts()

    @cached_property
    def strategy(self) -> Any:
        return self.made()

    def made(self) -> Any:
        """Build the strategy once more."""
        return self.found.make(self.params, self.artifacts)

    def proposed(self, listener: Listener) -> Candidates | None:
        """Ask the strategy on behalf of a listener equal to this one."""
        proposed: Candidates | None = self.strategy.propose(again(listener))
        return proposed


def cases(found: Registered) -> list[Case]:
    """List params to try a type with; those that the type refuses are left out.

    First the fewest params that are valid, then every combination of its choices, then each number
    at both ends of its range.
    """
    least = example_params(found.params)
    given = [least, *_examples(found.params)]
    schema = found.params.model_json_schema().get("properties", {})
    choices = {key: allowed for key, said in schema.items() if (allowed := _choices(said))}
    for key, info in found.params.model_fields.items():
        if not info.is_required() and any(mark.kind == "strategy" for mark in marks_of(info)):
            choices[key] = [info.default, "popular"]
    for example in list(given):
        for combination in itertools.product(*choices.values()):
            given.append(example | dict(zip(choices, combination, strict=True)))
    for key, said in schema.items():
        given += [least | {key: end} for end in _ends(said)]
    distinct = list({repr(sorted(params.items())): params for params in given}.values())
    return [Case(found, params) for params in distinct if _accepted(found, params)]


def _examples(params: type[Params]) -> list[dict[str, Any]]:
    extra = params.model_config.get("json_schema_extra")
    examples: Any = extra.get("examples", []) if isinstance(extra, dict) else []
    return list(examples)


def _choices(said: dict[str, Any]) -> list[Any]:
    if said.get("type") == "boolean":
        return [False, True]
    return list(said.get("enum", []))


def _ends(said: dict[str, Any]) -> Iterator[float]:
    if said.get("type") in ("number", "integer"):
        for end in ("minimum", "maximum"):
            if end in said:
                yield said[end]


def _accepted(found: Registered, params: dict[str, Any]) -> bool:
    try:
        found.params.model_validate(params)
    except ValidationError:
        return False
    return True


def again(listener: Listener, notes: list[str] | None = None) -> Listener:
    """Copy a listener, without the views that it has computed."""
    packed = array("Q", listener.packed)
    return Listener(listener.id, packed, listener.session_start, listener.turn, notes)


def shown(candidates: Candidates | None) -> Any:
    """Turn candidates into plain values that can be compared."""
    if candidates is None:
        return None
    return candidates.listed(), candidates.chances().tolist(), candidates.source


# -- asked of one listener -------------------------------------------------------------------------


def never_raises(case: Case, listener: Listener) -> None:
    """A proposal raises no exception for any listener."""
    try:
        case.proposed(listener)
    except Exception as error:
        raise AssertionError(f"{case} raises {type(error).__name__}: {error}") from error


def draws_nothing(case: Case, listener: Listener) -> None:
    """Equal listeners get equal candidates, whatever random numbers were drawn before."""
    found = []
    for noise in range(NOISES):
        random.seed(noise)
        np.random.seed(noise)  # what a strategy must not use
        found.append(shown(case.proposed(listener)))
    assert found.count(found[0]) == NOISES, f"{case} gives equal listeners different candidates"


def proposes_distinct_known_tracks(case: Case, listener: Listener) -> None:
    """A proposal has at least one track, none twice, and each is in the catalog."""
    candidates = case.proposed(listener)
    if candidates is not None:
        fault = fault_of_tracks(candidates, TRACKS)
        assert fault is None, f"{case} {fault}"


def weighs_by_positive_numbers(case: Case, listener: Listener) -> None:
    """Every weight is finite and above 0: a draw by other weights has no propensity."""
    candidates = case.proposed(listener)
    if candidates is not None:
        fault = fault_of_weights(candidates)
        assert fault is None, f"{case} {fault}"


def gives_chances_that_sum_to_one(case: Case, listener: Listener) -> None:
    """Every track has a positive chance, and tracks are drawn by the chances that are stated."""
    candidates = case.proposed(listener)
    if candidates is None:
        return
    chances = candidates.chances()
    assert len(chances) == len(candidates), f"{case} gives {len(chances)} chances"
    assert (chances > 0).all(), f"{case} gives a chance that is not positive"
    assert abs(chances.sum() - 1) < 1e-9, f"{case} gives chances that sum to {chances.sum()}"
    drawn, chance = draw(candidates, Stream("contract"), 3)
    tracks = candidates.listed()
    assert len(drawn) == min(3, len(tracks)), f"{case}: the draw gave {len(drawn)} tracks"
    stated = dict(zip(tracks, chances.tolist(), strict=True)).get(drawn[0], 0.0)
    assert abs(chance - stated) < 1e-9, (
        f"{case} states a chance of {stated} for a track that the draw gives a chance of {chance}"
    )


def leaves_out_what_unheard_forbids(case: Case, listener: Listener) -> None:
    """A param `unheard` keeps its promise: no track comes that the listener heard."""
    candidates, unheard = case.proposed(listener), getattr(case.params, "unheard", "none")
    if candidates is None or unheard == "none":
        return
    forbidden = listener.heard if unheard == "history" else listener.heard_in_session
    repeated = forbidden.intersection(candidates.listed())
    assert not repeated, f"{case} proposes {sorted(repeated)[:3]}, which the listener heard"


def changes_nothing(case: Case, listener: Listener) -> None:
    """A proposal changes neither the listener, whom the next strategy of the chain reads, nor the
    artifacts, which all strategies share.
    """
    asked, before = again(listener), _content(case.artifacts)
    case.strategy.propose(asked)
    for view in ("id", "turn", "session_start", "packed", "listens", "session", "last", "heard"):
        assert getattr(asked, view) == getattr(listener, view), f"{case} changes listener.{view}"
    assert asked.heard_in_session == listener.heard_in_session, f"{case} changes heard_in_session"
    assert _content(case.artifacts) == before, f"{case} changes the artifacts"


def _content(artifacts: Artifacts) -> Any:
    catalog = artifacts.catalog
    return (
        [artifacts.top.tobytes(), catalog.artist_of.tobytes(), list(catalog.ids)],
        {name: lists.tracks.tobytes() for name, lists in artifacts.lists.items()},
        sorted(artifacts.strategies),
    )


def is_true_to_always_answers(case: Case, listener: Listener) -> None:
    """A strategy with `always_answers = True` never abstains."""
    if getattr(case.strategy, "always_answers", False):
        assert case.proposed(listener) is not None, f"{case} abstains, but declares always_answers"


def names_only_sources_that_it_declares(case: Case, listener: Listener) -> None:
    """Candidates of another strategy come from one that the params name."""
    candidates = case.proposed(listener)
    declared = {name for _, name in named_in(case.params, "strategy")}
    source = None if candidates is None else candidates.source
    assert source is None or source in declared, (
        f"{case} gives '{source}' as the strategy that answered, but its params do not name it"
    )


def says_why(case: Case, listener: Listener) -> None:
    """Every answer and every abstention notes a reason, and noting it changes no answer."""
    notes: list[str] = []
    explained = case.strategy.propose(again(listener, notes))
    assert shown(explained) == shown(case.proposed(listener)), (
        f"{case} answers differently when the request asks why"
    )
    assert notes, f"{case} notes no reason (listener.note)"


FOR_A_LISTENER = (
    never_raises,
    draws_nothing,
    proposes_distinct_known_tracks,
    weighs_by_positive_numbers,
    gives_chances_that_sum_to_one,
    leaves_out_what_unheard_forbids,
    changes_nothing,
    is_true_to_always_answers,
    names_only_sources_that_it_declares,
    says_why,
)


# -- asked of a strategy as a whole ----------------------------------------------------------------


def answers_sometimes(case: Case) -> None:
    """Some listener gets an answer: an arm that always abstains would measure its fallback."""
    answers = [case.proposed(listener) for listener in some_listeners().values()]
    assert any(answer is not None for answer in answers), f"{case} abstains for every listener"


def keeps_no_listener_state(case: Case) -> None:
    """Listeners that were asked about in between change no answer, not even an earlier one."""
    listeners = list(some_listeners().values())
    expected = [shown(case.made().propose(again(listener))) for listener in listeners]
    strategy = case.made()
    numbers = range(len(listeners))
    asked = [*numbers, *reversed(numbers), *(number for number in numbers for _ in range(3))]
    answers = [(number, strategy.propose(again(listeners[number]))) for number in asked]
    kept = all(shown(answer) == expected[number] for number, answer in answers)
    assert kept, f"{case} lets earlier listeners change an answer"


def is_documented(case: Case) -> None:
    """The docstring says what the strategy reads, when it abstains, its chances and its cost; that
    of the params explains every param.
    """
    found = case.found
    about = inspect.cleandoc(found.make.__doc__ or "")  # its own, not one inherited
    assert re.match(r"\S.*\.(\n|$)", about), f"{found.name} lacks a first line that is a sentence"
    for section in ("Reads", "Abstains", "Chance", "Cost"):
        assert re.search(rf"^{section}: \S", about, re.MULTILINE), (
            f"{found.name}: its docstring lacks '{section}: ...'"
        )
    if re.search(r"^Abstains: never\b", about, re.MULTILINE):
        assert getattr(case.strategy, "always_answers", False), (
            f"{found.name} never abstains, says its docstring; declare always_answers = True too"
        )
    params = inspect.cleandoc(found.params.__doc__ or "")
    for key in vars(found.params).get("__annotations__", {}):
        assert key == "model_config" or re.search(rf"^ +{key}: \S", params, re.MULTILINE), (
            f"{found.name}: the docstring of {found.params.__name__} lacks '{key}: ...'"
        )


def refuses_unknown_params(case: Case) -> None:
    """A param that the type does not have is an error, so a misspelt one is found at start."""
    try:
        case.found.params.model_validate({**case.given, "no_such_param": 1})
    except ValidationError as refused:
        if refused.errors()[0]["type"] == "extra_forbidden":
            return
    raise AssertionError(f"{case} accepts a param 'no_such_param', which it does not have")


def keeps_its_params_frozen(case: Case) -> None:
    """Params cannot be changed after the start."""
    for key in type(case.params).model_fields:
        before = repr(getattr(case.params, key))
        try:
            setattr(case.params, key, None)
        except ValidationError:
            continue
        raise AssertionError(f"{case}: param '{key}' can be changed after start, was {before}")


OF_THE_TYPE = (
    answers_sometimes,
    keeps_no_listener_state,
    is_documented,
    refuses_unknown_params,
    keeps_its_params_frozen,
)


Rule = Callable[..., None]
RULES: tuple[Rule, ...] = (*FOR_A_LISTENER, *OF_THE_TYPE)


def check(rule: Rule, every: Sequence[Case]) -> None:
    """Ask one rule of all the cases of a type that it concerns."""
    if rule in FOR_A_LISTENER:
        for case in every:
            for listener in some_listeners().values():
                rule(case, listener)
    else:
        # What is true of the type is true of its first case; state may hide behind any param.
        for case in every if rule is keeps_no_listener_state else every[:1]:
            rule(case)
