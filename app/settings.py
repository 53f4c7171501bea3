"""config.yaml: its form, its defaults, and everything that can be wrong with it.

All faults are gathered and raised together, each with its path in the file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

import strategies  # noqa: F401  (importing it registers the built-in types)
from core.allocation import SERVING, SLOTS, Arm, Experiment
from core.errors import Faults, InputError, SegueError, unknown_name
from strategies import registry
from strategies.base import Params, named_in
from strategies.registry import Registered

Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[\w.+-]+$")]


class _Section(BaseModel):
    # Defaults are validated too, so that 1800 becomes 1800.0 whether it was written out or not: the
    # config's fingerprint must not tell the two apart.
    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True
    )


class CatalogSettings(_Section):
    """Where the data is; paths are relative to the config file.

    Attributes:
        tracks: Catalog, JSON lines.
        top: Popularity list, a JSON array of track ids.
        lists: Name -> list file, .npz or JSON lines.
    """

    tracks: Path
    top: Path | None = None
    lists: dict[Name, Path] = {}


class ArmSettings(_Section):
    """One arm.

    Attributes:
        strategy: What answers; left out in a layer of labels.
        weight: Share of the experiment's listeners; the weights add up to 100 or to 1.
    """

    strategy: str | None = None
    weight: float = Field(ge=0)


class ExperimentSettings(_Section):
    """One experiment; see `core.allocation.Experiment`.

    Attributes:
        planned: What `segue design` wrote: kept for the report, of no effect on serving.
    """

    name: Name
    arms: dict[Name, ArmSettings] = Field(min_length=1)
    salt: str | None = None
    version: int = Field(1, ge=1)
    layer: Name = SERVING
    slots: tuple[int, int] = (0, SLOTS)
    traffic: float = Field(1.0, ge=0, le=1)
    hash: Literal["segue", "botify"] = "segue"
    targeting: dict[str, str | int | bool | list[str | int | bool]] = {}
    forced: dict[str | int, str] = {}
    planned: dict[str, Any] = {}

    def experiment(self) -> Experiment:
        """The definition that allocation works with."""
        return Experiment(
            name=self.name,
            arms=tuple(Arm(name, arm.weight, arm.strategy) for name, arm in self.arms.items()),
            salt=self.name if self.salt is None else self.salt,
            version=self.version,
            layer=self.layer,
            slots=self.slots,
            traffic=self.traffic,
            hash=self.hash,
            targeting={
                key: tuple(allowed) if isinstance(allowed, list) else (allowed,)
                for key, allowed in self.targeting.items()
            },
            forced={str(listener): arm for listener, arm in self.forced.items()},
        )


class HoldoutSettings(_Section):
    """Listeners that no experiment gets.

    Attributes:
        share: Share of all listeners, in [0, 1].
        salt: Changes who they are.
    """

    share: float = Field(0.0, ge=0, le=1)
    salt: str = ""


class StateSettings(_Section):
    """What is kept of listeners.

    Attributes:
        backend: Where; `memory` is for one process.
        max_listeners: The least recently seen ones beyond this many are forgotten.
        ttl_s: A listener not seen for this long is forgotten, in seconds.
        history: Listens kept per listener, a count.
        session_gap_s: Silence after which a new session begins, in seconds.
        reset_state_on_new_experiment: Whether a listener who enters an experiment is forgotten
            first, so that no experiment grows on what another left behind.
        idempotency_keys: Answers kept for retried requests, a count.
        idempotency_ttl_s: For how long, in seconds.
    """

    backend: Literal["memory"] = "memory"
    max_listeners: int = Field(100_000, ge=1)
    ttl_s: float = Field(86_400, gt=0)
    history: int = Field(100, ge=1, le=10_000)
    session_gap_s: float = Field(1_800, gt=0)
    reset_state_on_new_experiment: bool = False
    idempotency_keys: int = Field(50_000, ge=1)
    idempotency_ttl_s: float = Field(600, gt=0)


class EventsSettings(_Section):
    """The event log.

    Attributes:
        dir: Folder, relative to the config file; every process writes files of its own there.
        rotate_mb: Size from which a new file begins, in MB.
        fsync_s: How often the file is forced to the disk, in seconds.
    """

    dir: Path = Path("log")
    rotate_mb: float = Field(100, gt=0)
    fsync_s: float = Field(1.0, gt=0)


class AdminSettings(_Section):
    """Who may reload, and choose arms for testing.

    Attributes:
        token_env: Environment variable that holds the token; where it is unset, nobody may.
    """

    token_env: str = Field("SEGUE_ADMIN_TOKEN", pattern=r"^\w+$")


class ReportSettings(_Section):
    """What `segue report` shows of the config's experiments; of no effect on serving.

    Attributes:
        primary: Metric that the verdict is about; mean session time by default.
        metrics: Further metrics, name -> SQL over the listener table, or a mapping with `value`,
            and if wanted `per`, `label`, `better` and `role`; see docs/statistics.md.
    """

    primary: str | None = None
    metrics: dict[Name, str | dict[str, str]] = {}


class _File(_Section):
    """The whole file, before what names what is checked."""

    catalog: CatalogSettings
    strategies: dict[Name, dict[str, Any]] = Field(min_length=1)
    default: str
    experiments: list[ExperimentSettings] = []
    holdout: HoldoutSettings = HoldoutSettings()
    modules: list[str] = []
    state: StateSettings = StateSettings()
    events: EventsSettings = EventsSettings()
    started: Path | None = None
    admin: AdminSettings = AdminSettings()
    watch: bool = False
    report: ReportSettings = ReportSettings()


@dataclass(frozen=True, slots=True)
class StrategySettings:
    """One named strategy.

    Attributes:
        type: Its registered type.
        params: Its validated params.
        fallback: Name of the strategy asked next when it abstains.
        uses: Names of the strategies that its params name.
    """

    type: Registered
    params: Params
    fallback: str | None
    uses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Settings:
    """A checked config.

    Attributes:
        path: The file it came from; relative paths in it start there.
        strategies: By name, each after those that it uses.
        experiments: Definitions, in the order of the file.
        planned: Experiment -> what was planned for it.
        watch: Whether the file is reloaded when it changes.
        modules: Imported for the strategy types that they register.
        started: Folder that remembers started experiments; None for the one beside the events.
        report: What `segue report` shows.
    """

    path: Path
    catalog: CatalogSettings
    strategies: dict[str, StrategySettings]
    default: str
    experiments: tuple[Experiment, ...]
    holdout: HoldoutSettings
    state: StateSettings
    events: EventsSettings
    planned: dict[str, dict[str, Any]]
    admin: AdminSettings
    watch: bool
    report: ReportSettings
    modules: tuple[str, ...] = ()
    started: Path | None = None

    @property
    def started_folder(self) -> Path:
        """Where started experiments are remembered."""
        return self.resolve(self.started or self.events.dir / "started")

    def resolve(self, path: Path) -> Path:
        """A path of the file, relative to the file's folder."""
        return self.path.parent / path


