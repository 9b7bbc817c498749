"""From the wish to components: the only place where the two meet, with the proofs that go with each deployment."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import pulumi

from components import (
    FineTunedDeployment,
    FineTunedDeploymentArgs,
    GrantArgs,
    ModelAccess,
    OpenAIAccount,
    naming,
)
from infra import outputs, recover, serving
from infra.errors import HearthError, Mistake, NotReady, ProofFailed, SpecError
from infra.hooks import Hooks
from infra.outputs import Outputs
from infra.ports import clock
from infra.ports.arm import Arm
from infra.ports.cloud import Cloud
from infra.ports.inference import Inference
from infra.proofs import Proofs, Readiness, Verdict
from infra.recover import Declared
from infra.spec import Access, Stack, applied, limits, load_stack, names_in_rollout, open_project, promotion
from infra.spec.model import Ready
from infra.spec.project import value_of
from infra.spec.promotion import Promotion

if TYPE_CHECKING:
    from components import KeepAliveJob, KeepAliveJobArgs

T = TypeVar("T")
_API = {"group": "2024-03-01", "account": "2025-06-01", "grant": "2022-04-01", "deployment": "2025-06-01"}
"""The api-versions that pulumi-azure-native 3.29.0 speaks for these types."""
_JOB_API = {
    "identity": "2023-01-31",
    "workspace": "2023-09-01",
    "environment": "2025-02-02-preview",
    "logs": "2021-05-01-preview",
    "job": "2025-02-02-preview",
    "actions": "2024-10-01-preview",
    "deadline": "2025-01-01-preview",
    "silent": "2025-01-01-preview",
}
"""The same of the keep-alive job's parts; those that are not here are grants."""
_CLOUD = ("ARM_METADATA_HOSTNAME", "AZURE_AUTHORITY_HOST")
"""Variables that name a cloud other than public Azure: the job must find the one that it is declared in."""
_ENCRYPTED = {"hearth:keepAlive"}
"""Keys that may hold a webhook's address, which stays encrypted in the state."""
READY = "HEARTH_READY"
ACTIVE_TAG = "hearth-active-"
"""Tag of the account, before a deployment's name: the Azure deployment that its callers are to use."""


def main() -> None:
    """Load, declare, export; what a person did wrong is told without a traceback."""
    try:
        project = open_project(Path(pulumi.get_root_directory()))
        stack = load_stack(project, pulumi.get_stack(), configuration(), today=clock.today())
        named = stack.name in names_in_rollout(project)
        digest = applied.digest(project, stack, applied.program(project.root), named=named)
        program = Program(stack, project.root, outputs.last(), promotion.read(), named=named, digest=digest)
        for name, value in program.declare().items():
            pulumi.export(name, value)
    except HearthError as error:
        raise pulumi.RunError(str(error)) from None


def configuration() -> dict[str, Any]:
    """The stack's configuration as the engine hands it over: texts, and JSON for what is more than a text."""
    return {key: value_of(text) for key, text in pulumi.runtime.get_config_env().items()}


