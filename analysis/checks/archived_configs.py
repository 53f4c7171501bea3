"""The archived configs that decided a log: the arms, and which strategies may answer for them."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.allocation import SERVING, Allocation, Arm, Experiment
from events.config_snapshots import read_snapshot, with_defaults


@dataclass(frozen=True, slots=True)
class ArchivedConfig:
    """One config that decided.

    Attributes:
        digest: Fingerprint of the config.
        experiments: Name -> definition.
        allocation: Assigns listeners as the server did.
        targeted: Whether attributes of a request can change its arms.
        default: Strategy for listeners who are in no experiment.
        chains: Strategy -> the strategy and its fallbacks, in order.
        declared: Strategy -> every name that may answer for its chain.
        described: All of it, as plain JSON values, with keys at their default.
        defaults: Strategy type -> param -> default, from the newest snapshot that has it.
    """

    digest: str
    experiments: Mapping[str, Experiment]
    allocation: Allocation
    targeted: bool
    default: str
    chains: Mapping[str, list[str]]
    declared: Mapping[str, frozenset[str]]
    described: Mapping[str, Any]
    defaults: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, copy: Mapping[str, Any], defaults: Mapping[str, Mapping[str, Any]] | None = None
    ) -> "ArchivedConfig":
        """Read a config from its snapshot."""
        kept = with_defaults(copy)
        experiments = [Experiment.from_dict(each) for each in kept["experiments"]]
        holdout = kept["holdout"]
        return cls(
            digest=kept["digest"],
            experiments={experiment.name: experiment for experiment in experiments},
            allocation=Allocation(experiments, holdout["share"], holdout["salt"]),
            targeted=any(experiment.targeting for experiment in experiments),
            default=kept["default"],
            chains=kept["chains"],
            declared={name: frozenset(names) for name, names in kept["declared"].items()},
            described=kept,
            defaults=defaults or {},
        )

    def strategy_for(self, arms: Mapping[str, str]) -> str | None:
        """The strategy that must answer a listener in these arms; None for an arm unknown here."""
        for name, arm_name in arms.items():
            experiment = self.experiments.get(name)
            if experiment is not None and experiment.layer == SERVING:
                return next((arm.strategy for arm in experiment.arms if arm.name == arm_name), None)
        return self.default

    def treatment(self, name: str) -> dict[str, Any]:
        """Everything that determines what the experiment's listeners get, by name.

        Traffic, slots and targeting are left out: they select listeners, and treat nobody.
        """
        experiment = self.experiments[name]
        parts: dict[str, Any] = {
            "arms": {arm.name: [arm.weight, arm.strategy] for arm in experiment.arms},
            "salt": experiment.salt,
            "version": experiment.version,
            "layer": experiment.layer,
            "hash": experiment.hash,
        }
        chains = {arm.strategy for arm in experiment.arms if arm.strategy is not None}
        for source in sorted({each for chain in chains for each in self.declared[chain]}):
            parts[f"strategy {source}"] = self._not_at_default(source)
        if chains:
            parts |= {f"data {key}": value for key, value in self.described["catalog"].items()}
            for key in ("history", "session_gap_s"):
                parts[f"state.{key}"] = self.described[key]
        return parts

    def _not_at_default(self, strategy: str) -> dict[str, Any]:
        """Return a strategy's keys without those at their default.

        A param that a release added stands only in later snapshots. At its default, it is the same
        treatment as without it.
        """
        keys = self.described["strategies"][strategy]
        defaults = self.defaults.get(keys["type"], {})
        return {
            key: _without_nulls(value)
            for key, value in keys.items()
            if key not in defaults or defaults[key] != value
        }


class ArchivedConfigs:
    """The configs that decided, and the arms of botify's experiments.

    Args:
        kept: Digest -> snapshot that the server kept.
        botify: Experiment of botify -> its arms, in the order of their numbers.
    """

    def __init__(
        self,
        kept: Mapping[str, Mapping[str, Any]] | None = None,
        botify: Mapping[str, Iterable[str]] | None = None,
    ) -> None:
        copies = kept or {}
        defaults: dict[str, dict[str, Any]] = {}
        for copy in sorted(copies.values(), key=lambda copy: int(copy.get("format", 1))):
            stated = copy.get("beside", {}).get("defaults", {})
            for kind, params in stated.get("strategies", {}).items():
                defaults.setdefault(kind, {}).update(params)
        self.by_digest = {
            digest: ArchivedConfig.of(copy, defaults) for digest, copy in copies.items()
        }
        self.botify = {name: tuple(arms) for name, arms in (botify or {}).items()}
        reports = (copy.get("beside", {}).get("report", {}) for copy in copies.values())
        self.own_choice = any(report.get("own_choice", False) for report in reports)

    @classmethod
    def read(
        cls, paths: Mapping[str, Path], botify: Mapping[str, Iterable[str]] | None = None
    ) -> "ArchivedConfigs":
        """Read the files that `events.config_snapshots.snapshots_beside` found.

        Raises:
            InputError: A snapshot cannot be read, or has changed.
        """
        return cls({digest: read_snapshot(path) for digest, path in paths.items()}, botify)

    def experiment(self, name: str, digest: str | None) -> Experiment | None:
        """The definition of an experiment in a config; None if either is unknown."""
        archived = self.by_digest.get(digest or "")
        return archived.experiments.get(name) if archived else None

    def strategy_types(self, digest: str | None) -> dict[str, str]:
        """Strategy -> its type, in the config of a digest; empty if the config is unknown."""
        archived = self.by_digest.get(digest or "")
        strategies = archived.described["strategies"] if archived else {}
        return {name: str(keys["type"]) for name, keys in strategies.items()}

    def find_catalog(self) -> Path | None:
        """The catalog that a config named, if it is still there."""
        paths = (Path(each.described["paths"]["tracks"]) for each in self.by_digest.values())
        return next((path for path in paths if path.exists()), None)


def _without_nulls(value: Any) -> Any:
    """Drop inner keys that are null: snapshots of format 1 have them, later ones do not."""
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def botify_experiment(name: str, arms: Iterable[str]) -> Experiment:
    """An experiment of botify: equal shares by its own hash, in a layer of labels."""
    return Experiment(name, tuple(Arm(arm, 1.0) for arm in arms), layer="botify", hash="botify")


def arms_of(text: str | None) -> dict[str, str]:
    """Read the arms from the JSON text of an event's `experiments`."""
    arms = json.loads(text) if text else {}
    return {str(name): str(arm) for name, arm in arms.items()} if isinstance(arms, dict) else {}
