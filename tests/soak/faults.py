"""Faults that strike a server under load; each knows what must hold while and after it strikes."""

import asyncio
import random
import shutil
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from tests.soak.answers import Answer, read_answer
from tests.soak.ground import Ground
from tests.soak.ledger import Ledger
from tests.soak.server_process import TOKEN, ServerProcess

PATIENCE_S = 60.0
GARBAGE = b"\x00garbage" * 1_000


@dataclass(slots=True)
class Site:
    """The place where faults strike.

    Attributes:
        server: The server.
        ground: Its files.
        ledger: What the clients know.
        draw: Draws everything about a fault that is random.
        struck: Fault -> times.
        problems: A sentence for each promise that a fault broke.
        disturbed: Whether a fault is at work during which an answer may be 503 or missing.
        disturbances: Number of such faults so far.
    """

    server: ServerProcess
    ground: Ground
    ledger: Ledger
    draw: random.Random
    struck: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    disturbed: bool = False
    disturbances: int = 0

    def calm(self) -> int | None:
        """Give a number that stays the same while nothing is disturbed; None while it is."""
        return None if self.disturbed else self.disturbances

    @asynccontextmanager
    async def disturbing(self) -> Any:
        """Mark the time in which an answer may be 503 or missing."""
        self.disturbed = True
        self.disturbances += 1
        try:
            yield
        finally:
            self.disturbed = False

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Freeze the server, so that it writes nothing during the block."""
        self.server.freeze()
        try:
            yield
        finally:
            self.server.send(signal.SIGCONT)

    async def ask(self, method: str, path: str) -> Answer:
        """Ask for something that needs no listener."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server.port)
        try:
            lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close"]
            lines.append(f"Authorization: Bearer {TOKEN}")
            writer.write("\r\n".join([*lines, "", ""]).encode())
            answer = await read_answer(reader, method)
        finally:
            writer.transport.abort()
        assert answer is not None, f"{method} {path} got no answer"
        return answer

    async def until(self, what: str, holds: Callable[[], Awaitable[bool]]) -> None:
        """Wait until something holds; it is a problem if it never does."""
        deadline = monotonic() + PATIENCE_S
        while not await holds():
            if monotonic() > deadline:
                raise AssertionError(f"after {PATIENCE_S:g} s still not: {what}")
            await asyncio.sleep(0.02)

    async def more(self, what: str, count: Callable[[], int], wanted: int = 20) -> None:
        """Wait until a number of the clients has grown."""
        least = count() + wanted

        async def grown() -> bool:
            return count() >= least

        await self.until(f"{wanted} {what}", grown)

    async def answers_again(self) -> None:
        """Wait until clients are served as usual."""
        await self.more("answers", lambda: len(self.ledger.acknowledged))
        ready = await self.ask("GET", "/readyz")
        self.expect(ready.status == 200, f"is ready again: {ready.body!r}")

    def expect(self, holds: bool, what: str) -> None:
        """Note a promise that does not hold."""
        if not holds:
            self.problems.append(f"not so: the server {what}")


async def kill(site: Site) -> None:
    """Kill the process and start the next one."""
    async with site.disturbing():
        site.server.kill()
        await asyncio.to_thread(site.server.start)
    await site.answers_again()


async def stop(site: Site) -> None:
    """Stop the process in order and start the next one."""
    async with site.disturbing():
        code = await asyncio.to_thread(site.server.stop)
        site.expect(code == 0, f"ends with exit code 0: {code}")
        await asyncio.to_thread(site.server.start)
    await site.answers_again()


async def freeze(site: Site) -> None:
    """Freeze the process, as a machine does that runs out of memory."""
    with site.frozen():
        await asyncio.sleep(site.draw.uniform(0.1, 1))
    await site.answers_again()


async def good_reload(site: Site) -> None:
    """Put the next version of the config in place, and make the server load it."""
    before = (await site.ask("GET", "/readyz")).json()["config"]
    site.ground.put_config(site.ground.version + 1)
    await _reload(site)

    async def serves_another() -> bool:
        return bool((await site.ask("GET", "/readyz")).json()["config"] != before)

    await site.until("the next config serves", serves_another)
    await site.answers_again()


async def bad_reload(site: Site) -> None:
    """Ask for a config that is faulty, or for one whose list is no list."""
    before = (await site.ask("GET", "/readyz")).json()["config"]
    if site.draw.random() < 0.5:
        site.ground.put_config(site.ground.version, spoilt=True)
    else:
        site.ground.write_over_list(GARBAGE)
    answer = await site.ask("POST", "/admin/reload")
    site.expect(answer.status == 422, f"refuses a faulty config: {answer}")
    site.ground.put_config(site.ground.version)
    site.ground.put_list(0)
    ready = await site.ask("GET", "/readyz")
    site.expect(ready.json()["config"] == before, f"serves the config before: {ready.body!r}")
    await site.answers_again()


