"""Redis behind Sentinels, as a Cluster, and with an older catalog in its records: turns go on."""

import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis

from core.decision import LoggedTurn
from core.request import Request
from engine.arrivals import Arrival
from engine.runtime import Runtime
from tests import needs
from tests.redis_server import PATIENCE_S, RedisServer, running_redis, wait_until
from tests.service import Clock, loaded, write_config
from tests.shared_state import driver

pytestmark = needs.program("redis-server")


class Log:
    """A log in memory."""

    def __init__(self) -> None:
        self.turns: list[LoggedTurn] = []

    def append_all(self, turns: Sequence[LoggedTurn]) -> None:
        self.turns += turns


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    return loaded(tmp_path_factory.mktemp("world"))


# Sentinel


@pytest.fixture
def replicated(tmp_path: Path) -> Iterator[tuple[RedisServer, RedisServer, RedisServer]]:
    """Run a master, a replica, and a Sentinel that watches them."""
    with ExitStack() as stack:
        master = stack.enter_context(
            running_redis(tmp_path / "master", "--repl-diskless-sync-delay", "0")
        )
        replica = stack.enter_context(
            running_redis(tmp_path / "replica", "--replicaof", f"127.0.0.1 {master.port}")
        )
        wait_until(lambda: replica.client.info("replication")["master_link_status"] == "up")
        folder = tmp_path / "sentinel"
        folder.mkdir()
        config = folder / "sentinel.conf"
        config.write_text(
            f"sentinel monitor music 127.0.0.1 {master.port} 1\n"
            "sentinel down-after-milliseconds music 300\n"
            "sentinel failover-timeout music 2000\n"
        )
        sentinel = RedisServer(folder, [str(config), "--sentinel"])
        stack.callback(sentinel.close)
        sentinel.start()
        wait_until(lambda: sentinel.client.sentinel_slaves("music"))
        yield master, replica, sentinel


def test_turns_go_on_at_the_replica_that_the_sentinels_choose(
    runtime: Runtime, replicated: tuple[RedisServer, RedisServer, RedisServer]
) -> None:
    master, replica, sentinel = replicated
    log = Log()
    with driver(
        runtime, sentinel, log, Clock(), sentinel="music", timeout_ms=100
    ) as shared:  # fmt: skip
        for number in range(1, 6):
            assert shared.recommend(Request(7, 1000, 0.5), 0.0).number == number
        wait_until(lambda: replica.client.get("segue:{7}") == master.client.get("segue:{7}"))
        master.kill()
        degraded = shared.recommend(Request(7, 1010, 0.5), 0.0)
        assert degraded.degraded
        shared.wait_until_well()
        assert shared.recommend(Request(7, 1020, 0.5), 0.0).number == 6
        assert replica.client.info("replication")["role"] == "master"
    assert [turn.degraded for turn in log.turns] == [False] * 5 + [True, False]


def test_a_master_that_becomes_a_replica_is_left(
    runtime: Runtime, replicated: tuple[RedisServer, RedisServer, RedisServer]
) -> None:
    """Nothing dies: the Sentinel swaps the roles, and the old master refuses to write."""
    _, replica, sentinel = replicated
    with driver(
        runtime, sentinel, Log(), Clock(), sentinel="music", timeout_ms=2_000
    ) as shared:  # fmt: skip
        assert shared.recommend(Request(7, 1000, 0.5), 0.0).number == 1
        wait_until(lambda: replica.client.get("segue:{7}") is not None)
        wait_until(lambda: _fails_over(sentinel))
        wait_until(lambda: replica.client.info("replication")["role"] == "master")
        found = []
        deadline_s = time.monotonic() + PATIENCE_S
        while not found or found[-1].degraded:
            assert time.monotonic() < deadline_s
            found.append(shared.recommend(Request(7, 1010, 0.5), 0.0))
        assert found[-1].number >= 2


def _fails_over(sentinel: RedisServer) -> bool:
    try:
        return bool(sentinel.client.execute_command("SENTINEL", "FAILOVER", "music"))
    except redis.ResponseError:  # it does not know yet that the replica is well
        return False


# Cluster


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[list[RedisServer]]:
    """Run a cluster of three masters."""
    with ExitStack() as stack:
        nodes = [
            stack.enter_context(
                running_redis(
                    tmp_path / f"node{number}", "--cluster-enabled", "yes",
                    "--cluster-port", str(_port()), "--cluster-node-timeout", "2000",
                )
            )
            for number in range(3)
        ]  # fmt: skip
        addresses = [f"127.0.0.1:{node.port}" for node in nodes]
        subprocess.run(
            ["redis-cli", "--cluster", "create", *addresses, "--cluster-yes"],
            check=True, capture_output=True, timeout=PATIENCE_S,
        )  # fmt: skip
        for node in nodes:
            wait_until(lambda node=node: _is_well(node))
        yield nodes


def _port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_well(node: RedisServer) -> bool:
    return b"cluster_state:ok" in node.client.execute_command("CLUSTER", "INFO")


