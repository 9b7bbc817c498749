"""The real Pulumi engine in a project of the test's own, with our home, host and plugin."""

import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

from infra.toolchain import home

_PROJECT = """\
name: project
runtime:
  name: python
  options:
    toolchain: pip
"""


class Engine:
    """One project with one stack `dev`, and whatever a test runs in it."""

    def __init__(self, pulumi: Path, folder: Path, env: Mapping[str, str]) -> None:
        self.project = folder / "project"
        self.project.mkdir()
        self._pulumi = pulumi
        self._mark = str(folder)
        pulumi_home = folder / "home"
        home.prepare(pulumi_home, Path(sys.executable), env={})
        self.env = {
            **{key: os.environ[key] for key in ("PATH", "HOME", "SSL_CERT_FILE") if key in os.environ},
            **home.environment(pulumi_home, folder / "state"),
            **env,
            "HEARTH_TEST": self._mark,
        }
        self.write(Pulumi_yaml=_PROJECT)

    def write(self, program: str = "", **files: str) -> None:
        """Write the program, and other files, whose dots are underscores in their keywords."""
        for name, text in {"__main___py": program, **files}.items():
            stem, _, suffix = name.rpartition("_")
            if text:
                (self.project / f"{stem}.{suffix}").write_text(textwrap.dedent(text))

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run `pulumi` to its end; what it printed. Its exit code must be `code`."""
        process = self.start(*arguments)
        output, _ = process.communicate(timeout=60)
        assert process.returncode == code, f"pulumi {' '.join(arguments)} gave {process.returncode}:\n{output}"
        return output

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start `pulumi`; the process. It is the leader of a group of its own, as at a terminal."""
        return subprocess.Popen(
            [self._pulumi, "--non-interactive", "--color=never", *arguments],
            cwd=self.project,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def processes(self) -> list[str]:
        """The command lines of what runs on this machine for this engine, with all that it has started."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if f"HEARTH_TEST={self._mark}".encode() in (process / "environ").read_bytes():
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue  # it has ended meanwhile
        return found