async def list_written_over(site: Site) -> None:
    """Write over a list in place; the server must go on with what it checked."""
    site.ground.write_over_list(GARBAGE)
    await site.more("answers", lambda: len(site.ledger.acknowledged), 100)
    site.ground.put_list(0)
    await site.answers_again()


async def list_replaced(site: Site) -> None:
    """Replace a list by a sound one in one step, load it, and go back."""
    for version in (1, 0):
        site.ground.put_list(version)
        answer = await site.ask("POST", "/admin/reload")
        site.expect(answer.status == 200, f"loads the new list: {answer}")
        await site.answers_again()


async def file_too_large(site: Site) -> None:
    """Let the event file grow no further than in the middle of one of the next lines.

    The server refuses the batch that does not fit, and begins a new file.
    """
    size = site.ground.present_event_file().stat().st_size
    async with site.disturbing():
        site.server.limit_files(size + site.draw.randrange(1_000))
        await site.more("refusals", lambda: site.ledger.refusals, 1)
        site.server.limit_files(None)
        await site.until("ready", lambda: _is_ready(site))
    await site.answers_again()


async def log_file_removed(site: Site) -> None:
    """Remove the event file; its lines are copied before, so that none is missed at the end."""
    with site.frozen():
        file = site.ground.present_event_file()
        site.ground.copy_log([file])
        file.unlink()
    await site.answers_again()


async def log_folder_removed(site: Site) -> None:
    """Remove the log folder whole, with the copies of configs."""
    with site.frozen():
        site.ground.copy_log(site.ground.log.glob("events-*"))
        shutil.rmtree(site.ground.log)
    await site.answers_again()


async def log_folder_moved(site: Site) -> None:
    """Move the log folder away; the server must begin a new one within a second or two."""
    site.ground.move_log()

    async def is_there() -> bool:
        return site.ground.log.exists()

    await site.until("a new log folder", is_there)
    await site.answers_again()


async def disk_full(site: Site) -> None:
    """Fill the disk of the log."""
    async with site.disturbing():
        site.ground.fill_disk()
        await _refused_by_log(site)
        site.ground.empty_disk()
        await site.until("ready", lambda: _is_ready(site))
    await site.answers_again()


async def slow_clients(site: Site) -> None:
    """Send requests byte by byte, and stop; the server must end each with 408."""

    async def send_slowly() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.server.port)
        try:
            for byte in b"POST /recommend HTTP/1.1\r\nContent-Le":
                writer.write(bytes([byte]))
                await asyncio.sleep(0.01)
            answer = await read_answer(reader)
        finally:
            writer.transport.abort()
        return answer.status if answer is not None else 0

    statuses = await asyncio.gather(*(send_slowly() for _ in range(50)))
    site.expect(set(statuses) == {408}, f"answers slow clients with 408: {Counter(statuses)}")


RESTARTS = {"process killed": kill, "process stopped": stop}
"""Faults after which another process serves."""
FAULTS = {
    "process frozen": freeze,
    "good reload": good_reload,
    "bad reload": bad_reload,
    "list written over": list_written_over,
    "list replaced": list_replaced,
    "file too large": file_too_large,
    "log file removed": log_file_removed,
    "log folder removed": log_folder_removed,
    "log folder moved": log_folder_moved,
    "slow clients": slow_clients,
}
"""Faults that a process survives."""
WITH_DISK = {"disk full": disk_full}
"""Faults that need a disk of their own."""


async def _reload(site: Site) -> None:
    """Ask for a reload by a signal or over HTTP."""
    if site.draw.random() < 0.5:
        site.server.send(signal.SIGHUP)
    else:
        answer = await site.ask("POST", "/admin/reload")
        site.expect(answer.status == 200, f"loads a sound config: {answer}")


async def _refused_by_log(site: Site) -> None:
    """Wait until clients are refused; the server must say that it is not ready.

    Between lines that do not fit, a short one may. A look finds the shortage, at most half a second
    later; from then on the server is not ready, whatever fits.
    """

    async def is_short() -> bool:
        return b"takes no content" in (await site.ask("GET", "/readyz")).body

    await site.until("not ready with no room for its log", is_short)
    await site.more("refusals", lambda: site.ledger.refusals, 5)
    ready = await site.ask("GET", "/readyz")
    site.expect(ready.status == 503, f"is not ready with no room for its log: {ready.body!r}")
    alive = await site.ask("GET", "/healthz")
    site.expect(alive.status == 200, f"is alive while its log cannot be written: {alive.body!r}")


async def _is_ready(site: Site) -> bool:
    return (await site.ask("GET", "/readyz")).status == 200
