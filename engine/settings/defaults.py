"""Defaults of config.yaml: the keys that have one, and the meaning of absent keys in old snapshots.

A config's digest covers the keys that are not at their default. So a key or a param that a release
adds changes no digest, and old logs can still be replayed.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from core.allocation import ARM_DEFAULTS, EXPERIMENT_DEFAULTS
from engine.settings.model import HoldoutSettings, Settings, StateSettings, StrategySettings
from events.config_snapshots import fill_in

DECIDING = ("history", "session_gap_s", "reset_state_on_new_experiment")
"""Keys of `state` on which a decision depends."""

FORMER_DEFAULTS: dict[int, dict[str, Any]] = {}
"""Format of a snapshot -> section -> key -> the default that was valid up to this format.

To change the default of a key, or of a param of a built-in strategy: raise `FORMAT` in
events/config_snapshots.py by one, and enter the old default here under the old format, for instance
`{2: {"strategies": {"top_pop": {"top": 100}}, "state": {"history": 100}}}`. The digest covers
`FORMAT`, so the old and the new meaning of the absent key have two digests. A snapshot itself has
the defaults of its absent keys; the table serves snapshots that are older than the key. A type
of a plugin has no format: if its author changes a default, the type needs a new name, and
`save_snapshot` refuses to put both meanings under one digest.
"""


def non_defaults(model: BaseModel, only: Iterable[str] | None = None) -> dict[str, Any]:
    """Return the keys that are not at their default, as plain JSON values."""
    include = None if only is None else set(only)
    return model.model_dump(mode="json", exclude_defaults=True, include=include)


def describe_strategy(strategy: StrategySettings) -> dict[str, Any]:
    """Return type, fallback, timeout and params of a strategy, without those at their default."""
    beside = {"fallback": strategy.fallback, "timeout_ms": strategy.timeout_ms}
    given = {key: value for key, value in beside.items() if value is not None}
    return {"type": strategy.type.name, **given, **non_defaults(strategy.params)}


def defaults_of(settings: Settings) -> dict[str, Any]:
    """Return the defaults of all keys that this config may leave out; see `fill_in`."""
    types = {each.type.name: each.type.params for each in settings.strategies.values()}
    return {
        "strategies": {
            name: {"fallback": None, **_defaults(params)} for name, params in sorted(types.items())
        },
        "experiments": dict(EXPERIMENT_DEFAULTS),
        "arms": dict(ARM_DEFAULTS),
        "holdout": _defaults(HoldoutSettings),
        "state": _defaults(StateSettings, DECIDING),
    }


def with_former_defaults(snapshot: Mapping[str, Any]) -> dict[str, Any]:
    """Add the keys that are newer than the snapshot and whose default has changed since.

    They get their first default: it left decisions as they were without the key.
    """
    written = dict(snapshot)
    for number in sorted(FORMER_DEFAULTS):  # the first one that fits wins: see `fill_in`
        if number >= snapshot.get("format", 1):
            written = fill_in(written, FORMER_DEFAULTS[number])
    return written


def _defaults(model: type[BaseModel], only: Iterable[str] | None = None) -> dict[str, Any]:
    """Return the default of every key that has one, as plain JSON values."""
    return {
        key: to_jsonable_python(info.get_default(call_default_factory=True))
        for key, info in model.model_fields.items()
        if not info.is_required() and (only is None or key in only)
    }
