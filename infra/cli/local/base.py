"""What the commands of `hearth local` share: where it is, whether it runs, how it is asked."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli import place
from infra.errors import HearthError, Mistake, SpecError, Unreachable

if TYPE_CHECKING:
    from infra.localazure.process import Running

SEED = "local-azure.yaml"
JSON = Annotated[bool, typer.Option("--json", help="Print for programs.")]


def folder() -> Path:
    """Where local Azure keeps its state."""
    return place.hidden_folder() / "azure"


def start(port: int | None = None) -> Running:
    """Start it, or find it running."""
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
    found = {**cloud(running), **pulumi_home.environment(home, state)}
    tools = [str(Path(sys.executable).parent), str(pulumi.parent)]
    rest = [part for part in os.environ.get("PATH", "").split(os.pathsep) if part not in tools]
    found["PATH"] = os.pathsep.join([*tools, *rest])
    return found


def cloud(running: Running) -> dict[str, str]:
    """What names this local Azure as the cloud, with the login of the seed."""
    import os

    found = {
        "ARM_METADATA_HOSTNAME": f"localhost:{running.port}",
        "AZURE_AUTHORITY_HOST": running.origin,
        "SSL_CERT_FILE": str(running.bundle),
        "REQUESTS_CA_BUNDLE": str(running.bundle),
        "CURL_CA_BUNDLE": str(running.bundle),
        **_login(),
    }
    for name in ("NO_PROXY", "no_proxy"):
        others = [part for part in os.environ.get(name, "").split(",") if part and part != "localhost"]
        found[name] = ",".join([*others, "localhost"])
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


def control(running: Running, method: str, path: str, body: object = None) -> Any:
    """Ask the control API of a local Azure. Raises SpecError for what it refuses (400), Unreachable for no answer."""
    import ssl
    import urllib.request
    from urllib.error import HTTPError, URLError

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
            return json.loads(answer.read() or b"{}")
    except HTTPError as error:
        raise _refused(running, path, error.code, error.read()) from error
    except (URLError, OSError) as error:
        why = getattr(error, "reason", error)
        raise Unreachable(f"Local Azure at {running.origin} does not answer: {why}") from error


def ask(method: str, path: str, body: object = None) -> Any:
    """Ask the control API of the local Azure that runs."""
    return control(require_running(), method, path, body)


def mistake(command: str, what: str, text: str) -> SpecError:
    """A mistake on the command line."""
    return SpecError([Mistake(f"hearth local {command}", 0, what, text)])


def show_json(found: object) -> None:
    """Print for programs."""
    typer.echo(json.dumps(found, indent=2))


def table(rows: list[list[str]], headings: list[str]) -> None:
    """Print rows in columns as wide as they need to be."""
    widths = [max(len(row[at]) for row in [headings, *rows]) for at in range(len(headings))]
    for row in [headings, *rows]:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def moment(text: str) -> str:
    """A moment of the control API, to the second."""
    return f"{text[:19]}Z"


def _refused(running: Running, path: str, status: int, body: bytes) -> HearthError:
    try:
        text = str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        text = f"answer {status}"
    if status == 400:
        reasons = text.split("; ") if path == "faults" else [text]
        return SpecError([Mistake("hearth local", 0, path.partition("?")[0], reason) for reason in reasons])
    return Unreachable(f"Local Azure at {running.origin} refused {path}: {text}")
