"""Reloading: the next config and its data are built beside what serves, then swapped in.

A request is decided by the one or by the other, since the swap happens between two of them; what
cannot be built, or must not follow what was served, leaves the old one serving.
"""

import asyncio
import gc
import logging
import sys
from collections.abc import AsyncIterable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from core.errors import Faults, InputError
from engine.config_snapshots import save_snapshot
from engine.dispatcher import Dispatcher
from engine.experiment_ledger import ExperimentLedger
from engine.runtime import Runtime, load_runtime
from engine.settings.loading import load_settings
from engine.settings.model import Settings

LOG = logging.getLogger("segue")


class Reloader:
    """Reads the config again when told to.

    Args:
        dispatcher: Whose `runtime` is replaced.
        now_ms: Unix time in ms.
    """

    def __init__(self, dispatcher: Dispatcher, now_ms: Callable[[], int]) -> None:
        self._dispatcher = dispatcher
        self._now_ms = now_ms
        self._one_by_one = asyncio.Lock()

    async def reload(self, cause: str) -> Runtime:
        """Serve what the config says now; give what served before.

        Args:
            cause: Who wants it, for the server's log.

        Raises:
            InputError: Everything that is wrong; what served before still does.
        """
        async with self._one_by_one:
            before = self._dispatcher.runtime
            try:
                with _yielding():
                    runtime = await asyncio.to_thread(self._build, before)
            except InputError as error:
                LOG.error("%s: refused, config %s still serves:\n%s", cause, before.digest, error)
                raise
            self._dispatcher.serve(runtime)
        LOG.info("%s: config %s serves, %s did", cause, runtime.digest, before.digest)
        return before

    async def attempt(self, cause: str) -> None:
        """Reload where nobody waits for the answer: the server's log tells how it went."""
        try:
            await self.reload(cause)
        except InputError:
            pass  # logged with all its faults
        except Exception:
            LOG.exception("%s: failed by our mistake; the config before still serves", cause)

    async def follow(self, path: Path, changes: AsyncIterable[object]) -> None:
        """Reload whenever the content of the config file is another.

        Args:
            path: The config file.
            changes: Gives something whenever the file may have changed.
        """
        seen = _content(path)
        async for _ in changes:
            content = _content(path)
            # A file that is away is being replaced: the next change will tell.
            if content not in (None, seen):
                seen = content
                await self.attempt(f"{path} has changed")

    def _build(self, before: Runtime) -> Runtime:
        """What the config says now, ready to serve, and remembered before it does."""
        settings = load_settings(before.settings.path)
        faults = Faults()
        _check_kept(before.settings, settings, faults)
        started = ExperimentLedger(settings.started_folder)
        try:
            runtime = load_runtime(settings, before.catalog)
            started.check(runtime)
        except InputError as error:
            faults.extend(error)
        faults.raise_if_any()
        try:
            save_snapshot(runtime, settings.resolve(settings.events.dir))
        except OSError as error:
            raise InputError.one(
                str(error.filename),
                f"cannot be written: {error.strerror}. A copy of each config that serves must "
                "stand beside the log, or its events could not be replayed",
            ) from error
        started.record(runtime, self._now_ms())
        for warning in started.changed_plans(runtime):
            LOG.warning("%s", warning)
        if gc.get_freeze_count():
            # As at the start: the collector need not walk what lives as long as the process.
            gc.collect(1)
            gc.freeze()
        return runtime


@contextmanager
def _yielding() -> Iterator[None]:
    """Let requests in between ten times as often while another thread works.

    A thread that computes gives way after 5 ms, and a request must wait for that more than once.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(usual / 10)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


def _check_kept(before: Settings, after: Settings, faults: Faults) -> None:
    """What the process holds since its start cannot change under it."""
    held = (
        "backend",
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
                f"was {was}, is {now}; a running server cannot change it. Restart it, or put back "
                "what was",
            )


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