class Program:
    """One stack's declaration."""

    def __init__(
        self, stack: Stack, root: Path, last: Outputs, moves: Promotion | None, *, named: bool, digest: str
    ) -> None:
        """Take the wish, what the last run left, and what a rollout moves; look at nothing yet.

        `named` tells whether rollout.yaml names the stack, `digest` stands for the wish. Raises SpecError, HearthError.
        """
        self.stack, self.last, self.moves, self.named, self.digest = stack, last, moves, named, digest
        self.standings = serving.decide(stack, last.get("deployments") or {}, moves, named=named)
        self.wishes = {
            slot.name: serving.wish_of(standing, slot, stack.account_id)
            for standing in self.standings.values()
            for slot in standing.slots
        }
        known = limits.load()
        cloud = Cloud()
        self.arm = Arm(cloud)
        inference = Inference(cloud, known.inference_api_version.value)
        self.hooks = Hooks(stack, self.wishes, Proofs(cloud, self.arm, inference, known), cloud, self.arm, known)
        self.readiness = Readiness(inference, known)
        self.root = root
        self.notes = recover.notes(root, stack.name)
        self.tags = {recover.STACK_TAG: stack.tag}
        self.wanted = _ready_wanted(stack)

    def declare(self) -> Outputs:
        """Declare everything and return the stack's outputs."""
        for warning in (*self.stack.warnings, *_in_the_clear()):
            pulumi.log.warn(warning)
        self._require_let_go()
        self.adopted = recover.adoptions(self.notes, self.stack.tag, self._declared(), self.arm)
        for resource in self.adopted.values():
            pulumi.log.info(f"{resource} is in Azure and not in the state: taking it in")
        self._require_same_account()
        self._drop_left_behind()
        for standing in self.standings.values():
            if standing.remark:
                pulumi.log.warn(standing.remark)
        account = self._account()
        access = self._access(account)
        deployments = self._deployments(account, access)
        made = [d.resource for d in deployments.values()]
        facts = {name: outputs.facts(standing, deployments, self.last) for name, standing in self.standings.items()}
        job = self._job(account, facts)
        parts = list(job.resources.values()) if job is not None else []
        declared = [account.group, account.resource, *access.resources.values(), *made, *parts]
        self._keep_notes(declared)
        ready = {name: self._ready(name, one, account, access) for name, one in deployments.items()}
        return {
            "account": {
                "id": account.account_id,
                "name": account.account_name,
                "endpoint": account.endpoint,
                "location": account.location,
            },
            "deployments": facts,
            "ready": ready,
            "applied": self._applied(declared, ready),
            **({"keepAlive": {"jobId": job.job_id, "principalId": job.principal_id}} if job is not None else {}),
        }

    # --- resources -------------------------------------------------------------------------------------------------

    def _account(self) -> OpenAIAccount:
        wish = self.stack.account
        network = wish.network
        return OpenAIAccount(
            wish.name,
            {
                "subscription_id": self.stack.subscription,
                "resource_group_name": wish.resource_group.name,
                "account_name": wish.name,
                "location": self.stack.location,
                "make_resource_group": wish.resource_group.manage,
                "existing": not wish.manage,
                "subdomain": wish.subdomain or wish.name.lower(),
                "kind": wish.kind,
                "sku": wish.sku,
                "identity": wish.identity,
                "public_network_access": network.public_access,
                "allowed_addresses": list(network.allow),
                "allowed_subnets": list(network.subnets),
                "trusted_services": network.trusted_services,
                "local_auth": wish.local_auth,
                "restore": self._restores(),
                "tags": {**wish.tags, **self.tags},
                "account_tags": self._active_tags(),
            },
            group_options=self._adopting("group"),
            account_options=pulumi.ResourceOptions.merge(
                self._adopting("account"),
                pulumi.ResourceOptions(hooks=self.hooks.of_account(), protect=wish.protect or None),
            ),
        )

    def _active_tags(self) -> dict[str, pulumi.Input[str]]:
        """Which Azure deployment callers are to use, for those who may read the account and not the stack's outputs.

        A switch changes it before anything else of its run; the deployment that it leads to stands ready since an
        earlier one, which `serving` sees to.
        """
        active = {
            name: standing.active.name
            for name, standing in self.standings.items()
            if self.named or standing.active.name != name
        }
        if self.stack.account.manage:
            return {f"{ACTIVE_TAG}{name}": value for name, value in active.items()}
        for name, value in active.items():
            if name != value:
                pulumi.log.info(
                    f"{self.stack.name}/{name} is active as {value}, which the stack's outputs alone tell: its account "
                    "is not managed, so it gets no tag"
                )
        return {}

    def _require_same_account(self) -> None:
        """Refuse to replace the account: Pulumi would delete the one that serves, its deployments and its models."""
        served, wished = self.last.get("account") or {}, self.stack.account_id
        before = str(served.get("id") or wished)
        moved = served.get("location") not in {None, "", self.stack.location}
        if before.lower() == wished.lower() and not moved:
            return
        now, then = (self.stack.location, served["location"]) if moved else (wished, before)
        raise ProofFailed(
            f"{self.stack.name}: the stack's account is {then}, and its file says {now}. Pulumi would delete the "
            "account that serves, with its deployments and the models it owns. Put the file back; for another account "
            "write another stack, or `pulumi destroy` this one first"
        )

    def _restores(self) -> pulumi.Input[bool]:
        """Whether the account is to be restored: only where the stack says so and Azure holds a deleted one."""
        wish = self.stack.account
        if wish.soft_deleted != "restore" or not wish.manage or "account" in self.adopted:
            return False
        return _beside_the_loop(self.arm.is_soft_deleted, self.stack.account_id, self.stack.location)

    def _access(self, account: OpenAIAccount) -> ModelAccess:
        grants: dict[str, GrantArgs] = {
            _grant_name(item): {
                "principal_id": item.principal,
                "role_id": item.role,
                "principal_type": item.principal_type,
            }
            for item in self.stack.access
        }
        return ModelAccess(
            self.stack.account.name,
            {"account_id": account.account_id, "grants": grants},
            grant_options={
                name: pulumi.ResourceOptions.merge(
                    self._adopting(f"grant:{name}"), pulumi.ResourceOptions(hooks=self.hooks.of_role())
                )
                for name in grants
            },
        )

    def _deployments(self, account: OpenAIAccount, access: ModelAccess) -> dict[str, FineTunedDeployment]:
        """Every slot by its Azure name, one after the other: Azure takes one write at a time per account.

        Roles first: the proofs need them.
        """
        made: dict[str, FineTunedDeployment] = {}
        before: list[pulumi.Resource] = [account.resource, *access.resources.values()]
        for name in sorted(self.wishes):
            made[name] = self._deployment(account, name, before)
            before = [made[name].resource]
        return made

    def _deployment(self, account: OpenAIAccount, name: str, before: list[pulumi.Resource]) -> FineTunedDeployment:
        wish = self.wishes[name]
        args: FineTunedDeploymentArgs = {
            "account_id": self.stack.account_id,
            "account_name": account.account_name,
            "resource_group_name": account.resource_group_name,
            "deployment_name": wish.name,
            "model": {
                "name": wish.record.model,
                "version": wish.record.version,
                "source_account_id": wish.record.source.id,
                "in_other_tenant": wish.record.source.tenant is not None,
            },
            "sku_name": wish.sku.name,
            "capacity": wish.sku.capacity,
            "tags": {**wish.tags, **self.tags},
        }
        if wish.version_upgrade_option is not None:
            args["version_upgrade_option"] = wish.version_upgrade_option
        if wish.rai_policy is not None:
            args["rai_policy_name"] = wish.rai_policy
        around = pulumi.ResourceOptions(depends_on=before, hooks=self.hooks.of_deployment())
        adopting = self._adopting(f"deployment:{wish.name}")
        return FineTunedDeployment(wish.name, args, deployment_options=pulumi.ResourceOptions.merge(adopting, around))

    # --- the job that tends by itself ------------------------------------------------------------------------------

    def _job(self, account: OpenAIAccount, facts: dict[str, pulumi.Output[Outputs]]) -> KeepAliveJob | None:
        """The job, where the stack wants one and has something to watch: most do not, and its imports take a while."""
        wanted = self._job_args(account.resource_group_name)
        if wanted is None:
            return None
        from components import KeepAliveJob, keep_alive
        from infra.keepalive import stacks, watchlist

        told = pulumi.Output.all(
            account=pulumi.Output.all(id=account.account_id, endpoint=account.endpoint, location=account.location),
            deployments=pulumi.Output.all(**facts),
        )
        wanted["watch_list"] = told.apply(
            lambda known: watchlist.encode(stacks.of(self.stack.name, self.stack, known)[0])
        )
        after = pulumi.ResourceOptions(depends_on=[account.resource])  # its grants are at the account
        return KeepAliveJob(
            f"{self.stack.account.name}-tend",
            wanted,
            part_options={
                part: pulumi.ResourceOptions.merge(after, self._adopting(f"job:{part}"))
                for part in keep_alive.part_ids(wanted, self.stack.account.resource_group.name)
            },
        )

    def _job_args(self, group: pulumi.Input[str]) -> KeepAliveJobArgs | None:
        """What is known of the job before anything is made; its watch list is not."""
        job, stack = self.stack.keep_alive.job, self.stack
        if job is None or not job.enabled or not stack.deployments:
            return None
        args: KeepAliveJobArgs = {
            "subscription_id": stack.subscription,
            "resource_group_name": group,
            "location": stack.location,
            "job_name": naming.job_name(stack.account.name),
            "image": job.image,
            "watch_list": "",
            "accounts": [stack.account_id],
            "schedule": job.schedule,
            "scope": job.scope,
            "revive": any(wish.revive for wish in stack.deployments),
            "retire": job.retire,
            "environment": {**{k: os.environ[k] for k in _CLOUD if os.environ.get(k)}, **job.environment},
            "alarms": {
                "emails": job.alarms.emails,
                "webhooks": job.alarms.webhooks,
                "days_left": job.alarms.days_left,
            },
            "tags": {**self.tags},
        }
        if job.registry is not None:
            args["registry"] = {"registry_id": job.registry, "server": job.image.partition("/")[0]}
        return args

    # --- adoption --------------------------------------------------------------------------------------------------

    def _require_let_go(self) -> None:
        """Refuse `manage: false` for an account that this stack made: its group would go, and the account with it."""
        account = self.stack.account
        if account.manage:
            return
        found = self.arm.resource(self.stack.account_id, _API["account"])
        if found is None:
            raise ProofFailed(
                f"{self.stack.name}: hearth:account refers to {self.stack.account_id} (manage: false), which does not "
                "exist. Correct its name, resource group or subscription, or leave out manage: false to have it made"
            )
        if found.tags.get(recover.STACK_TAG) == self.stack.tag:
            raise ProofFailed(
                f"{self.stack.name}: this stack made the account {account.name}, and with hearth:account.manage: false "
                "Pulumi would delete its resource group and the account with it. To let go of both: take them out of "
                f"the state (pulumi state delete URN --stack {self.stack.name}; URNs: pulumi stack --show-urns), and "
                f"the tag {recover.STACK_TAG} off the account"
            )

    def _drop_left_behind(self) -> None:
        """Delete a slot that a killed run made and the state never knew, now that it is wanted no more.

        Had the state known it, Pulumi would delete it. Only a rollout's own runs do so: a refresh runs the program too.
        """
        if self.notes is None or not (self.moves or self.named):
            return
        for name in (slot for wish in self.stack.deployments for slot in (wish.name, f"{wish.name}-b")):
            address = naming.deployment_id(self.stack.account_id, name)
            if name in self.wishes or address.lower() in self.notes.held:
                continue
            found = self.arm.resource(address, _API["deployment"])
            if found is None or found.tags.get(recover.STACK_TAG) != self.stack.tag:
                continue
            text = f"{self.stack.name}/{name} is in Azure, left by a run that was killed; nothing leads to it"
            if self.moves is None or pulumi.runtime.is_dry_run():
                pulumi.log.warn(f"{text}. The next step of a rollout here deletes it")
            else:
                pulumi.log.warn(f"{text}: deleting it")
                self.hooks.past_siblings(name, partial(self.arm.delete_deployment, self.stack.account_id, name))

    def _keep_notes(self, declared: list[pulumi.CustomResource | None]) -> None:
        """What is in the state after this run needs no adoption in the next."""
        if self.notes is None or pulumi.runtime.is_dry_run():
            return
        for resource in declared:
            if resource is not None:
                resource.id.apply(lambda held: recover.holds(self.root, self.stack.name, held))

    def _declared(self) -> dict[str, Declared]:
        """Everything that this program declares and that a kill could have left out of the state."""
        stack, account = self.stack, self.stack.account
        found: dict[str, Declared] = {}
        if account.manage and account.resource_group.manage:
            group = naming.resource_group_id(stack.subscription, account.resource_group.name)
            found["group"] = Declared(group, _API["group"])
        if account.manage:
            found["account"] = Declared(stack.account_id, _API["account"])
        for item in stack.access:
            name = naming.role_assignment_name(stack.account_id, item.role, item.principal)
            address = naming.role_assignment_id(stack.account_id, name)
            found[f"grant:{_grant_name(item)}"] = Declared(address, _API["grant"], named_by_us=True)
        for name in self.wishes:
            address = naming.deployment_id(stack.account_id, name)
            found[f"deployment:{name}"] = Declared(address, _API["deployment"])
        return {**found, **self._declared_of_the_job()}

    def _declared_of_the_job(self) -> dict[str, Declared]:
        group = self.stack.account.resource_group.name
        job = self._job_args(group)
        if job is None:
            return {}
        from components import keep_alive

        found: dict[str, Declared] = {}
        for part, address in keep_alive.part_ids(job, group).items():
            untagged = part not in _JOB_API or part == "logs"
            found[f"job:{part}"] = Declared(address, _JOB_API.get(part, _API["grant"]), named_by_us=untagged)
        return found

    def _adopting(self, name: str) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(import_=self.adopted.get(name))

    # --- outputs ---------------------------------------------------------------------------------------------------

    def _applied(
        self, declared: list[pulumi.CustomResource | None], ready: dict[str, pulumi.Output[Any]]
    ) -> pulumi.Output[str]:
        """The digest of the wish that was put up last, whole and proven.

        A stash keeps it, which changes in an `up` alone: a refresh runs the program too, and puts nothing up.
        """
        everything = [resource for resource in declared if resource is not None]
        told = pulumi.Output.all(**ready).apply(lambda _: self.digest)
        stash = pulumi.Stash("applied", input=told, opts=pulumi.ResourceOptions(depends_on=everything))
        return stash.input

    # --- ready -----------------------------------------------------------------------------------------------------

    def _ready(
        self, name: str, made: FineTunedDeployment, account: OpenAIAccount, access: ModelAccess
    ) -> pulumi.Output[Any]:
        """Prove a deployment on every `up`, also the one that stands by; a preview tells what the last one found."""
        last = (self.last.get("ready") or {}).get(name)
        if pulumi.runtime.is_dry_run() or self.wanted == "off":
            return pulumi.Output.from_input(last)

        async def prove(known: dict[str, Any]) -> bool | str:
            return await _beside_the_loop(self._prove_ready, name, known["endpoint"])

        known = {"id": made.deployment_id, "endpoint": account.endpoint, "roles": access.assignment_ids}
        return outputs.or_last(made, pulumi.Output.all(**known).apply(prove), last)

    def _prove_ready(self, name: str, endpoint: str) -> bool | str:
        """True, or why it is not proven; raises where the stack wants it to."""
        where = f"{self.stack.name}/{name}"
        try:
            proof = self.readiness.prove(endpoint, name, role_is_new=self.hooks.role_is_new, say=pulumi.log.info)
            verdict, reason = proof.verdict, proof.reason
        except HearthError as error:
            verdict, reason = Verdict.NOT_PROVEN, str(error)
        if verdict is Verdict.READY:
            return True
        text = f"{where} is {verdict.value}: {reason}"
        fatal = self.wanted == "required" or (self.wanted == "serving" and verdict is Verdict.NOT_SERVING)
        if fatal:
            raise NotReady(f"{text}. (To destroy or refresh all the same: {READY}=off pulumi …)")
        pulumi.log.warn(text)
        return reason


