"""A stack's life with others in it, by the real engine: changes by hand, other writers, a cloud that goes away."""

from __future__ import annotations

import json
import os
import re
import signal
import threading

import pytest

from infra.localazure import ids, process, roles
from infra.localazure.requestlog import Logged
from tests.desk import TRAIN_ACCOUNT, Desk, wait_for

pytestmark = pytest.mark.proof

TARGET_ACCOUNT = "contoso-ft-swe"
DEPLOYMENT = "azure-native:cognitiveservices:Deployment"


def require_quiet(desk: Desk, *stacks: str) -> None:
    """Nothing is left to change, and no lock either."""
    for stack in stacks:
        desk.pulumi("preview", "--expect-no-changes", "--stack", stack)
    assert not list((desk.root / ".hearth").rglob("locks/**/*.json"))


# --- changes by hand -------------------------------------------------------------------------------------------------


def test_a_refresh_shows_what_was_changed_by_hand_and_up_mends_it(both: Desk):
    world = both.azure.world
    account = both.account(TARGET_ACCOUNT)
    both.by_hand(both.deployment("support-bot"), capacity=7, tags={"owner": "somebody"})
    with world.lock:
        account.tags = {}
        world.accounts.put(ids.key(account.id), account)
        for one in list(world.role_assignments):
            if ids.key(one.scope) == ids.key(account.id):
                world.role_assignments.drop(roles.assignment_key(one.scope, one.name))
    said = both.pulumi("refresh", "--yes", "--diff", "--stack", "local-target")
    assert re.search(r"~ +capacity: +1 => 7", said)
    assert re.search(r"\+ +owner *: \"somebody\"", said)
    assert re.search(r"- +hearth-stack *: ", said)
    assert re.search(r"azure-native:authorization:RoleAssignment: \(delete\)|RoleAssignment .*deleted", said)
    both.up("local-target")
    assert both.deployment("support-bot").capacity == 1
    assert list(both.deployment("support-bot").tags) == ["hearth-stack"]
    assert list(both.account(TARGET_ACCOUNT).tags) == ["hearth-stack"]
    assert [a for a in world.role_assignments if ids.key(a.scope) == ids.key(account.id)]
    require_quiet(both, "local-target")


def test_a_deployment_that_was_deleted_by_hand_is_made_again_after_a_refresh(source: Desk):
    world = source.azure.world
    with world.lock:
        world.deployments.drop(ids.key(source.deployment("legacy-bot").id))
    said = source.pulumi("refresh", "--yes", "--stack", "local-source")
    assert re.search(r"Deployment legacy-bot .*delete", said)
    source.up("local-source")
    assert source.deployment("legacy-bot").capacity == 1
    require_quiet(source, "local-source")


def test_a_deployment_made_by_hand_is_imported_and_wants_nothing_but_the_mark_of_its_stack(source: Desk):
    model = source.tune("a")
    mine = source.deployment("legacy-bot")
    hand_made = source.by_hand(
        mine,
        id=mine.id.replace("legacy-bot", "by-hand"),
        name="by-hand",
        model=type(mine.model)(**{**_fields(mine.model), "name": model}),
        base="gpt-4.1-mini-2025-04-14",
        tags={},
    )
    source.declare("local-source", "by-hand", model)
    file = source.root / "import.json"
    file.write_text(
        json.dumps(
            {
                "resources": [
                    {"type": "hearth:index:FineTunedDeployment", "name": "parts", "logicalName": "by-hand",
                     "component": True},
                    {"type": DEPLOYMENT, "name": "by-hand", "id": hand_made.id, "parent": "parts"},
                ]
            }
        )
    )  # fmt: skip
    source.pulumi("import", "--yes", "--skip-preview", "--generate-code=false", "--protect=false",
                  "--file", str(file), "--stack", "local-source")  # fmt: skip
    steps = json.loads(source.pulumi("preview", "--json", "--stack", "local-source"))["steps"]
    changes = {s["urn"].rpartition("::")[2]: set(s["detailedDiff"]) for s in steps if s["op"] not in {"same", "read"}}
    # An import takes what Azure fills in for an input; to leave that to Azure again changes nothing there.
    filled_in = {f"properties.{name}" for name in ("currentCapacity", "raiPolicyName", "versionUpgradeOption")}
    assert changes == {"by-hand": {"tags", *filled_in}}
    source.up("local-source")
    assert list(source.deployment("by-hand").tags) == ["hearth-stack"]
    require_quiet(source, "local-source")


