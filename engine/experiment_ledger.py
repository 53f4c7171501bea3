"""Experiment ledger: a folder that records each started experiment, so that it cannot change.

It has one file per name and version. The server writes the file when an experiment first has
traffic, and again when it has more. The plan in the file stays that of the first time, so the
report has the plan from before the first listener came. The ledger refuses a config that would
take listeners of a started experiment out of their arms.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import orjson
from pydantic_core import to_json

from core.allocation import SLOTS, Experiment
from core.errors import Faults, InputError
from core.experiment_changes import BreakingChange, breaking_changes, widest_definition
from core.file_lock import try_lock
from engine.runtime import Runtime
from events.durable_files import make_folder, write_file

PATIENCE_S = 5.0
"""A server holds the lock for some milliseconds, until its records are on disk."""

LOOK_AGAIN_S = 0.02


@dataclass(frozen=True, slots=True)
class StartedExperiment:
    """The ledger's record of one experiment in one version.

    Attributes:
        at_ms: When it started, Unix time in ms.
        planned: The plan that was sealed then; {} if it had none, None if a version of Segue that
            sealed no plans wrote the record.
    """

    at_ms: int
    planned: dict[str, Any] | None


class ExperimentLedger:
    """The folder with the records of started experiments; several processes may share it.

    Args:
        folder: Made when the first experiment is recorded.
        patience_s: Longest wait for other processes that record experiments, in seconds.
    """

    def __init__(self, folder: Path, patience_s: float = PATIENCE_S) -> None:
        self.folder = folder
        self._patience_s = patience_s

    def check(self, runtime: Runtime) -> None:
        """Refuse a config that takes listeners of a started experiment out of their arms.

        Raises:
            InputError: The config makes such a change (all are named), or a record is unreadable.
        """
        faults = Faults()
        for number, experiment in enumerate(runtime.settings.experiments):
            if experiment.traffic == 0:
                continue  # stopped or not started: no listener is in it
            try:
                record = self._read(experiment)
            except InputError as error:
                faults.extend(error)
                continue
            if record is not None:
                where = f"{runtime.settings.path}: experiments.{number}"
                for found in _find_breaking_changes(record, experiment, runtime):
                    faults.add(f"{where}.{found.key}", _refusal(found, record, experiment))
        faults.raise_if_any()

    def check_for_start(self, runtime: Runtime) -> None:
        """Check a config as `check` does, and that it could be recorded now; write nothing.

        Raises:
            InputError: As `check`, or another process holds the lock.
        """
        if runtime.settings.experiments and self._lock.exists():
            with self._locked():
                pass
        self.check(runtime)

    def record(self, runtime: Runtime, at_ms: int) -> None:
        """Check a config, and record every experiment with traffic as started.

        Args:
            runtime: The config that the server is about to serve.
            at_ms: Unix time in ms.

        Raises:
            InputError: As `check`, and no record is written; or the folder is not writable.
        """
        if not runtime.settings.experiments:
            return
        try:
            with self._locked():
                self.check(runtime)
                for experiment in runtime.settings.experiments:
                    if experiment.traffic > 0:
                        self._write(experiment, runtime, at_ms)
        except OSError as error:
            raise InputError.one(
                str(self.folder),
                f"must be a writable folder, got: {error.strerror}. It records which experiments "
                "have started; name a writable folder with `started:` in the config",
            ) from error

    def started(self, experiments: Iterable[Experiment]) -> dict[str, StartedExperiment]:
        """Return the record of each experiment that has started in its version."""
        found = {}
        for experiment in experiments:
            with suppress(InputError):  # `check` reports a faulty record
                record = self._read(experiment)
                if record is not None:
                    found[experiment.name] = StartedExperiment(
                        record["started_ms"], record.get("planned")
                    )
        return found

    def changed_plans(self, runtime: Runtime) -> list[str]:
        """Return a warning for each experiment whose plan is not the one that it started with."""
        warnings = []
        started = self.started(runtime.settings.experiments)
        for number, experiment in enumerate(runtime.settings.experiments):
            record = started.get(experiment.name)
            now = _plan_of(experiment, runtime)
            if record is not None and record.planned not in (None, now):
                warnings.append(
                    f"{runtime.settings.path}: experiments.{number}.planned: was "
                    f"{record.planned or 'absent'} when '{experiment.name}' version "
                    f"{experiment.version} started ({_date(record.at_ms)}), is {now or 'absent'}. "
                    "Reports hold the experiment to the plan that it started with; put that one "
                    "back, or give the experiment a new version"
                )
        return warnings

    @property
    def _lock(self) -> Path:
        return self.folder / ".lock"

    def _path(self, experiment: Experiment) -> Path:
        return self.folder / f"{experiment.name}@{experiment.version}.json"

    def _read(self, experiment: Experiment) -> dict[str, Any] | None:
        path = self._path(experiment)
        try:
            record = orjson.loads(path.read_bytes())
            Experiment.from_dict(record["definition"])
            if not {"treatments", "holdout", "started_ms"} <= record.keys():
                raise KeyError
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise InputError.one(
                str(path),
                f"must be the record of a started experiment, got an unreadable file ({error}). "
                "Restore it from a backup; without it a change of the arms cannot be detected",
            ) from error
        return dict(record)

    def _write(self, experiment: Experiment, runtime: Runtime, at_ms: int) -> None:
        before = self._read(experiment)
        record = {
            "definition": experiment.to_dict(),
            "treatments": describe_treatments(experiment, runtime),
            "holdout": runtime.settings.holdout.model_dump(),
            "started_ms": at_ms,
            "config": runtime.digest,
            "planned": _plan_of(experiment, runtime),
        }
        if before is not None:
            past = Experiment.from_dict(before["definition"])
            record["definition"] = widest_definition(past, experiment).to_dict()
            # What held at the start stays: a plan that comes later is no plan.
            del record["planned"]
            record |= {
                key: before[key] for key in ("started_ms", "config", "planned") if key in before
            }
        if record != before:
            content = orjson.dumps(record, option=orjson.OPT_INDENT_2)
            write_file(self._path(experiment), content)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Let one process in at a time, so that two cannot start one experiment in two ways."""
        make_folder(self.folder)
        with self._lock.open("wb") as file:
            began_s = monotonic()
            while not try_lock(file):
                if monotonic() - began_s >= self._patience_s:
                    raise InputError.one(
                        str(self._lock),
                        "must be free for a moment, but another process has held it for "
                        f"{self._patience_s:g} s. Find it with `fuser {self._lock}` and end it, or "
                        "name a different folder with `started:` in the config",
                    )
                sleep(LOOK_AGAIN_S)
            yield


