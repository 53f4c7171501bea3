"""Started experiments: a folder that remembers each as it was served, so that it cannot change.

One file per name and version. It is written when an experiment first has traffic, and again when
it has more; a config that would take its listeners out of their arms is refused.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from core.allocation import SLOTS, Experiment
from core.errors import Faults, InputError
from core.experiment_changes import BreakingChange, breaking_changes, widest_definition
from engine.runtime import Runtime


class ExperimentLedger:
    """The folder of started experiments; several processes may share it.

    Args:
        folder: Made when the first experiment is recorded.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def check(self, runtime: Runtime) -> None:
        """Refuse what would take listeners of a started experiment out of their arms.

        Raises:
            InputError: Every such change; or a record that cannot be read.
        """
        faults = Faults()
        for number, experiment in enumerate(runtime.settings.experiments):
            if experiment.traffic == 0:
                continue  # stopped, or not begun: nobody is in it
            try:
                record = self._read(experiment)
            except InputError as error:
                faults.extend(error)
                continue
            if record is not None:
                where = f"{runtime.settings.path}: experiments.{number}"
                for found in _breaks(record, experiment, runtime):
                    faults.add(f"{where}.{found.key}", _refusal(found, record, experiment))
        faults.raise_if_any()

    def record(self, runtime: Runtime, at_ms: int) -> None:
        """Check, and remember every experiment that has traffic as started.

        Args:
            runtime: What is about to be served.
            at_ms: Unix time in ms.

        Raises:
            InputError: As `check`, and nothing is recorded; or the folder cannot be written.
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
                f"must be a folder that can be written, but: {error.strerror}. It remembers which "
                "experiments have started; name another with `started:` in the config",
            ) from error

    def since(self, experiments: Iterable[Experiment]) -> dict[str, int]:
        """When each experiment that has started did so in its version, Unix time in ms."""
        found = {}
        for experiment in experiments:
            with suppress(InputError):  # `check` tells what is wrong with a record
                record = self._read(experiment)
                if record is not None:
                    found[experiment.name] = record["started_ms"]
        return found

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
                f"must be the record of a started experiment, but cannot be read as one ({error}). "
                "Put it back from a copy; without it nobody knows whether arms were changed",
            ) from error
        return dict(record)

    def _write(self, experiment: Experiment, runtime: Runtime, at_ms: int) -> None:
        before = self._read(experiment)
        record = {
            "definition": experiment.to_dict(),
            "treatments": treatments(experiment, runtime),
            "holdout": runtime.settings.holdout.model_dump(),
            "started_ms": at_ms,
            "config": runtime.digest,
        }
        if before is not None:
            past = Experiment.from_dict(before["definition"])
            record["definition"] = widest_definition(past, experiment).to_dict()
            record["started_ms"], record["config"] = before["started_ms"], before["config"]
        if record != before:
            path = self._path(experiment)
            beside = path.with_name(f".{path.name}.{os.getpid()}.part")
            with beside.open("wb") as file:
                file.write(orjson.dumps(record, option=orjson.OPT_INDENT_2))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time, so that two cannot start one experiment in two ways."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / ".lock").open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def treatments(experiment: Experiment, runtime: Runtime) -> dict[str, Any]:
    """What each arm does: type, params and fallback of every strategy that may answer for it.

    Data is not part of it: lists that are trained anew every night do not end an experiment. Nor
    are params left at their default, so that a release which adds a param does not either.
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


def _breaks(
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
                "holdout", f"was {was}, is {now}; may only shrink while an experiment runs"
            )
        )
    return found


def _changed_treatments(
    record: dict[str, Any], experiment: Experiment, runtime: Runtime
) -> Iterator[BreakingChange]:
    now = treatments(experiment, runtime)
    for arm, strategies in record["treatments"].items():
        for name in {**strategies, **now[arm]}:
            was, made = strategies.get(name), now[arm].get(name)
            if was != made:
                yield BreakingChange(f"arms.{arm}", f"strategy '{name}' was {was}, is {made}")


def _refusal(found: BreakingChange, record: dict[str, Any], experiment: Experiment) -> str:
    since = datetime.fromtimestamp(record["started_ms"] / 1000, UTC)
    if experiment.hash == "botify":
        remedy = "another name (hash: botify knows no version)"
    else:
        remedy = "a new version, one that was not served before"
    return (
        f"{found.what}. '{experiment.name}' version {experiment.version} has started "
        f"({since:%Y-%m-%d %H:%M} UTC) and cannot change so: give it {remedy}, or put back what was"
    )
