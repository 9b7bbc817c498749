"""`hearth adopt`: an account and deployments that somebody made by hand become a stack's."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import typer

from infra import recover
from infra.errors import HearthError, Mistake, NotFound, Refused, SpecError
from infra.ports import clock
from infra.ports.arm import AccountView, Arm, DeploymentView, parts
from infra.ports.cloud import Cloud
from infra.ports.stacks import Stacks
from infra.spec import Project, Stack, load_stack, open_project
from infra.spec.documents import write


def run(project: Project, name: str, account: str | None, *, yes: bool) -> None:
    """Write the stack's files if asked, show what would be taken in, and take it in."""
    arm = Arm(Cloud())
    if account is not None:
        _write_files(project, name, account, arm)
        project = open_project(project.root)
    if name not in project.stack_names():
        shown = project.shown(project.stack_file(name))
        text = "does not exist; write it, or name the account: hearth adopt STACK --account ID"
        raise SpecError([Mistake(shown, 0, "", text)])
    stack = load_stack(project, name, project.config(name), today=clock.today())
    _show(stack, arm)
    if not yes and not (sys.stdin.isatty() and typer.confirm("Take them in?")):
        typer.echo("nothing was changed; --yes takes them in")
        return
    stacks = Stacks(project.root, project.name)
    if name not in stacks.names():
        stacks.create(name)
    recover.recover(project.root, name, stacks, take_any=True)
    try:
        done = subprocess.run(["pulumi", "up", "--yes", "--stack", name], cwd=project.root, check=False)
    finally:
        # Only this run takes in what is not marked as ours.
        recover.recover(project.root, name, stacks)
    if done.returncode:
        raise Refused(f"pulumi up --stack {name} failed; its message is above")


def _show(stack: Stack, arm: Arm) -> None:
    """What stands in Azure of the wish, and how it differs."""
    try:
        found = {d.name: d for d in arm.deployments(stack.account_id)}
    except NotFound:
        typer.echo(f"{stack.account.name}: not in Azure; it would be created")
        return
    typer.echo(f"{stack.account.name}: in Azure, would be taken in")
    for wish in stack.deployments:
        there = found.pop(wish.name, None)
        if there is None:
            typer.echo(f"  {wish.name}: not in Azure; it would be created")
            continue
        differs = [
            f"{what} {before} → {after}"
            for what, before, after in (
                ("model", there.model, wish.record.model),
                ("SKU", there.sku, wish.sku.name),
                ("capacity", there.capacity, wish.sku.capacity),
            )
            if str(before).lower() != str(after).lower()
        ]
        typer.echo(f"  {wish.name}: in Azure, would be taken in{': ' + ', '.join(differs) if differs else ' as it is'}")
    for name in found:
        typer.echo(f"  {name}: in Azure and not in the stack's file; left alone")


# --- files from what stands ----------------------------------------------------------------------------------------


def _write_files(project: Project, name: str, account_id: str, arm: Arm) -> None:
    """A stack file and model records from an account; nothing that exists is written over."""
    file = project.stack_file(name)
    if file.exists():
        shown = project.shown(file)
        raise SpecError([Mistake(shown, 0, "", "exists already; leave out --account to take in what it names")])
    account = arm.account(account_id)
    tuned = [d for d in arm.deployments(account.id) if ".ft-" in d.model or d.model.startswith("ftchkpt-")]
    if not tuned:
        raise HearthError(f"{account.id} has no deployment of a tuned model; there is nothing for hearth to take in")
    records = {d.name: _record(project, account, d) for d in tuned}
    file.write_text(_stack_text(account, tuned))
    typer.echo(f"wrote {project.shown(file)}")
    for path, text in records.values():
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            typer.echo(f"wrote {project.shown(path)}")


def _stack_text(account: AccountView, tuned: list[DeploymentView]) -> str:
    """The account as it is. Its resource group stays whose it is, and nothing deletes the account by mistake."""
    subscription, group, name = parts(account.id)
    network = {
        "publicAccess": account.public_access,
        "allow": list(account.allowed_addresses),
        "subnets": list(account.allowed_subnets),
    }
    wish: dict[str, object] = {
        "name": name,
        "resourceGroup": {"name": group, "manage": False},
        "kind": account.kind,
        "sku": account.sku,
        "subdomain": account.subdomain,
        "identity": account.identity if account.identity != "None" else None,
        "localAuth": account.local_auth,
        "network": _given(network) if network["allow"] or network["subnets"] or not account.public_access else None,
        "tags": account.tags,
        "protect": True,
    }
    config = {
        "azure-native:subscriptionId": subscription,
        "azure-native:location": account.location,
        "hearth:account": _given(wish),
        "hearth:deployments": {
            d.name: {"model": d.name, "sku": {"name": d.sku, "capacity": d.capacity}} for d in tuned
        },
    }
    head = "# yaml-language-server: $schema=schema/stack.json\n"
    return head + write({"config": config})


def _given(wish: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in wish.items() if value not in (None, [], {})}


def _record(project: Project, account: AccountView, deployment: DeploymentView) -> tuple[Path, str]:
    subscription, group, name = parts(deployment.source or account.id)
    record = {
        "model": deployment.model,
        "version": deployment.version or "1",
        "source": {"subscription": subscription, "resourceGroup": group, "account": name},
    }
    head = "# yaml-language-server: $schema=../schema/model.json\n"
    text = head + write(record, flow=None)
    return project.record_file(deployment.name), text
