"""Local Azure on a port: in this process, in a thread (`LocalAzure`), or as the whole of one (`serve`)."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
import time
from pathlib import Path
from types import TracebackType

import uvicorn

from infra.localazure import tls
from infra.localazure.clock import VirtualClock
from infra.localazure.http.app import App
from infra.localazure.seed import Seed, plant
from infra.localazure.world import World

LOOPBACK = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))


class PortTaken(Exception):
    """The port is in use; the text says which."""


class LocalAzure:
    """A local Azure inside this process, on a loopback port, for tests and tools.

    >>> with LocalAzure() as azure:                                        # doctest: +SKIP
    ...     azure.origin, azure.authority
    """

    def __init__(self, folder: Path | None = None, port: int = 0, clock: VirtualClock | None = None) -> None:
        """Keep the state in `folder` (default: nowhere); listen on `port` (0: any free one)."""
        self._temporary = tempfile.TemporaryDirectory(prefix="local-azure-") if folder is None else None
        self._certificates = tls.ensure(Path(self._temporary.name) if self._temporary else _require(folder))
        self.world = World(folder, clock)
        self.app = App(self.world)
        self._sockets = listen(port)
        self.port = int(self._sockets[0].getsockname()[1])
        self.world.origin = f"https://localhost:{self.port}"
        self._server = uvicorn.Server(config(self.app, self._certificates))
        self._thread = threading.Thread(target=self._server.run, args=(self._sockets,), daemon=True)

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return self.world.origin

    @property
    def authority(self) -> Path:
        """The certificate that its clients must trust."""
        return self._certificates.authority

    def start(self) -> LocalAzure:
        """Begin to listen; returns when it does."""
        self._thread.start()
        while not self._server.started:
            time.sleep(0.002)
        return self

    def stop(self) -> None:
        """Stop listening and let go of the state."""
        self._server.should_exit = self._server.force_exit = True  # open connections of a test need no farewell
        self._thread.join(timeout=5)
        self.world.keep_time()
        self.world.database.close()
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
        http="httptools",
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
    """Sockets on the loopback addresses, all on one port; raises PortTaken."""
    sockets: list[socket.socket] = []
    for family, address in LOOPBACK:
        try:
            made = socket.create_server((address, port), family=family, backlog=512)
        except OSError as error:
            if family is socket.AF_INET:
                raise PortTaken(f"port {port} on {address} cannot be had: {error.strerror or error}") from error
            continue  # a machine without IPv6, or whose ::1 has the port taken: IPv4 serves
        made.setblocking(False)
        sockets.append(made)
        port = int(made.getsockname()[1])
    return sockets


def serve(folder: Path, port: int, control_key: str, planted: Seed | None = None) -> None:
    """Be a local Azure until told to stop (SIGINT, SIGTERM); the state is kept in `folder`.

    Raises PortTaken, and BadSeed for a seed that names a role or a base model which does not exist.
    """
    certificates = tls.ensure(folder)
    world = World(folder)
    if planted is not None:
        plant(world, planted)
    sockets = listen(port)
    world.origin = f"https://localhost:{sockets[0].getsockname()[1]}"
    server = uvicorn.Server(config(App(world, control_key), certificates))
    stop = threading.Event()
    keeper = threading.Thread(target=_keep_time, args=(world, stop), daemon=True)
    keeper.start()
    with contextlib.suppress(KeyboardInterrupt):
        server.run(sockets)
    stop.set()
    keeper.join()
    world.keep_time()
    world.database.close()


def _keep_time(world: World, stop: threading.Event) -> None:
    """Write the clock down once a second, so that a kill costs no more than that."""
    while not stop.wait(1):
        world.keep_time()


def _require(folder: Path | None) -> Path:
    if folder is None:
        raise ValueError("a folder is needed here")
    return folder
