"""The same random sequences of turns as over memory, over a real Redis: the same model holds."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings

from tests import needs
from tests.engine.test_listener_histories import VARIANTS, TurnSequences, variant_runtimes
from tests.redis_server import RedisServer, running_redis
from tests.shared_state import SharedDriver


class SharedTurnSequences(TurnSequences):
    """A dispatcher over Redis under random steps, beside a model of its state."""

    server: RedisServer

    def make_dispatcher(self) -> Any:
        self.server.client.flushdb()
        self.driver = SharedDriver(self.runtime, self.server, self.log, self.clock)
        return self.driver

    def teardown(self) -> None:
        if hasattr(self, "driver"):
            self.driver.close()
        super().teardown()


@pytest.fixture(scope="module", autouse=True)
def _server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    assert VARIANTS
    TurnSequences.runtimes = variant_runtimes(tmp_path_factory)
    with running_redis(tmp_path_factory.mktemp("redis")) as server:
        SharedTurnSequences.server = server
        yield


@needs.program("redis-server")
class TestSharedTurnSequences(SharedTurnSequences.TestCase):  # type: ignore[misc, name-defined]
    settings = settings(max_examples=25, stateful_step_count=30, deadline=None, derandomize=True)
