"""Local Azure on a port: in this process, in a thread (`LocalAzure`), or as the whole of one (`serve`)."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
import sqlite3
import struct
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from infra.localazure import faults, federation, seed, tls
from infra.localazure.clock import VirtualClock
from infra.localazure.http.app import ABORT, App
from infra.localazure.runner import Runner
from infra.localazure.switches import Switches
from infra.localazure.world import World

_log = logging.getLogger("infra.localazure")
LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
KEEP_SECONDS = 1.0
"""How often the clock is written down."""
_NO_IPV6 = {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT}
_TRIES = 20
_HIGHEST_PORT = 65535


class PortTaken(Exception):
    """The port is in use; the text says which."""


_LINGER_NOT = struct.pack("ii", 1, 0)


class _Resettable(HttpToolsProtocol):
    """uvicorn's HTTP, and a way for a fault to reset the connection: what is sent then is RST, not a polite end."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[ABORT] = self._abort  # type: ignore[literal-required]

    def _abort(self) -> None:
        plain = self.transport.get_extra_info("socket")
        if plain is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        self.transport.abort()


class _Threaded(uvicorn.Server):
    """uvicorn in a thread of a test: it ends at once, and cuts what connections are still open."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop, self._end = asyncio.get_running_loop(), asyncio.Event()
        await super().startup(sockets)

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self._end.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for connection in list(self.server_state.connections):
            connection.transport.abort()  # closing TLS politely waits for the other side
        await super().shutdown(sockets)

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)


class LocalAzure:
    """A local Azure inside this process, on a loopback port, for tests and tools.

    >>> with LocalAzure() as azure:                                        # doctest: +SKIP
    ...     azure.plant(Path("stacks/local-azure.yaml"))
    ...     azure.switch(deployment_create=0.0)
    ...     azure.origin, azure.authority
    ...     azure.advance(days=15)
    """

    def __init__(
        self,
        folder: Path | None = None,
        port: int = 0,
        clock: VirtualClock | None = None,
        runner: Runner | None = None,
    ) -> None:
        """Keep the state in `folder` (default: nowhere); listen on `port` (0: any free one).

        `runner` runs Container Apps jobs that are started; without one they only pass.
        """
        self._temporary = tempfile.TemporaryDirectory(prefix="local-azure-") if folder is None else None
        self._certificates = tls.ensure(folder or Path(self._temporary.name if self._temporary else ""))
        self.world = World(folder, clock)
        self.app = App(self.world, runner=runner)
        self._sockets = listen(port)
        self.port = int(self._sockets[0].getsockname()[1])
        self.world.origin = f"https://localhost:{self.port}"
        self._server = _Threaded(config(self.app, self._certificates))
        self._thread = threading.Thread(target=self._server.run, args=(self._sockets,), daemon=True)
        self._keeping = contextlib.ExitStack()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return self.world.origin

    @property
    def authority(self) -> Path:
        """The certificate that its clients must trust."""
        return self._certificates.authority

    def plant(self, what: seed.Seed | Path) -> None:
        """Plant a seed, or the one of a YAML file; raises BadSeed."""
        self.app.plant(seed.read(what) if isinstance(what, Path) else what)

    def fault(self, name: str, **how: object) -> str:
        """Have a fault stand (scope, count, rate, seed, seconds, after, when); gives its id. Raises BadFault."""
        with self.world.lock:
            return faults.add(self.world, faults.read({"name": name, **how}, self.world.catalogue)).id

    def trust(self, issuer: str, keys: Sequence[dict[str, Any]]) -> None:
        """Have another issuer's tokens checked with these public keys (JWKs), as Entra does with those it reads."""
        with self.world.lock:
            federation.trust(self.world, issuer, keys)

    def clear_faults(self) -> None:
        """Take every fault away."""
        with self.world.lock:
            faults.clear(self.world)

    def switch(self, **settings: object) -> None:
        """Set some switches and leave the others; raises AttributeError for one that does not exist."""
        for name, value in settings.items():
            if name not in Switches.__struct_fields__:
                raise AttributeError(f"there is no switch {name}")
            setattr(self.world.switches, name, value)
        self.app.wire_up()

    def advance(self, **by: float) -> None:
        """Move the clock ahead by days, hours, seconds …; what is due in between happens at its own moment."""
        self.world.advance(timedelta(**by))

    def token(self, principal: str, audience: str) -> str:
        """A token for a principal (by object id) and an audience, without a login."""
        found = self.world.principals.get(principal.lower())
        if found is None:
            raise LookupError(f"there is no principal {principal}")
        return self.app.directory.issue(found, audience)

    def start(self) -> LocalAzure:
        """Begin to listen; returns when it does."""
        self._thread.start()
        self._keeping.enter_context(_kept(self.app))
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError("the server of local Azure ended before it began")
            time.sleep(0.002)
        return self

    def stop(self) -> None:
        """Stop listening and let go of the state."""
        self.app.platform.stop()
        if self._thread.is_alive():
            self._server.end()
            self._thread.join(timeout=5)
        self._keeping.close()
        for made in self._sockets:
            made.close()
        self.app.log.keep()
        self.world.close()
        if self._temporary is not None:
            self._temporary.cleanup()

    def __enter__(self) -> LocalAzure:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def config(app: App, certificates: tls.Certificates) -> uvicorn.Config:
    """How uvicorn serves: TLS, no date or server header of its own, no log."""
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=_Resettable,
        ssl_certfile=str(certificates.server),
        ssl_keyfile=str(certificates.server),
        date_header=False,
        server_header=False,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=75,
    )


