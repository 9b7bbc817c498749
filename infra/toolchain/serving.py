"""How both stand-ins serve: a gRPC server on loopback, its port on stdout, a graceful end.

The only file that imports gRPC, which comes without types: the services are checked against the type
files of the protocol's own stubs.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import NoReturn, TypeAlias

import grpc

Server: TypeAlias = grpc.Server
Context: TypeAlias = grpc.ServicerContext
"""One call: its deadline, its metadata, its end."""

Status: TypeAlias = grpc.StatusCode

GRACE = 2.0  # seconds; the engine itself kills a plugin five seconds after its SIGINT
_OPTIONS = [
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    ("grpc.so_reuseport", 0),
]


def refuse(context: Context, status: Status, text: str) -> NoReturn:
    """End a call with an error; the engine shows the text to the user."""
    context.abort(status, text)
    raise AssertionError("abort raises")


def start(register: Callable[[Server], None], *, threads: int) -> tuple[Server, int]:
    """Start a server on a free port of loopback; give it and the port."""
    server = grpc.server(ThreadPoolExecutor(threads), options=_OPTIONS)
    register(server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    return server, port


def serve(
    register: Callable[[Server], None],
    *,
    threads: int,
    on_stop: Callable[[], None],
    meanwhile: Callable[[], object] = lambda: None,
) -> None:
    """Serve until SIGINT or SIGTERM, then leave the process.

    The port is the first line on stdout and the only one: the engine reads it there. `on_stop` is called
    at the signal, before requests under way get `GRACE` seconds to come to their end. `meanwhile` is called
    once, in a thread of its own, when the engine can reach us.
    """
    # The wakeup pipe, because a signal may land on any thread: a main thread that sits in a system call
    # would not hear of it, and the engine would have to kill us.
    asked, ask = os.pipe()
    os.set_blocking(ask, False)
    signal.set_wakeup_fd(ask)
    for sign in (signal.SIGINT, signal.SIGTERM):
        signal.signal(sign, _do_nothing)
    server, port = start(register, threads=threads)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    threading.Thread(target=meanwhile, daemon=True).start()
    os.read(asked, 1)
    on_stop()
    server.stop(GRACE).wait()
    # A worker thread may still wait for a slow answer; nobody is interested in it any more.
    os._exit(0)


def _do_nothing(_signal: int, _frame: FrameType | None) -> None:
    """A handler, so that the signal neither ends the process nor raises; the pipe says the rest."""
