"""Reloading: the server builds the next config with its data beside the present one, then swaps.

The swap happens between two batches, so that one config decides each request. The present config
stays if the next one is faulty, or changes something that must not change while the server runs.
"""

import asyncio
import gc
import logging
from collections.abc import AsyncIterable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from app.deadline import DeadlinePassed, ProcessEnd, within
from core.errors import Faults, InputError
from engine.base_dispatcher import BaseDispatcher
from engine.config_snapshots import save_snapshot
from engine.experiment_ledger import ExperimentLedger
from engine.runtime import Runtime, load_runtime
from engine.settings.loading import load_settings
from engine.settings.model import Settings

LOG = logging.getLogger("segue")


@dataclass(frozen=True, slots=True)
class Reloaded:
    """The outcome of a reload.

    Attributes:
        before: Digest of the config that served before.
        served: Digest of the config that serves now.
    """

    before: str
    served: str


class Reloads(Protocol):
    """A server's reloads: in its own process, or by its parent.

    Attributes:
        failure: Why the last reload failed; None if it did not.
    """

    failure: str | None

    async def reload(self, cause: str) -> Reloaded:
        """Load the config file again and serve it.

        Args:
            cause: The cause of the reload, for the server's log.

        Raises:
            InputError: All faults of the config; the config before still serves.
        """


class Reloader:
    """The reloads of one server, one at a time.

    Args:
        dispatcher: A reload replaces its `runtime`.
        now_ms: Unix time in ms.

    Attributes:
        failure: Why the last reload failed; None if it did not.
    """

    def __init__(self, dispatcher: BaseDispatcher, now_ms: Callable[[], int]) -> None:
        self._dispatcher = dispatcher
        self._now_ms = now_ms
        self.failure: str | None = None
        self._one_by_one = asyncio.Lock()

    async def reload(self, cause: str) -> Reloaded:
        """Load the config file again and serve it.

        Args:
            cause: The cause of the reload, for the server's log.

        Raises:
            InputError: All faults of the config; the runtime before still serves.
        """
        async with self._one_by_one:
            before = self._dispatcher.runtime
            try:
                runtime = await self._load(before)
            except Exception as error:
                self.failure = (
                    f"{cause}: the reload failed, and config {before.digest} still serves: "
                    f"{str(error) or type(error).__name__}"
                )
                if isinstance(error, InputError):
                    LOG.error(
                        "%s: refused, config %s still serves:\n%s", cause, before.digest, error
                    )
                raise
            self._dispatcher.serve(runtime)
            self.failure = None
        LOG.info("%s: config %s serves in place of %s", cause, runtime.digest, before.digest)
        return Reloaded(before.digest, runtime.digest)

    async def _load(self, before: Runtime) -> Runtime:
        """Load in a thread; a load that hangs must not hold up the next one, nor the end."""
        settings = before.settings
        try:
            return await within(
                settings.server.reload_timeout_s,
                lambda ticket: load_next(before, self._now_ms, ticket.check),
            )
        except DeadlinePassed as error:
            raise InputError.one(
                str(settings.path),
                f"must load within {settings.server.reload_timeout_s:g} s "
                f"(server.reload_timeout_s), but hangs at {error.at}. It is given up; correct what "
                "hangs, and reload again",
            ) from error
        except asyncio.CancelledError as error:
            # Who asked gets a sentence, and the log no traceback; the task ends here all the same.
            raise InputError.one(
                str(settings.path), "was not loaded, since the server stops"
            ) from error
        except ProcessEnd as error:
            raise InputError.one(
                str(settings.path), f"must load, but {error}. Correct what it loads"
            ) from error

    async def attempt(self, cause: str) -> None:
        """Reload when nobody waits for an answer: the server's log has the outcome."""
        try:
            await self.reload(cause)
        except InputError:
            pass  # logged with all its faults
        except Exception:
            LOG.exception(
                "%s: the reload failed with an unhandled exception; the config before still serves",
                cause,
            )

    async def follow(self, path: Path, changes: AsyncIterable[object]) -> None:
        """Reload whenever the content of the config file changes.

        Args:
            path: The config file.
            changes: Yields something whenever the file may have changed.
        """
        seen = _content(path)
        async for _ in changes:
            content = _content(path)
            # Somebody is replacing a missing file: the next change will show the new content.
            if content not in (None, seen):
                seen = content
                await self.attempt(f"{path} has changed")


def load_next(
    before: Runtime, now_ms: Callable[[], int], go_on: Callable[[], None] = lambda: None
) -> Runtime:
    """Build the runtime of the config file; save its snapshot and record its experiments.

    Args:
        before: The runtime that serves.
        now_ms: Unix time in ms.
        go_on: Called before the first file is written; raises if nobody waits for the runtime.

    Raises:
        InputError: All faults of the config.
    """
    settings = load_settings(before.settings.path)
    faults = Faults()
    _check_kept(before.settings, settings, faults)
    started = ExperimentLedger(settings.started_folder)
    try:
        runtime = load_runtime(settings, before.artifacts)
        started.check(runtime)
    except InputError as error:
        faults.extend(error)
    faults.raise_if_any()
    go_on()
    try:
        save_snapshot(runtime, settings.resolve(settings.events.dir))
    except OSError as error:
        raise InputError.one(
            str(error.filename),
            f"cannot be written: {error.strerror}. Replay needs a copy of each served config "
            "beside the log. Make the folder writable",
        ) from error
    started.record(runtime, now_ms())
    for warning in started.changed_plans(runtime):
        LOG.warning("%s", warning)
    if gc.get_freeze_count():
        # As at start-up: the collector need not walk objects that live as long as the process.
        gc.collect(1)
        gc.freeze()
    return runtime


def _check_kept(before: Settings, after: Settings, faults: Faults) -> None:
    """Refuse changes of settings that the process reads only at its start."""
    held = (
        "backend",
        "url",
        "url_env",
        "sentinel",
        "cluster",
        "prefix",
        "timeout_ms",
        "max_listeners",
        "ttl_s",
        "idempotency_keys",
        "idempotency_ttl_s",
        "idempotency_mb",
    )
    pairs = [
        ("events", before.events, after.events),
        ("server", before.server, after.server),
        ("admin", before.admin, after.admin),
        ("watch", before.watch, after.watch),
        ("started", before.started_folder, after.started_folder),
        *((f"state.{key}", getattr(before.state, key), getattr(after.state, key)) for key in held),
    ]
    for key, was, now in pairs:
        if was != now:
            faults.add(
                f"{after.path}: {key}",
                f"was {was}, is {now}; a running server cannot change it. Restart the server, or "
                "restore the old value",
            )


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