def test_a_cluster_of_three_masters_shares_the_listeners(
    runtime: Runtime, cluster: list[RedisServer]
) -> None:
    users = list(range(60))
    with driver(runtime, cluster[0], Log(), Clock(), cluster=True) as shared:
        for turn in (1, 2, 3):
            outcomes = shared.dispatch(
                [Arrival(Request(user, 1000, 0.5), 0.0, f"key {turn}", None,
                         ("recommend", bytes(16))) for user in users]
            )  # fmt: skip
            assert [outcome.number for outcome in outcomes] == [turn] * len(users)
        counts = [len(node.client.keys("segue:{*}")) for node in cluster]
        assert sum(counts) == len(users)
        assert min(counts) > 5
        assert sum(len(node.client.keys("segue:{*}:recommend:*")) for node in cluster) == 180

        # A slot moves to a different master while turns go on: first its keys, then the slot.
        user = users[0]
        key = f"segue:{{{user}}}"
        owner = next(node for node in cluster if key.encode() in set(node.client.keys()))
        other = next(node for node in cluster if node is not owner)
        slot = owner.client.execute_command("CLUSTER", "KEYSLOT", key)
        _begin_to_move(slot, owner, other)
        assert shared.recommend(Request(user, 1000, 0.5), 0.0).number == 4  # by an ASK
        for node in (other, owner):
            node.client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", _id_of(other))
        for turn in (5, 6):
            assert shared.recommend(Request(user, 1000, 0.5), 0.0).number == turn
        assert key.encode() in set(other.client.keys())


def _begin_to_move(slot: int, owner: RedisServer, other: RedisServer) -> None:
    other.client.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", _id_of(owner))
    owner.client.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", _id_of(other))
    keys = owner.client.execute_command("CLUSTER", "GETKEYSINSLOT", slot, 1000)
    owner.client.execute_command("MIGRATE", "127.0.0.1", other.port, "", 0, 5000, "KEYS", *keys)


def _id_of(node: RedisServer) -> str:
    return str(node.client.execute_command("CLUSTER", "MYID").decode())


# A catalog that changed


def test_a_record_of_an_older_catalog_is_translated_by_the_ids_of_its_tracks(
    runtime: Runtime, tmp_path: Path
) -> None:
    path = write_config(tmp_path / "newer")
    tracks = path.parent / "tracks.jsonl"
    lines = tracks.read_text().splitlines()
    # The same tracks in a new order, with a new one in front.
    fresh = lines[0].replace("1000", "999")
    tracks.write_text("\n".join([fresh, *reversed(lines)]) + "\n")
    newer = loaded(
        tmp_path / "newer",
        catalog={"tracks": "tracks.jsonl"},
        strategies={"random": {"type": "random"}},
        default="random",
        experiments=[],
    )
    assert newer.catalog.checksum != runtime.catalog.checksum
    with running_redis(tmp_path / "redis") as server:
        with driver(runtime, server, Log(), Clock()) as older:
            older.recommend(Request(7, 1000, 0.5), 0.0)
            older.recommend(Request(7, "elsewhere", 0.7), 0.0)
        with driver(newer, server, Log(), Clock()) as process:
            turn = process.recommend(Request(7, 1070, 1.0), 0.0)
            assert (turn.number, turn.degraded) == (3, False)
            record = process.state.get("7")
            assert record is not None
            ids = newer.catalog.ids
            heard = [(word >> 32) - 1 for word in record.history.listens]
            assert [ids[track] if track >= 0 else None for track in heard] == [1000, None, 1070]
        # A process that still has the older catalog translates it back.
        with driver(runtime, server, Log(), Clock()) as older:
            assert older.recommend(Request(7, 1010, 1.0), 0.0).number == 4


@pytest.mark.parametrize("value", [b"not ours", b"\x09 a later version"], ids=["list", "version"])
def test_a_key_that_is_no_record_of_ours_costs_only_its_listener_the_state(
    runtime: Runtime, tmp_path: Path, value: bytes
) -> None:
    with running_redis(tmp_path) as server, driver(runtime, server, Log(), Clock()) as shared:
        if value == b"not ours":
            server.client.rpush("segue:{7}", value)
        else:
            server.client.set("segue:{7}", value)
        first, second = shared.dispatch([Arrival(Request(7), 0.0), Arrival(Request(8), 0.0)])
        assert (first.degraded, second.degraded) == (True, False)
        assert shared.recommend(Request(8), 0.0).number == 2


def test_a_redis_that_forgets_its_scripts_gets_them_again(runtime: Runtime, tmp_path: Path) -> None:
    with running_redis(tmp_path) as server, driver(runtime, server, Log(), Clock()) as shared:
        shared.recommend(Request(7), 0.0)
        server.client.script_flush()
        assert shared.recommend(Request(7), 0.0).number == 2


def test_a_full_redis_that_evicts_nothing_costs_the_state_and_no_answer(
    runtime: Runtime, tmp_path: Path
) -> None:
    with (
        running_redis(tmp_path, "--maxmemory-policy", "noeviction") as server,
        driver(runtime, server, Log(), Clock()) as shared,
    ):
        server.client.config_set("maxmemory", "1")
        assert shared.recommend(Request(7), 0.0).degraded
        server.client.config_set("maxmemory", "0")
        assert shared.recommend(Request(7), 0.0).number == 1


def test_passwords_and_databases_are_used(runtime: Runtime, tmp_path: Path) -> None:
    with running_redis(tmp_path, "--requirepass", "secret") as server:
        url = f"redis://:secret@127.0.0.1:{server.port}/3"
        with driver(runtime, server, Log(), Clock(), url=url) as shared:
            assert shared.dispatcher.store.problem is None
            assert shared.recommend(Request(7), 0.0).number == 1
        with redis.Redis.from_url(url) as client:
            assert client.exists("segue:{7}")
        with driver(runtime, server, Log(), Clock(), timeout_ms=50) as refused:
            assert refused.recommend(Request(7), 0.0).degraded
            assert "uthentication" in (refused.dispatcher.store.problem or "")
