"""The store: listeners' records on Redis, the commands of a turn, the catalogs of the records."""

import asyncio
import hashlib
import logging
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from struct import Struct
from time import monotonic
from typing import Any

import orjson

from core.catalog import Catalog, TrackId
from core.errors import StateUnavailable
from engine.runtime import Runtime
from engine.settings.model import StateSettings
from engine.shared_state.cluster import Masters
from engine.shared_state.connecting import Address, Connector, Target
from engine.shared_state.groups import Awaited
from engine.shared_state.keys import catalog_key
from engine.shared_state.link import Link
from engine.shared_state.record_format import tag_of
from engine.shared_state.shard import Shard
from engine.shared_state.wire import Argument, choose

LOG = logging.getLogger("segue")
HEARD, FINAL, KNOWN, RESETS = 1, 2, 4, 8
"""Flags of a turn: it has a listen, it ends the session, its track is known, the config resets."""
ADMIN_S = 2.0
"""Time for a command that no turn waits for, in seconds."""
START_S = 1.0
"""Time that a starting server waits for Redis, in seconds."""
MOST_MS = 2**52
"""The longest time that Lua's numbers hold without rounding, in ms."""
_FIXED = Struct("<QQQQQIBQ8s")


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """The part of a runtime that each turn needs on Redis.

    Attributes:
        gap_ms: Silence after which a new session begins.
        history: Number of listens kept.
        tag: Names the catalog.
        resets: The flag by which an experiment begins with a fresh history, or 0.
    """

    gap_ms: int
    history: int
    tag: bytes
    resets: int


def limits_of(runtime: Runtime) -> TurnLimits:
    """Collect what a runtime says about each turn."""
    state = runtime.settings.state
    resets = RESETS if state.reset_state_on_new_experiment else 0
    gap_ms = min(int(runtime.session_gap_ms), MOST_MS)
    return TurnLimits(gap_ms, runtime.history, tag_of(runtime.catalog), resets)


