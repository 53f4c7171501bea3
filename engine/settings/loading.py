"""Loading config.yaml: read it, validate it as a whole, collect every fault with its path."""

import math
from pathlib import Path
from typing import Any

from pydantic import ValidationError

import strategies  # noqa: F401  (importing it registers the built-in types)
from core.errors import Faults, InputError, SegueError
from engine.settings.checks import (
    check_experiments,
    check_names,
    check_state,
    check_timeouts,
    in_order,
)
from engine.settings.learnt_artifacts import (
    OWN,
    ServingState,
    read_state,
    read_version,
    with_version,
)
from engine.settings.model import ConfigFile, Settings, StrategySettings
from engine.settings.pilot import with_pilot
from engine.settings.validation_faults import add_validation_faults
from engine.settings.yaml_file import parse_yaml
from strategies import registry
from strategies.base import named_in


def load_settings(path: Path, state: ServingState | None = None) -> Settings:
    """Read and check a config file, with the learnt artifacts that serve.

    Args:
        path: The file.
        state: Which learnt version serves; None for what `serving.json` says.

    Raises:
        InputError: The config is faulty; the error names every fault.
    """
    content, faults = parse_yaml(path)
    folder = _learnt_folder(content)
    if folder is None:  # the form of the config is faulty; the check says how
        return build_settings(content, path, faults)
    beside = path.parent / folder
    try:
        state = read_state(beside) if state is None else state
        if state.serving != OWN:
            content = with_version(content, folder, read_version(beside, state.serving))
    except InputError as error:
        faults.extend(error)
    settings = build_settings(content, path, faults)
    if state is None or state.pilot is None:
        return settings
    files = read_version(beside, state.pilot.version)
    return build_settings(with_pilot(content, settings, folder, files, state.pilot), path)


def _learnt_folder(content: dict[str, Any]) -> Path | None:
    """Return `catalog.learnt`; None where the form of the catalog is faulty."""
    catalog = content.get("catalog")
    if not isinstance(catalog, dict):
        return None
    folder = catalog.get("learnt", "artifacts")
    sections = (catalog.get("lists"), catalog.get("vectors"), catalog.get("tables"))
    is_sound = isinstance(folder, str) and all(
        each is None or isinstance(each, dict) for each in sections
    )
    return Path(folder) if is_sound else None


def build_settings(
    content: dict[str, Any], path: Path, found_before: Faults | None = None
) -> Settings:
    """Check a config's content.

    Args:
        content: The parsed file.
        path: Stands in errors; relative paths start at its folder.
        found_before: Faults of the file itself, to be raised with those of the content.

    Raises:
        InputError: The content is faulty; the error names every fault.
    """
    faults = Faults() if found_before is None else found_before
    try:
        file = ConfigFile.model_validate(content)
    except ValidationError as error:
        add_validation_faults(faults, error, str(path), "", ConfigFile)
        # The strategies are checked all the same, so that one run shows as many faults as it can.
        if isinstance(content.get("strategies"), dict):
            modules = content.get("modules")
            named = (
                [each for each in modules if isinstance(each, str)]
                if isinstance(modules, list)
                else []
            )
            _strategies(content["strategies"], named, path, faults)
        faults.raise_if_any()
        raise  # not reached: a ValidationError has errors
    checked = _strategies(file.strategies, file.modules, path, faults)
    check_names(file, checked, path, faults)
    experiments = tuple(experiment.experiment() for experiment in file.experiments)
    check_experiments(file, path, faults)
    check_state(file.state, path, faults)
    order = in_order(checked, path, faults)
    faults.raise_if_any()
    check_timeouts(file, checked, path, faults)
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
        server=file.server,
        admin=file.admin,
        watch=file.watch,
        report=file.report,
        default_draw=file.default_draw,
        questions={e.name: e.question for e in file.experiments if e.question},
    )


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
        timeout_ms = _timeout_of(params, where, faults)
        own = {key: value for key, value in params.items() if key not in registry.RESERVED}
        try:
            model = found.params.model_validate(own)
        except ValidationError as error:
            add_validation_faults(faults, error, str(path), f"strategies.{name}", found.params)
            continue
        except (Exception, SystemExit) as error:  # of a plugin's own validator
            faults.add(
                where,
                f"its params must be checked, but the check of '{found.name}' raised "
                f"{type(error).__name__}: {error}. Correct the strategy, or its params",
            )
            continue
        uses = tuple(used for _, used in named_in(model, "strategy"))
        checked[name] = StrategySettings(found, model, fallback, uses, timeout_ms)
    return checked


def _timeout_of(params: dict[str, Any], where: str, faults: Faults) -> float | None:
    given = params.get("timeout_ms")
    if given is None:
        return None
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    if not is_number or not 0 < given < math.inf:
        faults.add(f"{where}.timeout_ms", f"must be a number of ms above 0, got {given!r:.80}")
        return None
    return float(given)
