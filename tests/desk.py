"""A desk: a project of its own with the real engine and a local Azure. For journeys and benchmarks."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from infra.cli.local import control
from infra.localazure import LocalAzure, Switches, ids, models, process, seed, tls
from infra.localazure.entities import Account, CustomModel, Deployment
from infra.localazure.requestlog import Logged
from infra.toolchain import home

REPOSITORY = Path(__file__).parents[1]
TRAINING, PRODUCTION = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
DEPLOYER = "dddddddd-0000-4000-8000-000000000001"
SECRET = "local-azure-throwaway"
STACKS = ("local-source", "local-target")
WRITES = {"PUT", "PATCH", "DELETE"}
TRAIN_ACCOUNT = (
    f"/subscriptions/{TRAINING}/resourceGroups/rg-contoso-train"
    "/providers/Microsoft.CognitiveServices/accounts/contoso-train-ncus"
)


@dataclass
class Running:
    """A command in the background, in a process group of its own."""

    process: subprocess.Popen[bytes]
    output: Path

    @property
    def pid(self) -> int:
        """Its process id: for `pulumi`, the engine's."""
        return self.process.pid

    def wait(self, seconds: float = 120) -> int:
        """Its exit code; negative is the signal that ended it."""
        return self.process.wait(seconds)

    def said(self) -> str:
        """What it has said until now."""
        return self.output.read_text()