def load_settings(path: Path) -> Settings:
    """Read and check a config file.

    Raises:
        InputError: Everything that is wrong with it.
    """
    return settings_of(_parsed(path), path)


def settings_of(content: dict[str, Any], path: Path) -> Settings:
    """Check a config's content; `path` names it in errors, and relative paths start beside it.

    Raises:
        InputError: Everything that is wrong with it.
    """
    faults = Faults()
    try:
        file = _File.model_validate(content)
    except ValidationError as error:
        _add_all(faults, error, str(path), "", _File)
        # What can be checked still is, so that one run shows as much as possible.
        if isinstance(content.get("strategies"), dict):
            _strategies(content["strategies"], content.get("modules") or [], path, faults)
        faults.raise_if_any()
        raise  # not reached: a ValidationError has errors
    checked = _strategies(file.strategies, file.modules, path, faults)
    _check_names(file, checked, path, faults)
    experiments = tuple(experiment.experiment() for experiment in file.experiments)
    _check_experiments(file, path, faults)
    order = _in_order(checked, path, faults)
    faults.raise_if_any()
    return Settings(
        path=path,
        catalog=file.catalog,
        strategies={name: checked[name] for name in order},
        default=file.default,
        experiments=experiments,
        holdout=file.holdout,
        state=file.state,
        events=file.events,
        planned={e.name: e.planned for e in file.experiments if e.planned},
        modules=tuple(file.modules),
        started=file.started,
        admin=file.admin,
        watch=file.watch,
        report=file.report,
    )


class _UniqueKeys(yaml.SafeLoader):
    """YAML that refuses a key standing twice: the second would silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key '{key}' stands twice; each may stand once", node.start_mark
                )
        return super().construct_mapping(node, deep)


def _parsed(path: Path) -> dict[str, Any]:
    try:
        content = yaml.load(path.read_bytes(), Loader=_UniqueKeys)  # noqa: S506 (a SafeLoader)
    except OSError as error:
        raise InputError.one(
            str(path), f"cannot be read: {error.strerror}. Name a config with --config FILE"
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise InputError.one(f"{path}{line}", f"must be YAML: {problem}") from error
    if not isinstance(content, dict):
        kind = "nothing" if content is None else type(content).__name__
        raise InputError.one(str(path), f"must be a mapping of sections, has {kind}")
    return content


def _add_all(
    faults: Faults, error: ValidationError, file: str, prefix: str, model: type[BaseModel]
) -> None:
    """Turn pydantic's errors into faults, naming the nearest known key where one is unknown."""
    for problem in error.errors():
        location = [str(part) for part in problem["loc"]]
        where = f"{file}: {'.'.join(filter(None, [prefix, *location]))}"
        if problem["type"] == "extra_forbidden":
            known = _keys_at(model, problem["loc"][:-1])
            if issubclass(model, Params) and len(location) == 1:
                known += ["type", "fallback"]
            faults.add(where, unknown_name("key", location[-1], known))
        elif problem["type"] == "missing":
            faults.add(where, "is missing and has no default")
        elif problem["type"] == "value_error":
            faults.add(where, problem["msg"].removeprefix("Value error, "))
        else:
            faults.add(where, f"{_lower(problem['msg'])}, got {problem['input']!r:.80}")


