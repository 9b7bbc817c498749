"""Where a demo plays: a clone of this repository in a temporary folder, with its own local Azure, engine and state.

Nothing of the user's is touched: not the checkout, not its `.hearth`, not what `make up` has put up.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).parents[1]
_MINE = ("PULUMI_", "AZURE_", "ARM_", "HEARTH_", "GIT_")


class Failed(Exception):
    """A command of the story did not end as the story needs it."""


@dataclass
class Stage:
    """One demo's folder and shell."""

    root: Path
    env: dict[str, str] = field(default_factory=dict)

    def tell(self, text: str) -> None:
        """A sentence of the story."""
        print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n{text}", flush=True)

    def run(self, *command: str, code: int | None = 0, shown: bool = True, **env: str) -> str:
        """Run a command as a person would, show it with what it says; returns that.

        Raises Failed where it exits with another code than `code` (None: any).
        """
        if shown:
            print(f"$ {shlex.join(command)}", flush=True)
        said = []
        with subprocess.Popen(
            command, cwd=self.root, env={**self.env, **env}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        ) as child:  # fmt: skip
            assert child.stdout is not None  # noqa: S101 - it was asked for
            for line in child.stdout:
                said.append(line)
                if shown:
                    print(f"  {line.rstrip()}", flush=True)
        if child.returncode != code and code is not None:
            raise Failed(f"{shlex.join(command)} exited with {child.returncode}, not {code}:\n{''.join(said)}")
        return "".join(said)

    def hearth(self, *arguments: str, code: int | None = 0, shown: bool = True, **env: str) -> str:
        """Run hearth."""
        return self.run("hearth", *arguments, code=code, shown=shown, **env)

    def write(self, path: str, text: str) -> None:
        """Write a file of the clone."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")

    def declare(self, name: str, region: str, **labels: str) -> None:
        """The stack demo-`name`: an account in this region; its `helpdesk` serves the record of that name."""
        said = ", ".join(f"{key}: {value}" for key, value in labels.items())
        labelled = f"  hearth:stack: {{labels: {{{said}}}}}\n" if labels else ""
        self.write(
            f"stacks/Pulumi.demo-{name}.yaml",
            f"""\
config:
  azure-native:subscriptionId: 22222222-2222-4222-8222-222222222222
  azure-native:location: {region}
{labelled}  hearth:account: {{name: contoso-demo-{name}, resourceGroup: rg-contoso-demo-{name}}}
  hearth:access:
    - {{principal: dddddddd-0000-4000-8000-000000000001, role: Cognitive Services OpenAI User}}
  hearth:deployments:
    helpdesk: {{model: helpdesk, sku: {{name: GlobalStandard, capacity: 10}}}}
""",
        )

    def commit(self, message: str) -> str:
        """Commit all that was written; the commit's id."""
        self.run("git", "add", "-A", shown=False)
        self.run("git", "commit", "-qm", message, shown=False)
        return self.run("git", "rev-parse", "HEAD", shown=False).strip()


@contextmanager
def open_stage(name: str) -> Iterator[Stage]:
    """A clone with a local Azure that runs; both are gone afterwards, also after Ctrl-C."""
    folder = Path(tempfile.mkdtemp(prefix=f"hearth-demo-{name}-"))
    stage = Stage(folder / "hearth", _shell(folder / "hearth"))
    try:
        subprocess.run(["git", "clone", "-q", str(REPOSITORY), str(stage.root)], check=True)
        (stage.root / ".venv").symlink_to(Path(sys.prefix))
        for key, value in {"user.name": "Demo", "user.email": "demo@example.com"}.items():
            stage.run("git", "config", key, value, shown=False)
        yield stage
    finally:
        stage.hearth("local", "stop", code=None, shown=False)
        shutil.rmtree(folder, ignore_errors=True)


def start_azure(stage: Stage) -> None:
    """Start the stage's local Azure and point its shell at it."""
    stage.hearth("local", "start", shown=False)
    for line in stage.hearth("local", "env", shown=False).splitlines():
        if line.startswith("export "):
            key, _, value = shlex.split(line)[1].partition("=")
            stage.env[key] = value


def _shell(root: Path) -> dict[str, str]:
    """The user's environment without clouds and engines; the clone's own code comes before the installed one."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_MINE)}
    tools = str(Path(sys.executable).parent)
    return {**kept, "PATH": os.pathsep.join([tools, kept.get("PATH", "")]), "PYTHONPATH": str(root)}
