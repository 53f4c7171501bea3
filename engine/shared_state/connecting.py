"""Connections to Redis by redis-py: its addresses, AUTH, TLS, Sentinel and Cluster.

A connection that redis-py has set up is then taken over by a `Link`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

from redis.asyncio.connection import Connection, parse_url
from redis.exceptions import RedisError

from engine.shared_state.link import Link
from engine.shared_state.wire import Replies

CONNECT_S = 1.0
"""Time for one connection to be set up, in seconds."""
Address = tuple[str, int]
PROBLEMS = (RedisError, OSError, asyncio.TimeoutError)
"""The errors of a Redis that is away, or that refuses us."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Target:
    """The Redis of a config.

    Attributes:
        seeds: Addresses of the Redis, of Sentinels, or of nodes of a cluster; none for a socket.
        options: redis-py's options of a connection: credentials, database, TLS.
        connection: redis-py's class of connection.
        sentinel: Name by which Sentinels know the master; None without Sentinel.
        cluster: Whether the seeds are nodes of a Redis Cluster.
    """

    seeds: tuple[Address, ...]
    options: Mapping[str, Any] = field(repr=False)
    connection: type[Any] = Connection
    sentinel: str | None = None
    cluster: bool = False


def read_target(url: str, sentinel: str | None = None, cluster: bool = False) -> Target:
    """Read a URL, which may name several hosts: `redis://one:6379,two:6379/0`.

    Raises:
        ValueError: It is no URL of a Redis.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("redis", "rediss", "unix"):
        raise ValueError("must begin with redis://, rediss:// (TLS) or unix://")
    credentials, at, hosts = parts.netloc.rpartition("@")
    first, *more = hosts.split(",")
    options: dict[str, Any] = dict(
        parse_url(parts._replace(netloc=f"{credentials}{at}{first}").geturl())
    )
    connection = options.pop("connection_class", Connection)
    host, port = options.pop("host", "localhost"), options.pop("port", None)
    if parts.scheme == "unix":
        return Target((), options, connection, sentinel, cluster)
    usual = 26379 if sentinel else 6379
    seeds = [(str(host), int(port or usual))]
    for each in more:
        name, _, number = each.rpartition(":") if ":" in each else (each, "", str(usual))
        seeds.append((name, int(number)))
    return Target(tuple(seeds), options, connection, sentinel, cluster)


class Connector:
    """Connects to the Redis of a config.

    Args:
        target: The Redis.
        replies: Makes a parser of replies.
    """

    def __init__(self, target: Target, replies: Callable[[], Replies]) -> None:
        self.target = target
        self._replies = replies

    async def link(
        self, address: Address | None, on_change: Callable[[Link], None], scripts: Sequence[bytes]
    ) -> Link:
        """Connect to a master, load our scripts, and read its clock.

        Args:
            address: The address; None for a socket.
            on_change: See `Link`.
            scripts: Lua scripts.

        Raises:
            RedisError, OSError, TimeoutError: Redis is away, or it refuses us.
        """
        link = Link(self._replies(), on_change)
        async with asyncio.timeout(CONNECT_S):
            connection = self._connection(address)
            try:
                await connection.connect()
                for script in scripts:
                    await _ask(connection, "SCRIPT", "LOAD", script)
                seconds, us = await _ask(connection, "TIME")
            except BaseException:
                await connection.disconnect(nowait=True)
                raise
            link.set_clock(int(seconds) * 1000 + int(us) // 1000)
            # redis-py's connection gives its transport away and forgets it.
            link.take_over(connection._reader, connection._writer)
            connection._reader = connection._writer = None
        return link

    async def master(self) -> Address | None:
        """Find the master: the one address of the config, or the one that Sentinels name."""
        target = self.target
        if target.sentinel is None:
            return target.seeds[0] if target.seeds else None
        problem: Exception | None = None
        for seed in target.seeds:
            try:
                found = await self._once(
                    seed, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", target.sentinel, plain=True
                )
            except PROBLEMS as error:
                problem = error
                continue
            if found:
                return found[0].decode(), int(found[1])
        raise problem or ConnectionError(f"no Sentinel knows a master '{target.sentinel}'")

    async def slots(self, known: Sequence[Address] = ()) -> list[tuple[int, int, Address]]:
        """List the slots of a cluster: first, last, and the master that has them."""
        problem: Exception | None = None
        for seed in dict.fromkeys([*known, *self.target.seeds]):
            try:
                rows = await self._once(seed, "CLUSTER", "SLOTS")
            except PROBLEMS as error:
                problem = error
                continue
            return [
                (first, last, ((node[0] or b"").decode() or seed[0], node[1]))
                for first, last, node, *_ in rows
            ]
        raise problem or ConnectionError("no node of the cluster is named")

    async def information(self, address: Address | None) -> dict[str, str]:
        """Read what a Redis says of itself, by the names of INFO."""
        text = await self._once(address, "INFO")
        pairs = (line.partition(":") for line in text.decode().splitlines())
        return {name: value for name, _, value in pairs if value}

    async def _once(self, address: Address | None, *command: Any, plain: bool = False) -> Any:
        """Ask one question on a connection of its own."""
        async with asyncio.timeout(CONNECT_S):
            connection = self._connection(address, plain)
            try:
                await connection.connect()
                return await _ask(connection, *command)
            finally:
                await connection.disconnect(nowait=True)

    def _connection(self, address: Address | None, plain: bool = False) -> Any:
        """Make redis-py's connection; a plain one has no credentials and no database."""
        options = {
            name: value
            for name, value in self.target.options.items()
            if not plain or name.startswith("ssl")
        }
        if address is not None:
            options |= {"host": address[0], "port": address[1]}
        if self.target.cluster:
            options.pop("db", None)
        return self.target.connection(
            **options, protocol=2, socket_timeout=CONNECT_S, socket_connect_timeout=CONNECT_S,
            client_name="segue",
        )  # fmt: skip


async def _ask(connection: Any, *command: Any) -> Any:
    await connection.send_command(*command)
    return await connection.read_response()
