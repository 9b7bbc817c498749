"""A PostgreSQL server of one's own, from Debian's packages, on a port of loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.proof import debian

_USER = "nobody"
"""PostgreSQL refuses to run as root."""


@dataclass
class Server:
    """One that may be stopped and started again."""

    programs: Path
    folder: Path
    port: int
    env: dict[str, str]

    @property
    def url(self) -> str:
        """As HEARTH_DATABASE_URL has it."""
        return f"postgresql://hearth@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._run(
            "pg_ctl", "-D", str(self.folder / "data"), "-o", options, "-l", str(self.folder / "log"), "-w", "start"
        )

    def stop(self) -> None:
        """Stop it as a machine that loses power would, nearly."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        user = {"user": _USER, "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
        # Output to a file: the server inherits it, and a pipe would never end.
        with (self.folder / "said").open("ab") as said:
            done = subprocess.run(command, env=self.env, cwd=self.folder, stdout=said, stderr=said, check=False, **user)  # type: ignore[call-overload]
        assert done.returncode == 0, (self.folder / "said").read_text() + self._log()

    def _log(self) -> str:
        file = self.folder / "log"
        return file.read_text() if file.exists() else ""


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """A fresh server in a folder; it is stopped afterwards."""
    folder.mkdir()
    folder.chmod(0o777)
    for parent in folder.parents[:-1]:  # as root, its user must get there
        if os.geteuid() == 0 and parent.stat().st_uid == 0:
            parent.chmod(parent.stat().st_mode | 0o011)
    programs, env = _programs(folder)
    made = Server(programs, folder, _free_port(), env)
    made._run("initdb", "-D", str(folder / "data"), "-U", "hearth", "-A", "trust", "--no-sync")
    made.start()
    try:
        yield made
    finally:
        made.stop()


def _programs(folder: Path) -> tuple[Path, dict[str, str]]:
    """Where its programs are: this machine's, else Debian's package; and the environment that they need."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if installed:
        return installed[-1], dict(os.environ)
    place = debian.unpacked("postgresql-15")
    if os.geteuid() == 0:  # whose home its user does not get into
        place = Path(shutil.copytree(place, folder / "debian", symlinks=True))
    return next(place.glob("usr/lib/postgresql/*/bin")), debian.environment(place)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
