"""The masters of a Redis Cluster: which one has a key, as slots move between them."""

import asyncio
import binascii
import logging
import re
from collections.abc import Callable

from engine.shared_state.background import end
from engine.shared_state.connecting import PROBLEMS, Address, Connector
from engine.shared_state.shard import Shard

LOG = logging.getLogger("segue")
SLOTS = 16_384
REFRESH_S = 0.2
"""Time between two looks at a cluster in which a master is away, in seconds."""
_MOVED = re.compile(r"(?:MOVED|ASK) (\d+) (.*):(\d+)\Z")


def slot_of(key: bytes) -> int:
    """Compute a key's slot: a hash of the part in braces, or of the whole key."""
    begin = key.find(b"{")
    if begin >= 0 and (end := key.find(b"}", begin + 1)) > begin + 1:
        key = key[begin + 1 : end]
    return binascii.crc_hqx(key, 0) % SLOTS


class Masters:
    """The masters of one cluster.

    Args:
        connector: Asks the nodes.
        make_shard: Makes a shard for an address.

    Attributes:
        shards: By address.
    """

    def __init__(self, connector: Connector, make_shard: Callable[[Address], Shard]) -> None:
        self.shards: dict[Address, Shard] = {}
        self.problem: str | None = "not connected yet"
        self._connector = connector
        self._make_shard = make_shard
        self._of_slot: list[Shard | None] = [None] * SLOTS
        self._stale = asyncio.Event()
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Find the masters; go on looking where none answers."""
        await self._look()
        self._following = asyncio.create_task(self._follow())

    async def close(self) -> None:
        """Stop looking; the shards are closed by their owner."""
        if self._following is not None:
            await end(self._following)

    def shard_of(self, key: bytes) -> Shard | None:
        """Find the shard of a key; None if no master has its slot."""
        shard = self._of_slot[slot_of(key)]
        if shard is None or shard.problem is not None:
            self._stale.set()
        return shard

    def moved(self, reply: str) -> Shard | None:
        """Find the shard that a MOVED or ASK names; None if it is new and not connected yet."""
        found = _MOVED.match(reply)
        if found is None:
            return None
        shard = self.shards.get((found[2], int(found[3])))
        if reply.startswith("MOVED"):
            self._of_slot[int(found[1])] = shard
            self._stale.set()
        return shard

    async def _look(self) -> None:
        try:
            rows = await self._connector.slots(list(self.shards))
        except PROBLEMS as error:
            self.problem = str(error) or type(error).__name__
            self._stale.set()
            return
        self.problem = None if rows else "no master has a slot"
        before, self.shards = self.shards, {}
        of_slot: list[Shard | None] = [None] * SLOTS
        for first, last, address in rows:
            shard = self.shards.get(address) or before.get(address)
            if shard is None:
                shard = self._make_shard(address)
                shard.start()
            self.shards[address] = shard
            of_slot[first : last + 1] = [shard] * (last + 1 - first)
        self._of_slot = of_slot
        for address, shard in before.items():
            if address not in self.shards:
                LOG.info("redis %s: is no master of the cluster any more", shard.name)
                await shard.close()

    async def _follow(self) -> None:
        while True:
            await self._stale.wait()
            self._stale.clear()
            await self._look()
            await asyncio.sleep(REFRESH_S)
