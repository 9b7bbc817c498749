"""`hearth local`: Azure on this machine."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli import place
from infra.errors import HearthError, Mistake, SpecError, Unreachable

if TYPE_CHECKING:
    from infra.localazure.process import Running

app = typer.Typer(help="Azure on this machine: an honest double, for trying and testing.", no_args_is_help=True)
SEED = "local-azure.yaml"


def folder() -> Path:
    """Where local Azure keeps its state."""
    return place.hidden_folder() / "azure"


@app.command()
def start(port: Annotated[int | None, typer.Option(help="Port on loopback; kept once chosen.")] = None) -> None:
    """Start local Azure, or find it running. It listens on loopback only and keeps its state in .hearth/azure."""
    running = _start(port)
    word = "started" if running.new else "runs already"
    typer.echo(f"local Azure {word} at {running.origin} (loopback only, process {running.pid})")
    if running.new:
        typer.echo('point this shell at it: eval "$(.venv/bin/hearth local env)"')


@app.command()
def stop() -> None:
    """Stop local Azure. Its state is kept; `make clean` removes it together with Pulumi's."""
    from infra.localazure import process

    typer.echo("local Azure stopped; its state is kept" if process.stop(folder()) else "local Azure does not run")


@app.command()
def status(*, as_json: Annotated[bool, typer.Option("--json", help="Print for programs.")] = False) -> None:
    """Tell whether local Azure runs, where, and what time it is there. Exits 1 when it does not run."""
    from infra.localazure import process

    running = process.find(folder())
    if running is None:
        typer.echo(json.dumps({"running": False}) if as_json else "local Azure does not run; hearth local start")
        raise typer.Exit(1)
    clock = control(running, "GET", "clock")
    if as_json:
        typer.echo(json.dumps({"running": True, "origin": running.origin, "pid": running.pid, **clock}, indent=2))
    else:
        typer.echo(f"local Azure runs at {running.origin}, process {running.pid}; there it is {clock['now'][:19]}Z")


@app.command()
def env() -> None:
    """Print the environment for a shell: cloud, certificates, login, engine. Use it with eval.

    The login is the throwaway of the example's seed; nothing here is a secret of yours.
    """
    for name, value in environment(require_running()).items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@app.command()
def advance(by: Annotated[str, typer.Argument(help="How far: 14d, 12h, 90s.")]) -> None:
    """Move the clock of local Azure ahead; what is due in between happens at its own moment."""
    from infra.spec import duration

    try:
        seconds = duration.parse(by).total_seconds()
    except ValueError as error:
        raise SpecError([Mistake("hearth local advance", 0, by, str(error))]) from None
    clock = control(require_running(), "POST", "clock/advance", {"seconds": seconds})
    typer.echo(f"in local Azure it is now {clock['now'][:19]}Z")


@app.command("up")
def up() -> None:
    """Start local Azure, put up the example's stacks and ask each deployment a question: what `make up` runs."""
    from infra.cli import first_run

    raise typer.Exit(first_run.run())


# --- what the commands share ---------------------------------------------------------------------------------------


def _start(port: int | None = None) -> Running:
    from infra.localazure import process

    seed = place.project().stacks / SEED
    try:
        return process.start(folder(), port=port, seed=seed if seed.exists() else None)
    except process.NotStarted as error:
        raise Unreachable(f"Local Azure did not start: {error}. Another port: hearth local start --port N") from error


def require_running() -> Running:
    """The local Azure that runs, or what to do about it."""
    from infra.localazure import process

    running = process.find(folder())
    if running is None:
        raise Unreachable("Local Azure does not run. hearth local start")
    return running


def environment(running: Running) -> dict[str, str]:
    """What a shell or a process needs to use this local Azure with the real engine."""
    import os

    from infra.toolchain import home as pulumi_home

    hidden = place.hidden_folder()
    home, state = hidden / "pulumi" / "home", hidden / "pulumi" / "state"
    pulumi_home.prepare(home, Path(sys.executable))
    pulumi = _engine()
    host = f"localhost:{running.port}"
    found = {
        "ARM_METADATA_HOSTNAME": host,
        "AZURE_AUTHORITY_HOST": running.origin,
        "SSL_CERT_FILE": str(running.bundle),
        "REQUESTS_CA_BUNDLE": str(running.bundle),
        "CURL_CA_BUNDLE": str(running.bundle),
        **_login(),
        **pulumi_home.environment(home, state),
    }
    for name in ("NO_PROXY", "no_proxy"):
        others = [part for part in os.environ.get(name, "").split(",") if part and part != "localhost"]
        found[name] = ",".join([*others, "localhost"])
    tools = [str(Path(sys.executable).parent), str(pulumi.parent)]
    rest = [part for part in os.environ.get("PATH", "").split(os.pathsep) if part not in tools]
    found["PATH"] = os.pathsep.join([*tools, *rest])
    return found


def _engine() -> Path:
    """The Pulumi CLI; built the first time where it cannot be had otherwise."""
    from infra.toolchain import cli, errors, progress

    try:
        return cli.find_or_build(progress.shown_on())
    except errors.ToolchainError as error:
        raise Unreachable(str(error)) from error


def _login() -> dict[str, str]:
    """The first principal of the seed that can log in."""
    from infra.localazure import seed

    path = place.project().stacks / SEED
    if not path.exists():
        return {}
    try:
        planted = seed.read(path)
    except seed.BadSeed as error:
        raise HearthError(str(error)) from error
    who = next((p for p in planted.principals if p.secret and p.client_id), None)
    if who is None or who.client_id is None or who.secret is None:
        return {}
    found = {}
    for prefix in ("AZURE", "ARM"):
        found[f"{prefix}_TENANT_ID"] = who.tenant
        found[f"{prefix}_CLIENT_ID"] = who.client_id
        found[f"{prefix}_CLIENT_SECRET"] = who.secret
    return found


def control(running: Running, method: str, path: str, body: object = None) -> dict[str, str]:
    """Call the control API of a local Azure; raises Unreachable."""
    import ssl
    import urllib.request
    from urllib.error import URLError

    request = urllib.request.Request(  # noqa: S310 - always our own https address
        f"{running.origin}/.local-azure/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"x-local-azure-key": running.control_key, "content-type": "application/json"},
    )
    context = ssl.create_default_context(cafile=str(running.authority))
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))
    try:
        with opener.open(request, timeout=60) as answer:
            found: dict[str, str] = json.loads(answer.read() or b"{}")
            return found
    except URLError as error:
        raise Unreachable(f"Local Azure at {running.origin} does not answer: {error.reason}") from error