def describe_treatments(experiment: Experiment, runtime: Runtime) -> dict[str, Any]:
    """Describe each arm: type, params and fallback of every strategy that may answer for it.

    Data is left out, so lists that are trained every night do not end an experiment. Params at
    their default are left out, so a release that adds a param does not end one.
    """

    def described(name: str) -> dict[str, Any]:
        strategy = runtime.settings.strategies[name]
        given = strategy.params.model_dump(mode="json", exclude_defaults=True)
        return {"type": strategy.type.name, "fallback": strategy.fallback, **given}

    return {
        arm.name: {name: described(name) for name in sorted(runtime.chains[arm.strategy].declared)}
        for arm in experiment.arms
        if arm.strategy is not None
    }


def _find_breaking_changes(
    record: dict[str, Any], experiment: Experiment, runtime: Runtime
) -> list[BreakingChange]:
    found = breaking_changes(Experiment.from_dict(record["definition"]), experiment)
    if not any(each.key == "arms" for each in found):
        found.extend(_changed_treatments(record, experiment, runtime))
    was, now = record["holdout"], runtime.settings.holdout.model_dump()
    out_before, out_now = (round(each["share"] * SLOTS) for each in (was, now))
    if out_now > out_before or (out_now and was["salt"] != now["salt"]):
        found.append(
            BreakingChange(
                "holdout", f"was {was}, is {now}; it may only shrink while an experiment runs"
            )
        )
    return found


def _changed_treatments(
    record: dict[str, Any], experiment: Experiment, runtime: Runtime
) -> Iterator[BreakingChange]:
    now = describe_treatments(experiment, runtime)
    for arm, strategies in record["treatments"].items():
        for name in {**strategies, **now[arm]}:
            was, made = strategies.get(name), now[arm].get(name)
            if was != made:
                yield BreakingChange(f"arms.{arm}", f"strategy '{name}' was {was}, is {made}")


def _plan_of(experiment: Experiment, runtime: Runtime) -> dict[str, Any]:
    """Return the experiment's plan as JSON values; it may hold a date, or anything else of YAML."""
    planned = runtime.settings.planned.get(experiment.name, {})
    return dict(orjson.loads(to_json(planned, inf_nan_mode="null")))


def _date(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _refusal(found: BreakingChange, record: dict[str, Any], experiment: Experiment) -> str:
    if experiment.hash == "botify":
        remedy = "a new name (hash: botify has no version)"
    else:
        remedy = "a new version that was never served"
    return (
        f"{found.what}. '{experiment.name}' version {experiment.version} has started "
        f"({_date(record['started_ms'])}) and cannot change in this way: give it {remedy}, or undo "
        "the change"
    )
