"""The process behind `hearth local start`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from infra.localazure import process, seed
from infra.localazure.runner import Subprocess
from infra.localazure.server import PortTaken, listen, serve


def main() -> int:
    """Serve until told to stop; what cannot be is one line on standard error."""
    parser = argparse.ArgumentParser(prog="python -m infra.localazure")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--seed", type=Path)
    given = parser.parse_args()
    try:
        lock = process.hold_lock(given.state)
        planted = seed.read(given.seed) if given.seed else None
        sockets = listen(given.port)
        process.note_port(given.state, lock, given.port)
        serve(given.state, sockets, process.control_key(given.state), planted, _runner(given.state))
    except BlockingIOError:
        print(f"another local Azure serves {given.state}", file=sys.stderr)  # noqa: T201
        return 1
    except (PortTaken, seed.BadSeed) as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 1
    return 0


def _runner(state: Path) -> Subprocess:
    """Jobs run with the programs of the Python that this process runs on."""
    return Subprocess(Path(sys.executable).parent, state / "ca-bundle.pem")


if __name__ == "__main__":
    sys.exit(main())
