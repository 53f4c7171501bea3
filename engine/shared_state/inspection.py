"""Inspection of the Redis that a config names, for `segue check`: version, memory, eviction."""

import asyncio
from dataclasses import dataclass

from core.errors import SegueError
from engine.settings.model import Settings
from engine.shared_state.connecting import PROBLEMS, Address, Connector
from engine.shared_state.opening import read_state_target
from engine.shared_state.wire import choose

FULL = 0.8
"""Share of the memory from which a Redis that evicts nothing is nearly full."""
_MB = 1_000_000


@dataclass(frozen=True, slots=True)
class RedisReport:
    """One Redis.

    Attributes:
        name: Its address.
        version: Its version.
        used: Bytes in use.
        limit: Most bytes that it takes; 0 for no limit.
        system: Bytes of its machine's memory; 0 if it does not say.
        eviction: Its policy when it is full.
    """

    name: str
    version: str
    used: int
    limit: int
    system: int
    eviction: str

    def __str__(self) -> str:
        limit = f"{self.limit / _MB:,.0f} MB" if self.limit else "no limit"
        return (
            f"redis {self.name}, version {self.version}, {self.used / _MB:,.1f} MB of {limit}, "
            f"eviction {self.eviction}"
        )

    @property
    def warning(self) -> str | None:
        """The reason why it may soon refuse to write; None if it will not."""
        room = self.limit or self.system
        if self.eviction != "noeviction" or not room or self.used < FULL * room:
            return None
        return (
            f"redis {self.name} uses {self.used / room:.0%} of its memory and evicts nothing: when "
            "it is full, turns are decided without state. Give it more memory, or the policy "
            "allkeys-lru (maxmemory-policy)"
        )


def inspect_state(settings: Settings) -> list[RedisReport]:
    """Reach the Redis of a config, each master of a Cluster, and read what it says of itself.

    Raises:
        InputError: See `read_state_target`.
        SegueError: It cannot be reached.
    """
    connector = Connector(read_state_target(settings), choose()[1])
    try:
        return asyncio.run(_inspect(connector))
    except PROBLEMS as error:
        said = str(error).rstrip(".") or f"no reply ({type(error).__name__})"
        raise SegueError(
            f"{settings.path}: state: the Redis cannot be used: {said}. Start it, or correct the "
            "url; a server starts without it, and decides turns without state until it is there"
        ) from error


async def _inspect(connector: Connector) -> list[RedisReport]:
    if connector.target.cluster:
        addresses: list[Address | None] = []
        for _, _, address in await connector.slots():
            if address not in addresses:
                addresses.append(address)
    else:
        addresses = [await connector.master()]
    return [await _inspect_one(connector, address) for address in addresses]


async def _inspect_one(connector: Connector, address: Address | None) -> RedisReport:
    said = await connector.information(address)
    name = "on a socket" if address is None else f"{address[0]}:{address[1]}"
    return RedisReport(
        name,
        version=said.get("valkey_version") or said.get("redis_version", "unknown"),
        used=int(said.get("used_memory", 0)),
        limit=int(said.get("maxmemory", 0)),
        system=int(said.get("total_system_memory", 0)),
        eviction=said.get("maxmemory_policy", "unknown"),
    )
