"""Commands about stacks: how they stand, a question to a deployment, recovery after a kill, adoption."""

from __future__ import annotations

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli import place
from infra.errors import HearthError, Mistake, NotReady, SpecError, Unreachable

if TYPE_CHECKING:
    from infra.ports.inference import Reply
    from infra.ports.stacks import Stacks

Names = Annotated[list[str] | None, typer.Argument(help="Stacks; all of them when none is named.")]
Json = Annotated[bool, typer.Option("--json", help="Print for programs.")]
WATCH_SECONDS = 30.0
MOST_WAITING = 120.0
"""Seconds that `hearth chat` waits for a throttled deployment."""


def status(
    stacks: Names = None,
    *,
    as_json: Json = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it anew every 30 s until Ctrl-C.")] = False,
) -> None:
    """Show every deployment: ready, last call, deadline, what `hearth tend` does next, cost; nearest deadline first.

    Ready means that Azure lists it as Succeeded and an `up` has proven it. No deployment is called: a call would reset
    its idle clock. Exits 1 when something is not ready, 3 when it could not be looked at.
    """
    import msgspec

    from infra.cli import standing, tend
    from infra.ports import clock
    from infra.spec import limits

    names, project = place.require_stacks(stacks or []), place.project()
    tender, currency = tend.tender(place.hidden_folder() / "pings.db"), limits.load().hosting.currency

    def look() -> list[standing.Row]:
        return standing.look(project, names, tender, today=clock.today(), currency=currency)

    if watch:
        standing.watch(look, WATCH_SECONDS)
    rows = look()
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(rows), indent=2))
    else:
        standing.show(rows)
    if code := max((row.code for row in rows), default=0):
        raise typer.Exit(code)


def chat(
    where: Annotated[str, typer.Argument(metavar="STACK/DEPLOYMENT", help="Whom to ask.")],
    question: Annotated[str, typer.Argument(help="What to ask.")],
    *,
    as_json: Json = False,
) -> None:
    """Ask a deployment a question. A 429 is waited out; the answer names the model that gave it."""
    stack, _, deployment = where.partition("/")
    if not deployment:
        text = f'must be STACK/DEPLOYMENT, such as local-target/support-bot, not "{where}"'
        raise SpecError([Mistake("hearth chat", 0, "", text)])
    place.require_stacks([stack])
    reply = ask(*address(_stacks(), stack, deployment), question, say=lambda text: typer.echo(text, err=True))
    if as_json:
        typer.echo(json.dumps({"model": reply.model, "text": reply.text, "seconds": round(reply.seconds, 3)}))
    else:
        typer.echo(reply.text)


def recover(
    stacks: Names = None,
    *,
    dead_host: Annotated[
        str,
        typer.Option("--dead-host", metavar="HOST[,HOST]", help="A machine that is gone for good: its locks go too."),
    ] = "",
) -> None:
    """Bring stacks back after a kill: remove the locks of processes that are gone, let the next `up` take in orphans.

    Safe to run at any time. A lock whose owner may still live is left alone and named; --dead-host says of one machine
    that it cannot (a runner whose job was killed). Locks of azblob:// and other remote backends only pulumi can see.
    """
    from infra import recover as recovery

    project, backend = place.project(), _stacks()
    for name in place.require_stacks(stacks or []):
        done = recovery.recover(project.root, name, backend, dead_host)
        for lock in done.removed_locks:
            typer.echo(f"{name}: removed the lock of {lock.owner}, which is gone")
        for urn in done.pending:
            typer.echo(f"{name}: was being written when the engine ended: {urn.rsplit('::', 1)[-1]}; `up` takes it in")
        if not done.removed_locks and not done.pending:
            typer.echo(f"{name}: nothing to recover")


def adopt(
    stack: Annotated[str, typer.Argument(help="The stack that takes them in.")],
    *,
    account: Annotated[str | None, typer.Option(help="Id of the account; writes the stack's files from it.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Take them in without asking.")] = False,
) -> None:
    """Take in an account and deployments that somebody made by hand.

    Shows what would be taken in, then runs `pulumi up`. With --account, a stack that has no file yet gets one, and
    model records, from what stands in Azure.
    """
    from infra.cli import adoption

    adoption.run(place.project(), stack, account, yes=yes)


# --- what the commands share ---------------------------------------------------------------------------------------


def address(stacks: Stacks, stack: str, deployment: str) -> tuple[str, str]:
    """Endpoint and active name of a deployment, from the stack's outputs."""
    outputs: dict[str, Any] = stacks.outputs(stack) or {}
    known = outputs.get("deployments") or {}
    if deployment not in known:
        listed = f"it has {', '.join(known)}" if known else "it has none that is up"
        raise SpecError([Mistake(stack, 0, deployment, f"is no deployment of this stack: {listed}. pulumi up first?")])
    return str(outputs["account"]["endpoint"]), str(known[deployment]["active"])


def ask(
    endpoint: str, deployment: str, question: str, *, say: Any = None, stop: threading.Event | None = None
) -> Reply:
    """The answer of a deployment; a throttled one is asked again when it says so, up to two minutes or until `stop`."""
    from infra.ports.cloud import Cloud
    from infra.ports.inference import Inference, Outcome
    from infra.spec import limits

    inference = Inference(Cloud(), limits.load().inference_api_version.value)
    stop, deadline = stop or threading.Event(), time.monotonic() + MOST_WAITING
    while True:
        reply = inference.chat(endpoint, deployment, [{"role": "user", "content": question}], most_tokens=400)
        if reply.outcome is Outcome.ANSWERED:
            return reply
        if reply.outcome is Outcome.UNREACHABLE:
            raise Unreachable(f"{deployment}: {reply.text}")
        if reply.outcome is not Outcome.THROTTLED or time.monotonic() + reply.retry_after > deadline:
            raise NotReady(f"{deployment} does not answer ({reply.outcome.value}): {reply.text}")
        if say is not None:
            say(f"{deployment} is throttled (429); waiting {reply.retry_after:.0f} s as it asks")
        if stop.wait(max(reply.retry_after, 0.1)):
            raise NotReady(f"{deployment} was not waited for")


def ask_all(addresses: dict[str, tuple[str, str]], question: str, *, say: Any) -> dict[str, Reply | HearthError]:
    """Ask several deployments side by side; Ctrl-C ends the waiting of all."""
    stop = threading.Event()

    def one(place_of: tuple[str, str]) -> Reply | HearthError:
        try:
            return ask(*place_of, question, say=say, stop=stop)
        except HearthError as error:
            return error

    with ThreadPoolExecutor(max_workers=8) as pool:
        try:
            return dict(zip(addresses, pool.map(one, addresses.values()), strict=True))
        finally:
            stop.set()


def _stacks() -> Stacks:
    from infra.ports.stacks import Stacks

    project = place.project()
    return Stacks(project.root, project.name)
