"""Config entries over the small world (see segue.testing) for every registered strategy type."""

from typing import Any

from segue.testing.small_world import example_params, small_artifacts
from strategies import registry


def every_type() -> dict[str, dict[str, Any]]:
    """Make a config entry over the small world for every registered type, by the type's name.

    `example_params` finds the params, and a type that may abstain gets a `fallback`. An entry may
    name the strategies of `CONFIGURED`.
    """
    artifacts = small_artifacts()
    entries = {}
    for name, found in registry.known().items():
        params = example_params(found.params)
        made = found.make(found.params.model_validate(params), artifacts)
        answers = getattr(made, "always_answers", False)
        entries[name] = {"type": name, **params, **({} if answers else {"fallback": "random"})}
    return entries
