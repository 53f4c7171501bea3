"""The cost of a reload for concurrent requests; run with `python -m benchmarks.reload`.

A separate server serves the default world, four clients send a request 2 ms after each answer, and
there is a reload each second. The table compares the clients' latencies within reloads and between
them, in one run.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
from itertools import count
from pathlib import Path
from time import perf_counter

import yaml
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
CLIENTS = 4
RELOADS = 8
PAUSE_S = 0.002
BETWEEN_S = 1.0
TOKEN = "a token for this run"


def main() -> None:
    """Print how long reloads take, and latencies within and between them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.yaml"
        config = yaml.safe_load((ROOT / "config.yaml").read_text())
        catalog = config["catalog"]
        catalog |= {"tracks": str(ROOT / catalog["tracks"]), "top": str(ROOT / catalog["top"])}
        catalog["lists"] = {name: str(ROOT / lists) for name, lists in catalog["lists"].items()}
        path.write_text(yaml.safe_dump(config))
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "serve", "--config", str(path), "--port", "0"],
            cwd=ROOT,
            env={**os.environ, "SEGUE_ADMIN_TOKEN": TOKEN},
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stderr is not None
            shown = next(line for line in process.stderr if "Listening on" in line)
            port = int(shown.rpartition("127.0.0.1:")[2].split()[0])
            reloads, requests = asyncio.run(_run(port))
        finally:
            process.terminate()
            process.communicate(timeout=20)
    _print(reloads, requests)


async def _run(port: int) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Time the start and the end of each reload and of each request."""
    reloads: list[tuple[float, float]] = []
    requests: list[tuple[float, float]] = []
    over = asyncio.Event()

    async def keep_requesting(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for step in count():
            user, track = (7 * step + number) % 5000, step % 5000
            body = b'{"user": %d, "track": %d, "time": 0.9}' % (user, track)
            requests.append(await _post(reader, writer, "/recommend", body))
            await asyncio.sleep(PAUSE_S)
            if over.is_set():
                break
        writer.close()

    async def keep_reloading() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(RELOADS):
            await asyncio.sleep(BETWEEN_S)
            reloads.append(await _post(reader, writer, "/admin/reload"))
        over.set()
        writer.close()

    await asyncio.gather(keep_reloading(), *(keep_requesting(number) for number in range(CLIENTS)))
    return reloads, requests


async def _post(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: bytes = b""
) -> tuple[float, float]:
    """Time a request's start and its answer; a client library would cost more than the request."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
    head += "Content-Type: application/json\r\n"
    start = perf_counter()
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    content = await reader.readexactly(length)
    if b" 200 " not in answer[:16]:
        sys.exit(content.decode())
    return start, perf_counter()


def _print(reloads: list[tuple[float, float]], requests: list[tuple[float, float]]) -> None:
    within, between = [], []
    for start, end in requests:
        disturbed = any(start < until and since < end for since, until in reloads)
        (within if disturbed else between).append(1000 * (end - start))
    median_s = statistics.median(until - since for since, until in reloads)
    table = Table(title=f"{len(reloads)} reloads, median {median_s:.2f} s")
    for column in ("requests", "count", "median ms", "p99 ms", "worst ms"):
        table.add_column(column)
    for name, latencies in (("between reloads", between), ("within a reload", within)):
        p99 = statistics.quantiles(latencies, n=100)[98]
        figures = (statistics.median(latencies), p99, max(latencies))
        table.add_row(name, str(len(latencies)), *(f"{figure:.1f}" for figure in figures))
    Console().print(table)


if __name__ == "__main__":
    main()