def _keys_at(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys that are known at a place inside a model."""
    here: Any = model
    for part in location:
        if isinstance(here, type) and issubclass(here, BaseModel):
            field = here.model_fields.get(str(part))
            here = field.annotation if field else None
        else:
            here = next((a for a in _models_in(here)), None)
    found = next(_models_in(here), None)
    return list(found.model_fields) if found else []


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in getattr(annotation, "__args__", ()):
        yield from _models_in(inner)


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]


def _strategies(
    given: dict[str, Any], modules: list[str], path: Path, faults: Faults
) -> dict[str, StrategySettings]:
    """Validate each strategy's params with the model of its type."""
    try:
        registry.load(tuple(modules), path.parent)
    except SegueError as error:
        faults.add(f"{path}: modules", str(error))
    checked: dict[str, StrategySettings] = {}
    for name, params in given.items():
        where = f"{path}: strategies.{name}"
        if not isinstance(params, dict) or "type" not in params:
            faults.add(where, "must be a mapping with a `type`, for instance {type: random}")
            continue
        try:
            found = registry.find(str(params["type"]))
        except SegueError as error:
            faults.add(f"{where}.type", str(error))
            continue
        fallback = params.get("fallback")
        if fallback is not None and not isinstance(fallback, str):
            faults.add(f"{where}.fallback", f"must be the name of a strategy, got {fallback!r:.80}")
            fallback = None
        own = {key: value for key, value in params.items() if key not in ("type", "fallback")}
        try:
            model = found.params.model_validate(own)
        except ValidationError as error:
            _add_all(faults, error, str(path), f"strategies.{name}", found.params)
            continue
        uses = tuple(used for _, used in named_in(model, "strategy"))
        checked[name] = StrategySettings(found, model, fallback, uses)
    return checked


def _check_names(
    file: _File, checked: dict[str, StrategySettings], path: Path, faults: Faults
) -> None:
    """Everything that names a strategy or a list must name one that is there."""
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
        for kind in ("track lists", "user lists"):
            for key, lists in named_in(settings.params, kind):
                if lists not in file.catalog.lists:
                    faults.add(f"{where}.{key}", unknown_name("lists", lists, file.catalog.lists))
    for number, experiment in enumerate(file.experiments):
        for arm, arm_settings in experiment.arms.items():
            named = arm_settings.strategy
            if named is not None and named not in known:
                faults.add(
                    f"{path}: experiments.{number}.arms.{arm}.strategy",
                    unknown_name("strategy", named, known),
                )


def _check_experiments(file: _File, path: Path, faults: Faults) -> None:
    seen: set[str] = set()
    by_layer: dict[str, list[ExperimentSettings]] = {}
    for number, experiment in enumerate(file.experiments):
        where = f"{path}: experiments.{number}"
        if experiment.name in seen:
            faults.add(f"{where}.name", f"'{experiment.name}' stands twice; names are unique")
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
        faults.add(f"{where}.arms", f"weights must add up to 100 or to 1, add up to {total:g}")
    if experiment.hash == "botify" and len(set(weights)) > 1:
        faults.add(f"{where}.arms", "hash: botify knows only equal weights; make them equal")
    if experiment.hash == "botify" and experiment.version != 1:
        faults.add(
            f"{where}.version",
            "hash: botify hashes the name alone, so a version changes nobody's arm. "
            "Give the experiment another name",
        )
    for name, arm in experiment.arms.items():
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


def _in_order(checked: dict[str, StrategySettings], path: Path, faults: Faults) -> list[str]:
    """Names of the strategies, each after those it uses; fallbacks and uses may not circle."""
    order: list[str] = []
    state: dict[str, str] = {}

    def visit(name: str, trail: tuple[str, ...]) -> None:
        if name not in checked or state.get(name) == "done":
            return
        if name in trail:
            circle = " -> ".join([*trail[trail.index(name) :], name])
            faults.add(f"{path}: strategies.{name}", f"goes round in a circle: {circle}")
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