class SharedStore:
    """Listeners' records on Redis.

    Args:
        settings: The config's `state` section.
        target: The Redis.
    """

    def __init__(self, settings: StateSettings, target: Target) -> None:
        self.prefix = settings.prefix
        self.timeout_s = settings.timeout_ms / 1000
        self.pack, replies = choose()
        self._ttl_ms = _ms(settings.ttl_s)
        self._answer_ttl_ms = _ms(settings.idempotency_ttl_s)
        self._scripts = {name: _read_script(name) for name in ("turn", "swap")}
        self._hashes = {
            name: hashlib.sha1(text, usedforsecurity=False).hexdigest().encode()
            for name, text in self._scripts.items()
        }
        self._connector = Connector(target, replies)
        self._masters: Masters | None = None
        self._only: Shard | None = None
        if target.cluster:
            self._masters = Masters(self._connector, self._shard_at)
        else:
            name = f"master {target.sentinel}" if target.sentinel else _name_of(target.seeds)
            self._only = Shard(name, self._connect_to_master)
        self._catalogs: dict[bytes, Sequence[TrackId]] = {}
        self._serving: Catalog | None = None
        self._publishing: set[asyncio.Task[None]] = set()

    # Life

    async def start(self) -> None:
        """Connect, and wait a moment for it; go on without Redis if it does not come."""
        if self._masters is not None:
            await self._masters.start()
        elif self._only is not None:
            self._only.start()
        for shard in self.shards:
            await shard.ready(START_S)
        if (problem := self.problem) is not None:
            LOG.warning("%s; turns are decided without state until it is there", problem)

    async def close(self) -> None:
        """Close all connections."""
        for task in self._publishing:
            task.cancel()
        if self._masters is not None:
            await self._masters.close()
        for shard in self.shards:
            await shard.close()

    def serve(self, catalog: Catalog) -> None:
        """Keep a catalog's ids on Redis: its indices are in the records from now on."""
        self._serving = catalog
        self._catalogs[tag_of(catalog)] = catalog.ids
        task = asyncio.get_running_loop().create_task(self._publish(catalog))
        self._publishing.add(task)
        task.add_done_callback(self._publishing.discard)

    @property
    def shards(self) -> list[Shard]:
        """All shards."""
        if self._masters is not None:
            return list(self._masters.shards.values())
        return [] if self._only is None else [self._only]

    @property
    def problem(self) -> str | None:
        """The reason why some turns are decided without state; None if no turn is."""
        if self._masters is not None and self._masters.problem is not None:
            return f"redis cluster: {self._masters.problem}"
        for shard in self.shards:
            if shard.problem is not None:
                return f"redis {shard.name}: {shard.problem}"
        return None

    def shard_of(self, key: bytes) -> Shard | None:
        """Find the shard that has a key; None if no master has it."""
        return self._only if self._masters is None else self._masters.shard_of(key)

    def moved(self, reply: str) -> Shard | None:
        """Find the shard that Redis Cluster names in a MOVED or an ASK."""
        return None if self._masters is None else self._masters.moved(reply)

    # Commands

    def deadline_ms(self, link: Link) -> int:
        """Compute Redis' time after which a turn that is sent now has waited for too long."""
        return int((monotonic() + self.timeout_s) * 1000 + link.clock_ahead_ms)

    def turn(
        self,
        keys: Sequence[bytes],
        deadline_ms: int,
        at_ms: int,
        limits: TurnLimits,
        flags: int,
        word: int,
        decision_id: str,
        lineages: bytes,
        digest: bytes | None,
        whole_script: bool = False,
    ) -> bytes:
        """Make the command that takes a turn; see turn.lua.

        Args:
            keys: The record's key, and the answer's where the request has an idempotency key.
            deadline_ms: Redis' time after which it shall not take the turn.
            at_ms: Unix time in ms, by our clock.
            limits: What the runtime says.
            flags: Of the turn.
            word: The packed listen; 0 without one.
            decision_id: The turn's id.
            lineages: The experiments that the listener is in.
            digest: Of the body, with an idempotency key.
            whole_script: Whether Redis does not know the script.
        """
        fixed = _FIXED.pack(
            deadline_ms, at_ms, limits.gap_ms, self._ttl_ms, self._answer_ttl_ms, limits.history,
            flags | limits.resets, word, limits.tag,
        )  # fmt: skip
        call = self._call("turn", whole_script)
        if digest is None:
            return self.pack((*call, 1, *keys, fixed, decision_id, lineages))
        return self.pack((*call, 2, *keys, fixed, decision_id, lineages, digest))

    def swap(self, keys: Sequence[bytes], expected: bytes, record: bytes) -> bytes:
        """Make the command that replaces a record only if nothing came after it; see swap.lua."""
        # EVAL and not EVALSHA: it is rare, and nobody waits for its reply to send it again.
        call = self._call("swap", whole_script=True)
        return self.pack((*call, len(keys), *keys, expected, record, self._ttl_ms))

    def keep_answer(self, key: bytes, digest: bytes, body: bytes) -> bytes:
        """Make the command that keeps the answer of an idempotency key."""
        return self.pack((b"SET", key, b"A" + digest + body, b"PX", self._answer_ttl_ms))

    def _call(self, name: str, whole_script: bool) -> tuple[Argument, Argument]:
        if whole_script:
            return b"EVAL", self._scripts[name]
        return b"EVALSHA", self._hashes[name]

    async def ask(self, key: bytes, *command: Argument) -> Any:
        """Ask one question about a key.

        Raises:
            StateUnavailable: Redis is away, or it answers with an error.
        """
        shard = self.shard_of(key)
        if shard is None or shard.problem is not None:
            raise StateUnavailable(self.problem or "no master has the key")
        awaited = Awaited(1)
        shard.send(awaited, self.pack(command))
        try:
            async with asyncio.timeout(ADMIN_S):
                (reply,) = await awaited.replies
        except TimeoutError as error:
            raise StateUnavailable(f"redis {shard.name}: no reply in {ADMIN_S:g} s") from error
        if isinstance(reply, Exception):
            raise StateUnavailable(f"redis {shard.name}: {reply}")
        return reply

    # Catalogs

    async def ids_of(self, tag: bytes) -> Sequence[TrackId] | None:
        """Find the track ids of a catalog that some process served; None if they are gone."""
        ids = self._catalogs.get(tag)
        if ids is None:
            key = catalog_key(self.prefix, tag)
            packed = await self.ask(key, b"GET", key)
            if packed is None:
                LOG.warning("redis: %s is gone; what was heard of it is unknown now", key.decode())
                return None
            ids = self._catalogs[tag] = orjson.loads(zlib.decompress(packed))
        return ids

    async def _publish(self, catalog: Catalog) -> None:
        key = catalog_key(self.prefix, tag_of(catalog))
        try:
            if not await self.ask(key, b"EXISTS", key):
                packed = await asyncio.to_thread(_pack_ids, catalog)
                await self.ask(key, b"SET", key, packed)
        except StateUnavailable as error:
            LOG.debug("%s", error)  # at the next connection again

    # Connections

    async def _connect_to_master(self, on_change: Callable[[Link], None]) -> Link:
        return await self._connect_to(await self._connector.master(), on_change)

    def _shard_at(self, address: Address) -> Shard:
        return Shard(_name_of([address]), lambda on_change: self._connect_to(address, on_change))

    async def _connect_to(self, address: Address | None, on_change: Callable[[Link], None]) -> Link:
        link = await self._connector.link(address, on_change, [self._scripts["turn"]])
        if self._serving is not None:
            asyncio.get_running_loop().call_soon(self.serve, self._serving)
        return link


def _ms(seconds: float) -> int:
    return max(1, min(round(seconds * 1000), MOST_MS // 1000))  # Redis adds it to its clock


def _read_script(name: str) -> bytes:
    return (resources.files("engine.shared_state") / f"{name}.lua").read_bytes()


def _pack_ids(catalog: Catalog) -> bytes:
    return zlib.compress(orjson.dumps(list(catalog.ids)))


def _name_of(addresses: Sequence[Address]) -> str:
    return ", ".join(f"{host}:{port}" for host, port in addresses) or "on a socket"
