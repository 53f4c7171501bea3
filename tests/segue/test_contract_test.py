"""contract_test: a plugin's way to ask every rule of the contract."""

import pytest

from segue import Candidates, Params, SegueError, strategy
from segue.testing import contract_test
from segue.testing.rules import RULES, answers_sometimes, draws_nothing, is_documented
from strategies import registry


@pytest.fixture(autouse=True)
def _registry_of_its_own(monkeypatch):
    monkeypatch.setattr(registry, "TYPES", registry.TYPES.copy())


def test_it_has_one_case_for_each_rule():
    (mark,) = contract_test("merge").pytestmark
    assert mark.name == "parametrize"
    assert mark.args == ("rule", RULES)


def test_it_fails_at_the_rules_that_a_strategy_breaks():
    @strategy("shy", Params)
    class Shy:
        def __init__(self, params, artifacts):
            pass

        def propose(self, listener):
            listener.note("never")
            return Candidates.of([])

    contract = contract_test("shy")
    contract(draws_nothing)
    with pytest.raises(AssertionError, match=r"shy \{\} abstains for every listener"):
        contract(answers_sometimes)
    with pytest.raises(AssertionError, match="shy lacks a first line"):
        contract(is_documented)


def test_an_unknown_type_is_an_error_with_the_nearest_name():
    with pytest.raises(SegueError, match=r"unknown strategy type 'merg'. Did you mean 'merge'\?"):
        contract_test("merg")