async def _beside_the_loop(work: Callable[..., T], *args: Any) -> T:
    """Do blocking work beside the engine's loop; what we can explain is told without a traceback."""
    try:
        return await asyncio.to_thread(work, *args)
    except HearthError as error:
        raise pulumi.RunError(str(error)) from None


def _ready_wanted(stack: Stack) -> Ready:
    """`hearth:ready`, or for one run what HEARTH_READY says.

    `pulumi destroy` and `refresh` run the program too, and nothing tells it so: a deployment that does not serve must
    not stand in the way of its own destruction.
    """
    said = os.environ.get(READY)
    if not said:
        return stack.ready
    words: tuple[Ready, ...] = get_args(Ready)
    for word in words:
        if word == said:
            return word
    raise SpecError([Mistake(READY, 0, "", f"must be one of {', '.join(words)}, not {said}")])


def _in_the_clear() -> list[str]:
    """Keys that are encrypted in the stack's file and do not stay so."""
    keys = sorted(key for key in pulumi.runtime.get_config_env() if key.startswith("hearth:") and key not in _ENCRYPTED)
    return [
        f"{key} is encrypted in the stack's file, but what it says goes into Azure and the state in the clear"
        for key in keys
        if pulumi.runtime.is_config_secret(key)
    ]


def _grant_name(item: Access) -> str:
    """A name for a grant that stays the same when the list is sorted anew."""
    role = limits.load().role_names.get(item.role, item.role).removeprefix("Cognitive Services ")
    return f"{role.replace(' ', '-').lower()}-{item.principal}"
