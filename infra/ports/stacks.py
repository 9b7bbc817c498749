"""Pulumi's stacks: state, outputs and locks, by the `pulumi` command on PATH."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from infra.errors import HearthError, NotFound, Refused, Unreachable

_LONGEST, _REFRESH_LONGEST = 120, 1800
"""Seconds that `pulumi` may take for a look at its backend, and for a refresh."""


@dataclass(frozen=True, slots=True)
class Lock:
    """A lock file of the file backend."""

    file: Path
    pid: int
    host: str
    user: str
    since: str

    @property
    def owner(self) -> str:
        """Who holds it, in words."""
        return f"{self.user}@{self.host} (process {self.pid})"

    def is_dead(self) -> bool:
        """Whether its owner was a process of this machine that has ended, or is no `pulumi` any more."""
        if self.host != socket.gethostname():
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False  # it lives, and is somebody else's
        try:
            # The name in brackets, which may hold anything; then the state: Z has ended, and nobody has waited for it,
            # as in a container whose first process waits for nobody.
            name, _, rest = Path(f"/proc/{self.pid}/stat").read_text().partition("(")[2].rpartition(")")
            return "pulumi" not in name or rest.split()[0] == "Z"
        except OSError:
            return False  # a system without /proc: its number lives, and may be another's by now; `pulumi cancel` helps

    def is_of(self, host: str) -> bool:
        """Whether its owner was a process of another machine of that very name, or of one of several (`a,b`).

        Of this machine `is_dead` can tell.
        """
        return self.host in filter(None, host.split(",")) and self.host != socket.gethostname()


@dataclass(frozen=True, slots=True)
class State:
    """What a stack's state holds."""

    ids: frozenset[str]
    """Ids in Azure, in lower case."""
    pending: tuple[str, ...]
    """URNs of operations that were under way when the engine died."""
    outputs: dict[str, Any] | None = None
    """The stack's outputs; None where the stack does not exist."""