@dataclass
class Desk:
    """One user's folder, shell and cloud."""

    root: Path
    azure: LocalAzure
    env: dict[str, str]
    code: int = 0
    """Exit code of the last command."""
    _started: int = field(default=0, init=False)
    _before: int = field(default=0, init=False)
    """Number of the last request before the local Azure became a process of its own."""

    def run(self, *command: str, ok: bool = True, **env: str | None) -> str:
        """Run a command and give everything that it said; `ok` demands exit code 0, otherwise another one.

        `env` is added to the desk's environment; None takes a variable away.
        """
        whole = {name: value for name, value in {**self.env, **env}.items() if value is not None}
        done = subprocess.run(
            command, cwd=self.root, env=whole, capture_output=True, text=True, timeout=180, check=False
        )
        said = done.stdout + done.stderr
        assert (done.returncode == 0) is ok, f"{' '.join(command)} → {done.returncode}\n{said}"
        self.code = done.returncode
        return said

    def pulumi(self, *arguments: str, ok: bool = True, **env: str | None) -> str:
        """Run pulumi."""
        return self.run("pulumi", "--non-interactive", *arguments, ok=ok, **env)

    def hearth(self, *arguments: str, ok: bool = True, **env: str | None) -> str:
        """Run hearth."""
        return self.run("hearth", *arguments, ok=ok, **env)

    def up(self, stack: str, *arguments: str, ok: bool = True, **env: str | None) -> str:
        """`pulumi up` without its own preview."""
        return self.pulumi("up", "--yes", "--skip-preview", "--stack", stack, *arguments, ok=ok, **env)

    def start(self, *command: str) -> Running:
        """Start a command in the background."""
        self._started += 1
        output = self.root / ".hearth" / f"said-{self._started}"
        with output.open("wb") as file:
            made = subprocess.Popen(
                command, cwd=self.root, env=self.env, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        return Running(made, output)

    def start_up(self, stack: str, *arguments: str) -> Running:
        """`pulumi up` in the background."""
        return self.start("pulumi", "--non-interactive", "up", "--yes", "--skip-preview", "--stack", stack, *arguments)

    def state(self, stack: str) -> dict[str, Any]:
        """A stack's state as it is kept; {} where nothing has ever been put up."""
        file = self.root / ".hearth" / "pulumi" / "state" / ".pulumi" / "stacks" / "hearth" / f"{stack}.json"
        kept: dict[str, Any] = json.loads(file.read_text())
        return kept["checkpoint"].get("latest") or {}

    def urn(self, stack: str, kind: str, name: str = "") -> str:
        """The URN of a resource by its type, and its name where there are several."""
        rows = self.state(stack)["resources"]
        return next(r["urn"] for r in rows if r["type"] == kind and r["urn"].endswith(f"::{name}" if name else ""))

    def processes(self) -> list[str]:
        """Processes that work in this desk's folder."""
        return processes_in(self.root)

    # --- files -----------------------------------------------------------------------------------------------------

    def stack_file(self, stack: str) -> Path:
        """The file of a stack."""
        return self.root / "stacks" / f"Pulumi.{stack}.yaml"

    def record_file(self, name: str) -> Path:
        """The file of a model record."""
        return self.root / "stacks" / "models" / f"{name}.yaml"

    def declare(self, stack: str, name: str, model: str, capacity: int = 1) -> None:
        """Add a deployment of a tuned model of the training account to a stack's file."""
        example = (REPOSITORY / "stacks" / "models" / "legacy-bot.yaml").read_text()
        lines = [f"model: {model}" if line.startswith("model:") else line for line in example.splitlines()]
        self.record_file(name).write_text("\n".join(lines) + "\n")
        entry = f"    {name}:\n      model: {name}\n      sku: {{name: standard, capacity: {capacity}}}\n"
        self.change(stack, "  hearth:deployments:\n", f"  hearth:deployments:\n{entry}")

    def change(self, stack: str, old: str, new: str) -> None:
        """Edit a stack's file."""
        file = self.stack_file(stack)
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    # --- Azure -----------------------------------------------------------------------------------------------------

    def tune(self, name: str, base: str = "gpt-4.1-mini-2025-04-14") -> str:
        """Let the training account own a further tuned model; its name."""
        world = self.azure.world
        model = f"{base}.ft-{name * 32}"[: len(base) + 36]
        with world.lock:
            models.put(world, CustomModel(id=model, account=ids.key(TRAIN_ACCOUNT), base=base, created=world.now()))
        return model

    def account(self, name: str = "contoso-train-ncus") -> Account:
        """An account as it stands."""
        return next(a for a in self.azure.world.accounts if a.name == name)

    def deployment(self, name: str) -> Deployment:
        """A deployment as it stands."""
        return next(d for d in self.azure.world.deployments if d.name == name)

    def by_hand(self, deployment: Deployment, **changes: object) -> Deployment:
        """Change a deployment as somebody else would; it gets another id to make a new one."""
        world = self.azure.world
        with world.lock:
            made = msgspec.structs.replace(deployment, **changes)
            world.deployments.put(ids.key(made.id), made)
        return made

    def advance(self, **how_far: float) -> None:
        """Move the clock of the local Azure ahead."""
        self.azure.advance(**how_far)

    def switch(self, **switches: object) -> None:
        """Set switches of the local Azure."""
        for name in switches:
            assert name in Switches.__struct_fields__
        self.azure.switch(**switches)

    @contextmanager
    def watching(self, tell: Callable[[Logged], None]) -> Iterator[None]:
        """Be told of each request, once Azure has done what it asks and before it says so.

        It is told on the server's own thread: as long as `tell` lasts, Azure stands still.
        """
        log = self.azure.app.log
        add = log.add

        def add_and_tell(*args: Any, **named: Any) -> None:
            add(*args, **named)
            tell(log[-1])

        log.add = add_and_tell  # type: ignore[method-assign]
        try:
            yield
        finally:
            del log.add  # the class's own is there again

    @contextmanager
    def at_write(self, number: int, act: Callable[[], None], *, later: int = 0) -> Iterator[threading.Event]:
        """Act once, `later` requests after the write of that number (from 1); gives what is set when it is done.

        Raises what `act` raised.
        """
        done, writes, since = threading.Event(), 0, 0
        raised: list[BaseException] = []

        def tell(entry: Logged) -> None:
            nonlocal writes, since
            if done.is_set():
                return
            since += writes >= number
            writes += entry.method in WRITES
            if writes >= number and since >= later:
                done.set()
                try:
                    act()
                except BaseException as error:  # on the server's thread it would be an error of Azure's
                    raised.append(error)

        with self.watching(tell):
            yield done
        if raised:
            raise raised[0]

    @contextmanager
    def azure_apart(self) -> Iterator[process.Running]:
        """The local Azure as a process of its own for a while, at the same port, with the same state: to be killed."""
        folder, port, log = self.root / ".hearth" / "azure", self.azure.port, self.azure.app.log
        self._before = log[-1].number if log else 0
        self.azure.stop()
        try:
            yield process.start(folder)
        finally:
            process.stop(folder)
            self.azure = LocalAzure(folder, port).start()

    def kill_azure(self, apart: process.Running, write: int) -> None:
        """Kill a local Azure in a process of its own, once that has taken the write of that number (from 1)."""

        def writes() -> int:
            entries: Any = control(apart, "GET", f"log?after={self._before}")
            return sum(entry["method"] in WRITES for entry in entries)

        wait_for(lambda: writes() >= write, f"there was no write number {write}")
        os.kill(apart.pid, signal.SIGKILL)
        os.waitpid(apart.pid, 0)

    def close(self) -> None:
        """Stop the local Azure."""
        self.azure.stop()


def wait_for(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    """Wait until a condition holds; fails with `what` when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


@contextmanager
def open_desk(root: Path, engine: Path, like: Path | None = None) -> Iterator[Desk]:
    """A copy of the example in `root`, with its own engine state and a local Azure that has been planted.

    `engine` is the folder of the Pulumi CLI. `like` is another desk's folder, closed by now: this one goes on from
    there, at the same port, which stands in the state.
    """
    root.mkdir()
    for name in ("infra", "components", "requirements.lock", ".venv"):
        (root / name).symlink_to(REPOSITORY / name)
    hidden, origin = root / ".hearth", like or REPOSITORY
    shutil.copy(REPOSITORY / "Pulumi.yaml", root)
    shutil.copytree(origin / "stacks", root / "stacks")
    if like is not None:
        shutil.copytree(like / ".hearth", hidden)
    python, port_file = Path(sys.executable), hidden / "azure" / "port"
    home.prepare(hidden / "pulumi" / "home", python)
    # Not any free port: the range that those come from is also that of outgoing connections, which may take it again.
    azure = LocalAzure(hidden / "azure", int(port_file.read_text()) if like else process._free_port())
    port_file.write_text(str(azure.port))
    bundle = hidden / "azure" / "ca-bundle.pem"
    bundle.write_bytes(tls.bundle(azure.authority))
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "AZURE_", "ARM_"))},
        **home.environment(hidden / "pulumi" / "home", hidden / "pulumi" / "state"),
        "PATH": os.pathsep.join([str(python.parent), str(engine), os.environ["PATH"]]),
        "ARM_METADATA_HOSTNAME": f"localhost:{azure.port}",
        "AZURE_AUTHORITY_HOST": azure.origin,
        "SSL_CERT_FILE": str(bundle),
        "REQUESTS_CA_BUNDLE": str(bundle),
        "NO_PROXY": "localhost",
    }
    for prefix in ("AZURE", "ARM"):
        env[f"{prefix}_TENANT_ID"] = "aaaaaaaa-0000-4000-8000-000000000001"
        env[f"{prefix}_CLIENT_ID"] = "cccccccc-0000-4000-8000-000000000001"
        env[f"{prefix}_CLIENT_SECRET"] = SECRET
    made = Desk(root, azure.start(), env)
    try:
        if like is None:
            seed.plant(azure.world, seed.read(root / "stacks" / "local-azure.yaml"))
            for stack in STACKS:
                made.pulumi("stack", "init", stack)
        yield made
    finally:
        made.close()


def processes_in(folder: Path) -> list[str]:
    """Processes that work in a folder, or were given it in their environment. None without /proc."""
    found = []
    for one in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            known = f"{os.readlink(one / 'cwd')} {(one / 'environ').read_text(errors='replace')}"
            if str(folder) in known and one.name != str(os.getpid()):
                found.append(f"{one.name} {(one / 'cmdline').read_text().replace(chr(0), ' ')}")
    return found
