"""Tests for strategies that live outside Segue: the contract, and a small world to try them in.

Needs pytest. A whole test file of a plugin is three lines:

    import segue_comeback
    from segue.testing import contract_test

    test_contract = contract_test("comeback")
"""

from segue.testing.contract import contract_test
from segue.testing.small_world import (
    TOP,
    TRACKS,
    build,
    chances,
    small_artifacts,
    some_listeners,
    why,
)

__all__ = [
    "TOP",
    "TRACKS",
    "build",
    "chances",
    "contract_test",
    "small_artifacts",
    "some_listeners",
    "why",
]