def _fields(struct: object) -> dict[str, object]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}  # type: ignore[attr-defined]


def test_an_account_made_by_hand_is_adopted_with_files_that_want_no_change(both: Desk):
    """What another project made, as Azure shows it: the stack's file and records are written from that alone."""
    both.pulumi("stack", "rm", "--yes", "--force", "--stack", "local-target")
    both.stack_file("local-target").unlink(missing_ok=True)
    both.record_file("support-bot").unlink()
    account = both.account(TARGET_ACCOUNT)
    both.hearth("adopt", "taken-over", "--account", account.id, "--yes")
    require_quiet(both, "taken-over")
    assert [d.name for d in both.azure.world.deployments] == ["legacy-bot", "support-bot"]


# --- a name that Azure still holds -----------------------------------------------------------------------------------


def test_a_soft_deleted_name_is_refused_restored_or_purged_as_the_stack_says(both: Desk):
    def born() -> str:
        return str(both.account(TARGET_ACCOUNT).created.at)

    first = born()
    both.pulumi("destroy", "--yes", "--skip-preview", "--stack", "local-target")
    assert both.account(TARGET_ACCOUNT).deleted_at

    both.change("local-target", "softDeleted: restore", "softDeleted: refuse")
    assert "is held by a soft-deleted account" in both.up("local-target", ok=False)

    both.change("local-target", "softDeleted: refuse", "softDeleted: restore")
    both.up("local-target")
    assert born() == first, "the same account is back"
    require_quiet(both, "local-target")

    both.pulumi("destroy", "--yes", "--skip-preview", "--stack", "local-target")
    both.change("local-target", "softDeleted: restore", "softDeleted: purge")
    assert "it would be purged" in both.pulumi("preview", "--stack", "local-target")
    assert both.account(TARGET_ACCOUNT).deleted_at, "a preview purges nothing"
    assert "purging the soft-deleted" in both.up("local-target")
    assert born() != first, "it is another account of that name"
    require_quiet(both, "local-target")


# --- another writer --------------------------------------------------------------------------------------------------


def test_two_stacks_write_to_one_account_at_once_and_neither_fails(source: Desk):
    ours, theirs = ("ours-1", "ours-2"), ("theirs-1", "theirs-2", "theirs-3")
    models = {name: source.tune(letter) for name, letter in zip((*ours, *theirs), "abcde", strict=True)}
    example = source.stack_file("local-source").read_text()
    source.stack_file("shared").write_text(
        re.sub(r"hearth:account: .*", "hearth:account: {name: contoso-train-ncus, resourceGroup: rg-contoso-train, "
               "manage: false}", example.split("  hearth:access:")[0]) + "  hearth:deployments:\n"
    )  # fmt: skip
    for name in ours:
        source.declare("local-source", name, models[name])
    for name in theirs:
        source.declare("shared", name, models[name])
    source.pulumi("stack", "init", "shared")
    _up_at_once(source)
    assert {d.name for d in source.azure.world.deployments} == {"legacy-bot", *ours, *theirs}

    for stack, name in (("local-source", "ours-1"), ("shared", "theirs-1"), ("shared", "theirs-2")):
        entry = f"model: {name}\n      sku: {{name: standard, capacity: "
        source.change(stack, f"{entry}1}}", f"{entry}3}}")
    newer = source.tune("f")
    for name in ("ours-1", "theirs-1"):  # and another model together with that: two writes each
        record = source.record_file(name)
        record.write_text(record.read_text().replace(models[name], newer if name == "ours-1" else source.tune("g")))
    _up_at_once(source)
    assert {d.name: d.capacity for d in source.azure.world.deployments if d.capacity != 1} == {
        "ours-1": 3, "theirs-1": 3, "theirs-2": 3,
    }  # fmt: skip

    for stack, name in (("local-source", "ours-2"), ("shared", "theirs-3"), ("shared", "theirs-1")):
        capacity = 3 if name == "theirs-1" else 1
        source.change(
            stack, f"    {name}:\n      model: {name}\n      sku: {{name: standard, capacity: {capacity}}}\n", ""
        )
    _up_at_once(source)
    assert {d.name for d in source.azure.world.deployments} == {"legacy-bot", "ours-1", "theirs-2"}
    require_quiet(source, "local-source", "shared")