def listen(port: int) -> list[socket.socket]:
    """Sockets on the loopback addresses, all on one port; raises PortTaken.

    Port 0 is any that is free on all of them: `localhost` means either address, and on neither somebody else.
    """
    if not 0 <= port <= _HIGHEST_PORT:
        raise PortTaken(f"port {port} cannot be had: there is none of that number")
    for tries_left in reversed(range(_TRIES if port == 0 else 1)):
        sockets: list[socket.socket] = []
        try:
            for family, address in LOOPBACK:
                made = _bind(family, address, port or (sockets[0].getsockname()[1] if sockets else 0))
                sockets += [made] if made is not None else []
        except OSError as error:
            for made in sockets:
                made.close()
            if tries_left == 0:
                raise PortTaken(f"port {port} on loopback cannot be had: {os.strerror(error.errno or 0)}") from error
        else:
            return sockets
    raise AssertionError("unreachable")


def _bind(family: socket.AddressFamily, address: str, port: int) -> socket.socket | None:
    """A listening socket; None for IPv6 on a machine without it."""
    try:
        made = socket.create_server((address, port), family=family, backlog=512)
    except OSError as error:
        if family is socket.AF_INET6 and error.errno in _NO_IPV6:
            return None
        raise
    made.setblocking(False)
    return made


def serve(
    folder: Path,
    sockets: list[socket.socket],
    control_key: str,
    planted: seed.Seed | None = None,
    runner: Runner | None = None,
) -> None:
    """Be a local Azure until told to stop (SIGINT, SIGTERM); the state is kept in `folder`.

    Raises BadSeed for a seed that names what does not exist.
    """
    certificates = tls.ensure(folder)
    world = World(folder)
    if planted is not None:
        seed.plant(world, planted)
    world.origin = f"https://localhost:{sockets[0].getsockname()[1]}"
    app = App(world, control_key, planted, runner)
    server = uvicorn.Server(config(app, certificates))
    # uvicorn stops at SIGTERM and then raises it once more, with the handler that was there before: that would end the
    # process before it has written down the moment.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with _kept(app), contextlib.suppress(KeyboardInterrupt):
        server.run(sockets)
    app.platform.stop()
    app.log.keep()
    world.close()


@contextlib.contextmanager
def _kept(app: App) -> Iterator[None]:
    """Write the clock down once a second, a little ahead of itself, and the log, as long as this lasts."""
    stop, world = threading.Event(), app.world

    def keep() -> None:
        while True:
            try:
                with world.lock:
                    world.keep_time()
                    app.log.keep()
            except sqlite3.Error:  # a full disk, say: the next second tries again
                _log.exception("the clock and the log could not be written down")
            if stop.wait(KEEP_SECONDS):
                return

    world.kept_ahead = timedelta(seconds=2 * KEEP_SECONDS)
    keeper = threading.Thread(target=keep, daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join()