class Stacks:
    """The stacks of a project."""

    def __init__(self, root: Path, project: str, env: Mapping[str, str] = os.environ) -> None:
        """`root` is the folder with Pulumi.yaml."""
        self._root, self._project, self._env = root, project, env

    def names(self) -> list[str]:
        """The stacks that the backend knows of this project."""
        rows = json.loads(self._run("stack", "ls", "--json"))
        return [str(row["name"]).rsplit("/", 1)[-1] for row in rows]

    def create(self, stack: str, secrets_provider: str | None = None) -> None:
        """Make a stack; without one named, its secrets provider is the backend's usual one. One that is there is fine.

        Raises Refused.
        """
        try:
            self._run("stack", "init", stack, *(["--secrets-provider", secrets_provider] if secrets_provider else []))
        except Refused as error:
            if "already exists" not in str(error):
                raise

    def remove(self, stack: str) -> None:
        """Forget a stack that holds nothing; its file stays. Raises Refused for one that holds resources."""
        self._run("stack", "rm", stack, "--yes", "--preserve-config")

    def outputs(self, stack: str) -> dict[str, Any] | None:
        """A stack's outputs; None where the stack does not exist yet."""
        try:
            found: dict[str, Any] = json.loads(self._run("stack", "output", "--json", "--stack", stack))
        except NotFound:
            return None
        return found

    def state(self, stack: str) -> State:
        """What the state holds; an unknown stack holds nothing."""
        try:
            exported = json.loads(self._run("stack", "export", "--stack", stack))
        except NotFound:
            return State(frozenset(), ())
        deployment = exported.get("deployment") or {}
        held = {str(r["id"]).lower() for r in deployment.get("resources") or [] if r.get("custom") and r.get("id")}
        pending = [str(p["resource"]["urn"]) for p in deployment.get("pending_operations") or []]
        return State(frozenset(held), tuple(pending), _outputs(deployment))

    def refresh(self, stack: str) -> None:
        """Bring the state to what Azure has. Raises Refused with what the engine says."""
        # From the state alone: the program has nothing to say about what is there.
        self._run("refresh", "--yes", "--skip-preview", "--run-program=false", "--stack", stack)

    def clear_pending(self, stack: str) -> None:
        """Forget operations that were under way when the engine died; the resources themselves stay as they are."""
        exported = json.loads(self._run("stack", "export", "--stack", stack))
        exported["deployment"].pop("pending_operations", None)
        self._run("stack", "import", "--stack", stack, stdin=json.dumps(exported))

    def locks(self, stack: str) -> list[Lock]:
        """The locks on a stack. Backends other than the file backend keep theirs where only they can look: none."""
        folder = self._local_backend()
        if folder is None:
            return []
        found = []
        for file in (folder / ".pulumi" / "locks" / "organization" / self._project / stack).glob("*.json"):
            try:
                data = json.loads(file.read_text())
            except (FileNotFoundError, ValueError):
                continue  # gone meanwhile, or half written by somebody who is about to finish
            lock = Lock(file, int(data["pid"]), str(data["hostname"]), str(data["username"]), str(data["timestamp"]))
            found.append(lock)
        return found

    def shows_locks(self) -> bool:
        """Whether the backend's locks can be looked at: those of the file backend can."""
        return self._local_backend() is not None

    def remove_lock(self, lock: Lock) -> None:
        """Remove a lock; one that is gone is fine."""
        lock.file.unlink(missing_ok=True)

    def backend(self) -> str:
        """The backend's address, where the environment, the project or the login names one."""
        named = self._env.get("PULUMI_BACKEND_URL")
        return named or str(json.loads(self._run("whoami", "--json")).get("url", ""))

    def _local_backend(self) -> Path | None:
        address = self.backend()
        if not address.startswith("file://"):
            return None
        folder = unquote(address.removeprefix("file://").partition("?")[0])
        return self._root / Path(folder).expanduser()  # a relative one starts where pulumi is run: in the project

    def _run(self, *arguments: str, stdin: str | None = None) -> str:
        pulumi = executable(self._env)
        longest = _REFRESH_LONGEST if arguments[0] == "refresh" else _LONGEST
        try:
            done = subprocess.run(
                [pulumi, *arguments, "--non-interactive"],
                cwd=self._root,
                env=self._env,
                input=stdin,
                capture_output=True,
                text=True,
                check=False,
                timeout=longest,
            )
        except subprocess.TimeoutExpired as error:
            raise Unreachable(f"`pulumi {' '.join(arguments[:2])}` has not answered in {longest} seconds") from error
        if done.returncode:
            raise meaning(done.stderr)
        return done.stdout


def executable(env: Mapping[str, str] = os.environ) -> str:
    """The `pulumi` on PATH; raises Unreachable."""
    command = shutil.which("pulumi", path=env.get("PATH", os.defpath))
    if command is None:
        raise Unreachable(
            'No `pulumi` is on PATH. Install it, or for local Azure run: eval "$(.venv/bin/hearth local env)"'
        )
    return command


def _outputs(deployment: Mapping[str, Any]) -> dict[str, Any]:
    """The outputs of a stack's resource of itself; none before its first `up`."""
    for resource in deployment.get("resources") or []:
        if resource.get("type") == "pulumi:pulumi:Stack":
            return dict(resource.get("outputs") or {})
    return {}


def meaning(text: str) -> HearthError:
    """What `pulumi` wrote to stderr when it failed, as an error with the next move."""
    fact = " ".join(line.strip() for line in text.splitlines() if line.strip()).removeprefix("error: ")
    if "no stack named" in fact:
        return NotFound(fact)
    if "PULUMI_ACCESS_TOKEN" in fact or "pulumi login" in fact:
        return Refused(f"Pulumi has no backend to ask: {fact} Name one in PULUMI_BACKEND_URL, or log in.")
    if "passphrase" in fact:
        return Refused(f"Pulumi cannot read the stack's secrets: {fact} Set PULUMI_CONFIG_PASSPHRASE.")
    return Refused(f"pulumi: {fact}")
