"""Run one Pulumi program, in whatever virtual environment the project names.

    run_program.py --at PATH PID    wait at a Unix socket for the language host, as long as process PID lives
    run_program.py --on FD          the language host is at the other end of this socket already

The language host starts this file, by its path, before it knows what to run; the SDK is imported in the
meantime. It is told our process id, then sends two descriptors, the stdout and stderr to use, and the order,
one JSON document:

    monitor, engine     addresses of the engine's two services
    project, stack, organization, root     names, and the project's folder
    dry_run, parallel   whether this is a preview; how many resources at once
    config, secret_keys configuration values by full key; which of those are secret
    pwd, program, args  the folder to run in, the file or folder to run, its arguments

The answer is an exit code: 0 it ran · 32 it failed and the user has been told why · else it failed.
"""

import asyncio
import atexit
import json
import logging
import os
import runpy
import select
import socket
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

SAID = 32
WAIT = 10.0  # seconds; the second host of a command comes within half of one
_LOOK_EVERY = 0.2  # seconds
_THREADS_PER_RESOURCE = 4

# Loaded while there is no order yet, one by one: what nearly every program of this project needs.
_WARM = (
    "pulumi",
    "pulumi_azure_native.resources",
    "pulumi_azure_native.cognitiveservices",
    "pulumi_azure_native.authorization",
)


def main() -> None:
    """Wait for the order, carry it out and say how it went."""
    host = _accept(sys.argv[2], int(sys.argv[3])) if sys.argv[1] == "--at" else socket.socket(fileno=int(sys.argv[2]))
    if host is None:
        return
    host.sendall(str(os.getpid()).encode())
    order = _receive(host)
    if order is None:
        return
    threading.Thread(target=_end_with, args=(host,), daemon=True).start()
    code = _carry_out(order)
    _leave(host, code)


def _accept(place: str, engine: int) -> socket.socket | None:
    """The host, once it comes, or None when the engine is gone or nobody came in time."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        try:
            listener.bind(place)
        except OSError:
            return None  # somebody waits here already
        try:
            listener.listen(1)
            _import_until(listener)
            until = time.monotonic() + WAIT
            while _lives(engine) and time.monotonic() < until:
                if select.select([listener], [], [], _LOOK_EVERY)[0]:
                    return listener.accept()[0]
            return None
        finally:
            Path(place).unlink(missing_ok=True)


def _import_until(listener: socket.socket) -> None:
    for module in _WARM:
        if select.select([listener], [], [], 0)[0]:
            return
        with suppress(ImportError):
            hasattr(import_module(module), "a")  # azure-native's packages are lazy: asked for a thing, they load


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def _receive(host: socket.socket) -> dict[str, Any] | None:
    """The order, or None when the host has none after all. The output it sends becomes ours."""
    length, descriptors, _, _ = socket.recv_fds(host, 8, 2)
    for ours, theirs in zip((1, 2), descriptors, strict=False):
        os.dup2(theirs, ours)
        os.close(theirs)
    # As at a terminal: what the program prints is seen when it prints it.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    with host.makefile("rb") as stream:
        order = stream.read(int.from_bytes(length))
    return json.loads(order) if order else None


def _end_with(host: socket.socket) -> None:
    """Leave as soon as the host is gone: then the engine is, or has no more use for us."""
    with suppress(OSError):
        host.recv(1)  # it says nothing more; this ends when it closes
    os._exit(1)


def _leave(host: socket.socket, code: int) -> None:
    """Do what Python does at its end, tell the host, and be gone.

    Taking a hundred modules apart lasts a tenth of a second, in which the engine would wait for the end of
    our output.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # waits for threads that are not daemons
    with suppress(Exception):  # it has been printed
        atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    host.sendall(str(code).encode())
    os._exit(0)


def _carry_out(order: dict[str, Any]) -> int:
    try:
        import pulumi  # noqa: PLC0415 -- in the program's own virtual environment, where it may be missing
    except ImportError as error:
        sys.stderr.write(f"{sys.executable}: the Pulumi SDK cannot be imported ({error}). Install it there.\n")
        return 1
    _configure(order)
    os.chdir(order["pwd"])
    sys.argv = [order["program"], *order["args"]]
    # Coroutines that nobody awaited any more after a failure are no news to the user.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    try:
        _run(order)
    except KeyboardInterrupt:
        return 1
    except SystemExit as leave:
        if isinstance(leave.code, str):
            sys.stderr.write(f"{leave.code}\n")
        return leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return SAID
    except Exception:
        pulumi.log.error("Program failed with an unhandled exception:\n" + _traceback(order["program"]))
        return SAID
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _configure(order: dict[str, Any]) -> None:
    """Tell the SDK where the engine is and what the stack's configuration says."""
    import pulumi.runtime  # noqa: PLC0415

    # The SDK takes the configuration from here; a program may look at the two variables itself.
    os.environ["PULUMI_CONFIG"] = json.dumps(order["config"])
    os.environ["PULUMI_CONFIG_SECRET_KEYS"] = json.dumps(order["secret_keys"])
    pulumi.runtime.set_all_config(order["config"], order["secret_keys"])
    pulumi.runtime.configure(
        pulumi.runtime.Settings(
            monitor=order["monitor"],
            engine=order["engine"],
            project=order["project"],
            stack=order["stack"],
            organization=order["organization"],
            root_directory=order["root"],
            parallel=order["parallel"],
            dry_run=order["dry_run"],
        )
    )


def _run(order: dict[str, Any]) -> None:
    """Run the program inside its stack, until the last resource is registered."""
    import pulumi.runtime  # noqa: PLC0415

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        with ThreadPoolExecutor(max(order["parallel"], 1) * _THREADS_PER_RESOURCE) as executor:
            loop.set_default_executor(executor)
            loop.run_until_complete(pulumi.runtime.run_in_stack(lambda: _run_file(order["program"])))
    finally:
        loop.close()


def _run_file(program: str) -> None:
    import pulumi  # noqa: PLC0415

    if Path(program).is_dir() and not (Path(program) / "__main__.py").is_file():
        raise pulumi.RunError(f"{Path(program).resolve()} has no __main__.py to run")
    runpy.run_path(program, run_name="__main__")


def _traceback(program: str) -> str:
    """The traceback of the exception at hand, from the program's first line on: no frames of ours."""
    path = Path(program).resolve()
    main_file = path / "__main__.py" if path.is_dir() else path
    frames = traceback.extract_tb(sys.exc_info()[2])
    for index, frame in enumerate(frames):
        if Path(frame.filename).resolve() == main_file:
            return traceback.format_exc(limit=index - len(frames))
    return traceback.format_exc()


if __name__ == "__main__":
    main()