def _up_at_once(desk: Desk) -> None:
    """Both stacks' `up`, started together: they meet, say so, and neither fails.

    The first write lasts until the other stack has met it, however slow this machine is.
    """
    _writes_last(desk, 3600.0)
    met = threading.Event()

    def let_go(entry: Logged) -> None:
        if entry.code == "RequestConflict" and not met.is_set():
            met.set()
            _writes_last(desk, 0.3)
            desk.advance(hours=1)

    with desk.watching(let_go):
        running = [desk.start_up(stack) for stack in ("local-source", "shared")]
        codes = [one.wait() for one in running]
    said = "\n".join(one.said() for one in running)
    assert codes == [0, 0], said
    assert "somebody else is writing to the account" in said


def _writes_last(desk: Desk, seconds: float) -> None:
    desk.switch(deployment_create=seconds, deployment_update=seconds, deployment_delete=seconds)


# --- what does not serve ---------------------------------------------------------------------------------------------


def test_what_says_succeeded_and_does_not_serve_fails_every_up_until_it_serves_and_can_be_destroyed(desk: Desk):
    desk.switch(readiness=86_400.0)
    desk.azure.world.clock.follow(120)  # five minutes are over after some seconds
    for _ in range(2):
        said = desk.up("local-source", ok=False)
        assert re.search(
            r"local-source/legacy-bot is not serving: Azure says Succeeded, and after \S+ its data plane still answers "
            r"DeploymentNotFound", said
        )  # fmt: skip
        assert "Traceback" not in said
        assert desk.deployment("legacy-bot").settled_at <= desk.azure.world.now(), "Azure has finished with it"
    desk.pulumi("refresh", "--yes", "--stack", "local-source", HEARTH_READY="off")  # how things are, whatever serves
    desk.azure.world.clock.follow(1)
    desk.advance(days=1)
    desk.up("local-source")
    require_quiet(desk, "local-source")
    desk.by_hand(desk.deployment("legacy-bot"), paused=True)
    said = desk.pulumi("destroy", "--yes", "--skip-preview", "--stack", "local-source", ok=False)
    assert "HEARTH_READY=off" in said, "the way to destroy what does not serve is named"
    desk.pulumi("destroy", "--yes", "--skip-preview", "--stack", "local-source", HEARTH_READY="off")
    assert not list(desk.azure.world.deployments)


# --- interrupted -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [1, 2, 4])
def test_ctrl_c_ends_an_up_cleanly_and_the_next_one_finishes(desk: Desk, write: int):
    desk.switch(deployment_create=1.0, account_create=1.0)
    with desk.at_write(write, lambda: os.killpg(running.pid, signal.SIGINT)) as struck:
        running = desk.start_up("local-source")
        code = running.wait()
    assert struck.is_set()
    assert code != 0
    assert "Traceback" not in running.said()
    wait_for(lambda: not desk.processes(), f"something lives on: {desk.processes()}")
    assert "removed the lock" not in desk.hearth("recover", "local-source"), "it let go of the lock itself"
    desk.up("local-source")
    assert len(desk.azure.world.deployments) == 1
    require_quiet(desk, "local-source")


@pytest.mark.parametrize(("write", "back"), [(1, "at once"), (2, "too late"), (3, "too late"), (4, "at once")])
def test_an_azure_that_dies_in_the_middle_is_ridden_out_or_named_and_the_next_up_finishes(
    desk: Desk, write: int, back: str
):
    desk.switch(deployment_create=1.0, account_create=1.0)
    with desk.azure_apart() as azure:
        running = desk.start_up("local-source")
        desk.kill_azure(azure, write)
        if back == "at once":
            process.start(azure.folder)
        code = running.wait()
    assert "Traceback" not in running.said()
    if back == "too late":
        assert code != 0
        assert "connection refused" in running.said().lower()
    wait_for(lambda: not desk.processes(), f"something lives on: {desk.processes()}")
    if code != 0:
        assert "error" in running.said()
        desk.hearth("recover", "local-source")
        desk.up("local-source")
    assert len(desk.azure.world.deployments) == 1
    assert len([a for a in desk.azure.world.role_assignments if ids.key(a.scope) == ids.key(TRAIN_ACCOUNT)]) == 1
    require_quiet(desk, "local-source")
