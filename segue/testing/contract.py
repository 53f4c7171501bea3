"""The contract as a test of pytest: one case for each rule."""

from collections.abc import Callable

import pytest

from segue.testing.rules import RULES, Rule, cases, check
from strategies import registry


def contract_test(type_name: str) -> Callable[..., None]:
    """Make a test that asks every rule of the contract of one strategy type.

    Assign it to a name that pytest collects: `test_contract = contract_test("comeback")`.

    Args:
        type_name: What config calls the type. The module that registers it must have been
            imported, or must be the entry point of an installed package.

    Raises:
        SegueError: No type has this name; the message has the nearest one.
    """
    if type_name not in registry.known():
        registry.load()
    every = cases(registry.find(type_name))

    @pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
    def contract(rule: Rule) -> None:
        check(rule, every)

    return contract
