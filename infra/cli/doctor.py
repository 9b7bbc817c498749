"""`hearth doctor`: is everything there that an `up` needs?"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import place

if TYPE_CHECKING:
    from infra.doctor import Check, Finding, Patient, Tools
    from infra.toolchain.installed import Installed

_COLOURS = {"ok": "green", "warning": "yellow", "fails": "red", "not checked": "dim"}


def doctor(
    stacks: Annotated[list[str] | None, typer.Argument(help="Stacks; all of them when none is named.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print for programs.")] = False,
) -> None:
    """Check all that an `up` needs: CLI, plugins, cloud, login, subscription, roles, quota, region, models.

    Changes nothing. Every line is ok, a warning, or fails with what to do. Exits 1 when something fails, 2 when what is
    written is wrong, 3 when Azure is not reached or refuses the login.
    """
    from infra.doctor import State, checks, examine, exit_code

    patient = _patient(place.require_stacks(stacks or []))
    with _Progress() as progress:
        findings = list(_shown(examine(checks(patient), progress.begun), silent=as_json))
    code = exit_code(findings)
    if as_json:
        rows = [
            {"check": f.check, "about": f.about, "state": f.state.value, "fact": f.fact, "next": f.next_move}
            for f in findings
        ]
        typer.echo(json.dumps({"ok": code == 0, "findings": rows}, indent=2))
    else:
        counts = ", ".join(f"{sum(f.state is state for f in findings)} {state.value}" for state in State)
        typer.echo(f"\n{counts}")
    raise typer.Exit(code)


def _patient(names: list[str]) -> Patient:
    import os

    from infra.doctor import Patient
    from infra.ports import clock
    from infra.ports.arm import Arm
    from infra.ports.cloud import Cloud
    from infra.ports.inference import Inference
    from infra.ports.management import Management
    from infra.proofs import Proofs
    from infra.spec import limits

    known, cloud = limits.load(), Cloud()
    arm = Arm(cloud)
    return Patient(
        project=place.project(),
        names=names,
        today=clock.today(),
        now=clock.now,
        environment=os.environ,
        tools=_tools,
        limits=known,
        cloud=cloud,
        arm=arm,
        management=Management(cloud),
        proofs=Proofs(cloud, arm, Inference(cloud, known.inference_api_version.value), known),
    )


def _tools() -> Tools:
    """What is installed, in the doctor's words."""
    from infra.doctor import Engine, Plugin, Tools
    from infra.toolchain import installed, versions

    def plugin(found: Installed) -> Plugin:
        return Plugin(found.kind, found.needed, found.others, installed.is_fetched())

    path, version = installed.engine()
    engine = Engine(_homely(path) if path else None, version, versions.PULUMI, installed.new_enough(version))
    return Tools(engine, plugin(installed.provider()), plugin(installed.language_host(path)))


def _homely(path: Path) -> str:
    """A path with ~ for the user's own folder."""
    return f"~/{path.relative_to(Path.home())}" if path.is_relative_to(Path.home()) else str(path)


# --- on the terminal -----------------------------------------------------------------------------------------------


class _Progress:
    """What is being looked at, on a terminal's standard error; nothing where there is none."""

    def __init__(self) -> None:
        from rich.console import Console

        self._status = Console(stderr=True).status("looking")

    def __enter__(self) -> _Progress:
        self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def begun(self, check: Check) -> None:
        """Say what is looked at now."""
        from rich.markup import escape

        self._status.update(escape(f"looking at: {check.label}"))


def _shown(findings: Iterable[Finding], *, silent: bool) -> Iterable[Finding]:
    """Pass the findings on, printing each under the heading of what it is about."""
    heading = None
    for finding in findings:
        if not silent:
            about, _, item = finding.about.partition("/")
            if about != heading:
                heading = about
                typer.echo(f"\n{heading}" if heading else "this machine and its login")
            _print(finding, item)
        yield finding


def _print(finding: Finding, item: str) -> None:
    from rich.console import Console
    from rich.text import Text

    word = finding.state.value
    line = Text("  ").append(f"{word:<12}", style=_COLOURS[word])
    line.append(f"{f'{item}: {finding.check}' if item else finding.check}: ", style="bold").append(finding.fact)
    # A command that is folded cannot be copied.
    console = Console(soft_wrap=True, highlight=False)
    console.print(line)
    for move in finding.next_move.splitlines():
        console.print(Text(f"              → {move.strip()}"))
