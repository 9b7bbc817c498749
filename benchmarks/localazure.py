"""Local Azure under load: answers a second beside a bare application, and ten thousand deployments in state."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import uvloop

from benchmarks.report import Row
from benchmarks.timing import side_by_side
from infra.localazure import VirtualClock, process, seed
from infra.localazure.world import World
from tests.localazure.cloud import OWNER_APP, SECRET, SEED, TENANT, crowd

DEPLOYMENTS, GETS, CONNECTIONS = 10_000, 2_000, 8
MEGABYTE = 1024 * 1024


def rows() -> Iterator[Row]:
    """Every measurement of this page."""
    with tempfile.TemporaryDirectory(prefix="hearth-bench-") as name, _crowded(Path(name) / "azure") as (running, bots):
        context = ssl.create_default_context(cafile=str(running.authority))
        token = _token(running, context)
        path = f"{bots[0]}?api-version=2025-06-01"
        yield from _throughput(running, context, path, token, Path(name))
        yield _listing(running, context, bots[0].rpartition("/")[0], token)
        yield Row(
            f"memory with {DEPLOYMENTS:,} deployments in state, in MB",
            _memory(running.pid),
            200,
            "resident, after that",
        )
        yield _advance(running, context)


@contextmanager
def _crowded(folder: Path) -> Iterator[tuple[process.Running, list[str]]]:
    """A process with ten thousand deployments in one account, its clock frozen."""
    seed_file = folder.parent / "seed.yaml"
    seed_file.write_bytes(msgspec.yaml.encode(msgspec.to_builtins(SEED)))
    world = World(folder, VirtualClock(factor=0))
    with world.database:
        seed.plant(world, SEED)
        bots = crowd(world, DEPLOYMENTS, per_account=DEPLOYMENTS)
    world.close()
    running = process.start(folder, seed=seed_file)
    try:
        yield running, bots
    finally:
        process.stop(folder)


def _throughput(
    running: process.Running, context: ssl.SSLContext, path: str, token: str, folder: Path
) -> Iterator[Row]:
    """GETs of a deployment on connections that are kept, beside the same bytes from a bare application."""
    headers = {"authorization": f"Bearer {token}"}
    body = asyncio.run(_ask(running.port, context, "GET", path, headers))
    (folder / "body").write_bytes(body)
    with _bare(running, context, path.partition("?")[0], folder) as port:
        times = side_by_side(
            {
                "local Azure": lambda: _load(running.port, context, path, headers),
                "bare": lambda: _load(port, context, path, headers),
            },
            rounds=5,
        )
    ours, bare = times["local Azure"].middle, times["bare"].middle
    yield Row("seconds per 1,000 GETs of a deployment over TLS with keep-alive", ours * 1000 / GETS, 1.0,
              f"{GETS / ours:.0f}/s, client and server a process each")  # fmt: skip
    yield Row("the same beside a bare Starlette application over the same server", ours / bare, None,
              f"bare: {GETS / bare:.0f}/s")  # fmt: skip


@contextmanager
def _bare(running: process.Running, context: ssl.SSLContext, path: str, folder: Path) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    command = [sys.executable, "-m", "benchmarks.bare_http", running.folder, port, path, folder / "body"]
    with subprocess.Popen([str(part) for part in command]) as child:
        try:
            _await(port)
            yield port
        finally:
            child.terminate()


def _await(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return


def _listing(running: process.Running, context: ssl.SSLContext, path: str, token: str) -> Row:
    """Every page of the list of an account's deployments."""
    headers, found, pages = {"authorization": f"Bearer {token}"}, 0, 0

    async def read_all() -> None:
        nonlocal found, pages
        reader, writer = await _connect(running.port, context)
        following = f"{path}?api-version=2025-06-01"
        while following:
            writer.write(_request("GET", following, headers, b""))
            page = json.loads(await _answer(reader))
            found, pages = found + len(page["value"]), pages + 1
            following = (page.get("nextLink") or "").removeprefix(running.origin)
        writer.transport.abort()

    started = time.perf_counter()
    asyncio.run(read_all())
    took = time.perf_counter() - started
    if found != DEPLOYMENTS:
        raise RuntimeError(f"{found} deployments were listed")
    return Row(
        f"every page of {DEPLOYMENTS:,} deployments of one account, in seconds", took, 1.0, f"{pages} pages, and read"
    )


def _advance(running: process.Running, context: ssl.SSLContext) -> Row:
    """Fifteen days and the hours in which ten thousand deployments end, each at its own second."""
    body = json.dumps({"seconds": 15 * 86400 + DEPLOYMENTS}).encode()
    headers = {"x-local-azure-key": running.control_key}
    started = time.perf_counter()
    asyncio.run(_ask(running.port, context, "POST", "/.local-azure/clock/advance", headers, body))
    took = time.perf_counter() - started
    return Row(f"15 days in which {DEPLOYMENTS:,} deployments end, in seconds", took, 1.0, "written to disk")


def _memory(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) * 1024 / MEGABYTE


# --- a client that costs little ------------------------------------------------------------------------------------


def _token(running: process.Running, context: ssl.SSLContext) -> str:
    form = {"grant_type": "client_credentials", "client_id": OWNER_APP, "client_secret": SECRET}
    body = urlencode({**form, "scope": "https://management.azure.com/.default"}).encode()
    found = asyncio.run(_ask(running.port, context, "POST", f"/{TENANT}/oauth2/v2.0/token", {}, body))
    return str(json.loads(found)["access_token"])


def _load(port: int, context: ssl.SSLContext, path: str, headers: dict[str, str]) -> None:
    async def one() -> None:
        reader, writer = await _connect(port, context)
        request = _request("GET", path, headers, b"")
        for _ in range(GETS // CONNECTIONS):
            writer.write(request)
            await _answer(reader)
        writer.transport.abort()

    async def all_of_them() -> None:
        await asyncio.gather(*(one() for _ in range(CONNECTIONS)))

    uvloop.run(all_of_them())


async def _connect(port: int, context: ssl.SSLContext) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("localhost", port, ssl=context, family=socket.AF_INET, limit=64 * MEGABYTE)


async def _ask(
    port: int, context: ssl.SSLContext, method: str, path: str, headers: dict[str, str], body: bytes = b""
) -> bytes:
    reader, writer = await _connect(port, context)
    writer.write(_request(method, path, headers, body))
    try:
        return await _answer(reader)
    finally:
        writer.transport.abort()


def _request(method: str, path: str, headers: dict[str, str], body: bytes) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "host: localhost", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, *(f"{k}: {v}" for k, v in headers.items()), "", ""]).encode() + body


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    if not head.startswith("http/1.1 2"):
        raise RuntimeError(head.splitlines()[0])
    length = next(line for line in head.splitlines() if line.startswith("content-length:"))
    return await reader.readexactly(int(length.partition(":")[2]))


if __name__ == "__main__":
    os.chdir(Path(__file__).parents[1])
    for row in rows():
        print(f"{row.figure:8.2f}  {row.what} ({row.note})", flush=True)  # noqa: T201
