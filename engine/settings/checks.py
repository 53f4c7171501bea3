"""Checks of a config beyond the form of its sections: names exist, arm weights add up."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from core.allocation import SERVING, SLOTS
from core.errors import Faults, unknown_name
from engine.settings.model import ConfigFile, ExperimentSettings, StateSettings, StrategySettings
from strategies.base import FILE_KINDS, named_in


def check_names(
    file: ConfigFile, checked: dict[str, StrategySettings], path: Path, faults: Faults
) -> None:
    """Check that every name of a strategy or a list is one that exists."""
    known = file.strategies
    if file.default not in known:
        faults.add(f"{path}: default", unknown_name("strategy", file.default, known))
    for name, settings in checked.items():
        where = f"{path}: strategies.{name}"
        if settings.fallback is not None and settings.fallback not in known:
            faults.add(f"{where}.fallback", unknown_name("strategy", settings.fallback, known))
        for key, used in named_in(settings.params, "strategy"):
            if used not in known:
                faults.add(f"{where}.{key}", unknown_name("strategy", used, known))
        for kind in FILE_KINDS:
            section = kind.split()[1]
            files: dict[str, Path] = getattr(file.catalog, section)
            for key, used in named_in(settings.params, kind):
                if used not in files:
                    faults.add(f"{where}.{key}", unknown_name(section, used, files))
    for number, experiment in enumerate(file.experiments):
        for arm, arm_settings in experiment.arms.items():
            named = arm_settings.strategy
            if named is not None and named not in known:
                faults.add(
                    f"{path}: experiments.{number}.arms.{arm}.strategy",
                    unknown_name("strategy", named, known),
                )


def check_experiments(file: ConfigFile, path: Path, faults: Faults) -> None:
    """Check that names are unique, arms add up, and experiments of a layer share no slot."""
    seen: set[str] = set()
    by_layer: dict[str, list[ExperimentSettings]] = {}
    for number, experiment in enumerate(file.experiments):
        where = f"{path}: experiments.{number}"
        if experiment.name in seen:
            faults.add(
                f"{where}.name",
                f"must be unique, got '{experiment.name}' twice. Rename one of them",
            )
        seen.add(experiment.name)
        _check_arms(experiment, where, faults)
        start, end = experiment.slots
        if not 0 <= start < end <= SLOTS:
            faults.add(f"{where}.slots", f"must be [from, to) in 0..{SLOTS}, got [{start}, {end}]")
        for other in by_layer.get(experiment.layer, []):
            if start < other.slots[1] and other.slots[0] < end:
                faults.add(
                    f"{where}.slots",
                    f"[{start}, {end}) overlaps '{other.name}' [{other.slots[0]}, "
                    f"{other.slots[1]}) in layer '{experiment.layer}', whose experiments share no "
                    "listener. Give each its own slots, for instance [0, 5000] and [5000, 10000]",
                )
        by_layer.setdefault(experiment.layer, []).append(experiment)
        for listener, arm in experiment.forced.items():
            if arm not in experiment.arms:
                faults.add(f"{where}.forced.{listener}", unknown_name("arm", arm, experiment.arms))


def _check_arms(experiment: ExperimentSettings, where: str, faults: Faults) -> None:
    weights = [arm.weight for arm in experiment.arms.values()]
    total = sum(weights)
    if not any(abs(total - stated) <= 1e-9 * stated for stated in (100.0, 1.0)):
        faults.add(f"{where}.arms", f"weights must add up to 100 or to 1, got a sum of {total:g}")
    if experiment.hash == "botify" and len(set(weights)) > 1:
        faults.add(
            f"{where}.arms",
            "must have equal weights, since hash: botify has no others. Make them equal",
        )
    if experiment.hash == "botify" and experiment.version != 1:
        faults.add(
            f"{where}.version",
            "hash: botify hashes the name alone, so a version changes nobody's arm. "
            "Give the experiment a new name",
        )
    for name, arm in experiment.arms.items():
        if experiment.layer != SERVING and arm.draw is not None:
            faults.add(
                f"{where}.arms.{name}.draw",
                f"may only stand in layer '{SERVING}', whose arms answer requests. Remove it",
            )
        if experiment.layer == SERVING and arm.strategy is None:
            faults.add(
                f"{where}.arms.{name}",
                f"must name a strategy, since layer '{SERVING}' answers requests",
            )
        elif experiment.layer != SERVING and arm.strategy is not None:
            faults.add(
                f"{where}.arms.{name}.strategy",
                f"may only stand in layer '{SERVING}': one answer comes from one strategy. "
                f"Arms of layer '{experiment.layer}' are labels",
            )


def check_state(state: StateSettings, path: Path, faults: Faults) -> None:
    """Check that a shared state is named once, and that no password stands in the file."""
    where = f"{path}: state"
    if state.url is not None and _has_password(state.url):
        faults.add(
            f"{where}.url",
            "must have no password, since config files are copied beside the log. Put the whole "
            "url into an environment variable, and name it: `url_env: SEGUE_REDIS_URL`",
        )
        return
    if state.backend == "memory":
        for key in ("url", "url_env", "sentinel"):
            if getattr(state, key) is not None:
                faults.add(f"{where}.{key}", "needs `backend: redis`. Add it, or remove this key")
        return
    if (state.url is None) == (state.url_env is None):
        faults.add(
            f"{where}.url",
            "must name the Redis once, got "
            + ("nothing" if state.url is None else "both url and url_env")
            + ". Write `url: redis://127.0.0.1:6379/0`, or `url_env: NAME` if it has a password",
        )
    if state.sentinel is not None and state.cluster:
        faults.add(
            f"{where}.sentinel", "must not stand beside `cluster: true`. A cluster has no Sentinels"
        )


def _has_password(url: str) -> bool:
    parts = urlsplit(url)
    return parts.password is not None or "password" in parse_qs(parts.query)


def in_order(checked: dict[str, StrategySettings], path: Path, faults: Faults) -> list[str]:
    """Sort the strategies so that each comes after those it uses; report circles."""
    order: list[str] = []
    state: dict[str, str] = {}

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name not in checked or state.get(name) == "done":
            return
        if name in trail:
            circle = " -> ".join([*trail[trail.index(name) :], name])
            faults.add(
                f"{path}: strategies.{name}",
                f"must not lead back to itself, got the circle {circle}. Remove one step",
            )
            return
        settings = checked[name]
        following = [*settings.uses, *([settings.fallback] if settings.fallback else [])]
        for follower in following:
            visit(follower, (*trail, name))
        state[name] = "done"
        order.append(name)

    for name in checked:
        visit(name, ())
    return order


def check_timeouts(
    file: ConfigFile, checked: dict[str, StrategySettings], path: Path, faults: Faults
) -> None:
    """Check that every `timeout_ms` can act: a later member answers in place of a late one."""
    arms = [arm.strategy for experiment in file.experiments for arm in experiment.arms.values()]
    members: set[str] = set()
    for first in dict.fromkeys([file.default, *filter(None, arms)]):
        name = first
        members.add(name)
        while (following := checked[name].fallback) is not None:
            members.add(name := following)
        if checked[name].timeout_ms is not None:
            faults.add(
                f"{path}: strategies.{name}.timeout_ms",
                f"must not stand at the strategy that ends the chain of '{first}': nothing could "
                "answer in its place. Remove it, or add a `fallback`",
            )
    used = {inner: name for name, each in checked.items() for inner in each.uses}
    for name, each in checked.items():
        if each.timeout_ms is not None and name in used and name not in members:
            faults.add(
                f"{path}: strategies.{name}.timeout_ms",
                f"must stand at a strategy that a chain asks; '{name}' is only used by "
                f"'{used[name]}'. Write it there: a strategy's time includes what it uses",
            )
