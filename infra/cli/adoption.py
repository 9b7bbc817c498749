"""`hearth adopt`: an account and deployments that somebody made by hand become a stack's."""

from __future__ import annotations

import re
import sys

import msgspec
import typer

from infra import recover
from infra.cli import engine
from infra.errors import HearthError, Mistake, NotFound, Refused, SpecError
from infra.ports import clock
from infra.ports.arm import AccountView, Arm, DeploymentView, parts
from infra.ports.cloud import Cloud
from infra.ports.stacks import Stacks
from infra.spec import Project, Stack, is_stack_name, load_stack, open_project
from infra.spec.documents import write

_ACCOUNT_ID = re.compile(
    "/subscriptions/[^/]+/resourceGroups/[^/]+/providers/Microsoft.CognitiveServices/accounts/[^/]+", re.IGNORECASE
)
_USUAL_UPGRADE = "OnceNewDefaultVersionAvailable"
"""What Azure takes when nothing is said (facts of the create, 2024-10-01)."""


def run(project: Project, name: str, account: str | None, *, yes: bool) -> None:
    """Write the stack's files if asked, show what would be taken in, and take it in."""
    arm = Arm(Cloud())
    _require_sound(name, account)
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
    recover.recover(project.root, name, stacks)
    code = engine.run(["up", "--yes", "--stack", name], project.root, **{recover.ADOPT: "1"})
    if code:
        raise Refused(f"pulumi up --stack {name} failed; its message is above")


def _require_sound(name: str, account: str | None) -> None:
    """Before anything is written: a name that a stack can have, and an id that is an account's."""
    wrong = []
    if not is_stack_name(name):
        text = "must be letters, digits, dots, hyphens or underscores, at most 100 of them"
        wrong.append(Mistake("hearth adopt", 0, "STACK", f'{text}, not "{name}"'))
    if account is not None and not _ACCOUNT_ID.fullmatch(account):
        text = "must be /subscriptions/…/resourceGroups/…/providers/Microsoft.CognitiveServices/accounts/…"
        wrong.append(Mistake("hearth adopt", 0, "--account", f'{text}, not "{account}"'))
    if wrong:
        raise SpecError(wrong)


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
                ("raiPolicy", _own(there.rai_policy), _own(wish.rai_policy)),
                ("versionUpgradeOption", there.upgrade_option, wish.version_upgrade_option or there.upgrade_option),
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
    records = {d.name: _record_name(project, name, account, d) for d in tuned}
    file.write_text(_stack_text(account, tuned, records))
    typer.echo(f"wrote {project.shown(file)}")
    for deployment in tuned:
        path = project.record_file(records[deployment.name])
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(_record_text(account, deployment))
            typer.echo(f"wrote {project.shown(path)}")
    if account.beyond:
        typer.echo(
            f"  with manage: false, so that only the deployments become the stack's: the account has "
            f"{', '.join(account.beyond)}, for which a stack's file has no word"
        )


def _stack_text(account: AccountView, tuned: list[DeploymentView], records: dict[str, str]) -> str:
    """The account as it is. Its resource group stays whose it is, and nothing deletes the account by mistake."""
    subscription, group, name = parts(account.id)
    network = {
        "publicAccess": account.public_access,
        "allow": list(account.allowed_addresses),
        "subnets": list(account.allowed_subnets),
        "trustedServices": account.trusted_services or None,
    }
    wish: dict[str, object] = {
        "name": name,
        "manage": False if account.beyond else None,
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
        "hearth:deployments": {d.name: _deployment(d, records[d.name]) for d in tuned},
    }
    head = "# yaml-language-server: $schema=schema/stack.json\n"
    return head + write({"config": config})


def _deployment(found: DeploymentView, record: str) -> dict[str, object]:
    tags = {key: value for key, value in found.tags.items() if key != recover.STACK_TAG}
    wish: dict[str, object] = {
        "model": record,
        "sku": {"name": found.sku, "capacity": found.capacity},
        "raiPolicy": _own(found.rai_policy),
        "versionUpgradeOption": None if found.upgrade_option == _USUAL_UPGRADE else found.upgrade_option,
        "tags": tags,
    }
    return _given(wish)


def _own(policy: str | None) -> str | None:
    """A content-filter policy of somebody's own; Azure's defaults come by themselves."""
    return None if policy is None or policy.startswith("Microsoft.Default") else policy


def _given(wish: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in wish.items() if value not in (None, [], {})}


def _record_name(project: Project, stack: str, account: AccountView, deployment: DeploymentView) -> str:
    """The record's name is the deployment's, unless that is a record of another model already."""
    path = project.record_file(deployment.name)
    if not path.exists():
        return deployment.name
    same = msgspec.yaml.decode(path.read_bytes()) == msgspec.yaml.decode(_record_text(account, deployment))
    return deployment.name if same else f"{deployment.name}-{stack}"


def _record_text(account: AccountView, deployment: DeploymentView) -> str:
    subscription, group, name = parts(deployment.source or account.id)
    record = {
        "model": deployment.model,
        "version": deployment.version or "1",
        "source": {"subscription": subscription, "resourceGroup": group, "account": name},
    }
    head = "# yaml-language-server: $schema=../schema/model.json\n"
    return head + write(record, flow=None)
