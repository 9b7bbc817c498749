"""A desk: a project of its own with the real engine and a local Azure. For journeys and benchmarks."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from infra.localazure import LocalAzure, Switches, seed, tls
from infra.toolchain import home

REPOSITORY = Path(__file__).parents[1]
TRAINING, PRODUCTION = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
DEPLOYER = "dddddddd-0000-4000-8000-000000000001"
SECRET = "local-azure-throwaway"


@dataclass
class Desk:
    """One user's folder, shell and cloud."""

    root: Path
    azure: LocalAzure
    env: dict[str, str]

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

    def stack_file(self, stack: str) -> Path:
        """The file of a stack."""
        return self.root / "stacks" / f"Pulumi.{stack}.yaml"

    def change(self, stack: str, old: str, new: str) -> None:
        """Edit a stack's file."""
        file = self.stack_file(stack)
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    def advance(self, **how_far: float) -> None:
        """Move the clock of the local Azure ahead."""
        self.azure.world.advance(timedelta(**how_far))

    def switch(self, **switches: object) -> None:
        """Set switches of the local Azure."""
        for name, value in switches.items():
            assert name in Switches.__struct_fields__
            setattr(self.azure.world.switches, name, value)


@contextmanager
def open_desk(root: Path, engine: Path) -> Iterator[Desk]:
    """A copy of the example in `root`, with its own engine state and a local Azure that has been planted.

    `engine` is the folder of the Pulumi CLI.
    """
    root.mkdir()
    for name in ("infra", "components", ".venv"):
        (root / name).symlink_to(REPOSITORY / name)
    shutil.copy(REPOSITORY / "Pulumi.yaml", root)
    shutil.copytree(REPOSITORY / "stacks", root / "stacks")
    hidden = root / ".hearth"
    python = Path(sys.executable)
    home.prepare(hidden / "pulumi" / "home", python)
    with LocalAzure(hidden / "azure") as azure:
        seed.plant(azure.world, seed.read(root / "stacks" / "local-azure.yaml"))
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
        made = Desk(root, azure, env)
        for stack in ("local-source", "local-target"):
            made.pulumi("stack", "init", stack)
        yield made
