"""From the wish to components: the only place where the two meet, with the proofs that go with each deployment."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import pulumi
from pulumi.output import Unknown

from components import (
    FineTunedDeployment,
    FineTunedDeploymentArgs,
    GrantArgs,
    ModelAccess,
    OpenAIAccount,
    naming,
)
from infra import recover
from infra.errors import HearthError, Mistake, NotReady, ProofFailed, SpecError
from infra.hooks import Hooks
from infra.ports import clock
from infra.ports.arm import Arm
from infra.ports.cloud import Cloud
from infra.ports.inference import Inference
from infra.proofs import Proofs, Readiness, Verdict
from infra.recover import Declared
from infra.spec import Access, DeploymentWish, Stack, limits, load_stack, open_project
from infra.spec.model import Ready
from infra.spec.project import value_of

if TYPE_CHECKING:
    from components import KeepAliveJob, KeepAliveJobArgs

T = TypeVar("T")
Outputs = dict[str, Any]
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


def main() -> None:
    """Load, declare, export; what a person did wrong is told without a traceback."""
    try:
        project = open_project(Path(pulumi.get_root_directory()))
        stack = load_stack(project, pulumi.get_stack(), configuration(), today=clock.today())
        for name, value in Program(stack, project.root).declare().items():
            pulumi.export(name, value)
    except HearthError as error:
        raise pulumi.RunError(str(error)) from None


def configuration() -> dict[str, Any]:
    """The stack's configuration as the engine hands it over: texts, and JSON for what is more than a text."""
    return {key: value_of(text) for key, text in pulumi.runtime.get_config_env().items()}


class Program:
    """One stack's declaration."""

    def __init__(self, stack: Stack, root: Path) -> None:
        """Take the wish; look at nothing yet."""
        self.stack = stack
        known = limits.load()
        cloud = Cloud()
        self.arm = Arm(cloud)
        inference = Inference(cloud, known.inference_api_version.value)
        self.hooks = Hooks(stack, Proofs(cloud, self.arm, inference, known), cloud, self.arm, known)
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
        me = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
        self.last: pulumi.Output[Outputs] = pulumi.StackReference("last", stack_name=me).outputs.apply(
            lambda o: o or {}
        )
        self.same = self.last.apply(self._require_same_account)
        account = self._account()
        access = self._access(account)
        deployments = self._deployments(account, access)
        made = [d.resource for d in deployments.values()]
        wishes = {wish.name: wish for wish in self.stack.deployments}
        facts = {name: self._facts(wishes[name], made) for name, made in deployments.items()}
        job = self._job(account, facts)
        parts = list(job.resources.values()) if job is not None else []
        self._keep_notes([account.group, account.resource, *access.resources.values(), *made, *parts])
        return {
            "account": {
                "id": account.account_id,
                "name": account.account_name,
                "endpoint": account.endpoint,
                "location": account.location,
            },
            "deployments": facts,
            "ready": {name: self._ready(name, made, account, access) for name, made in deployments.items()},
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
                "resource_group_name": self.same.apply(lambda _: wish.resource_group.name),
                "account_name": self.same.apply(lambda _: wish.name),
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
            },
            group_options=self._adopting("group"),
            account_options=pulumi.ResourceOptions.merge(
                self._adopting("account"),
                pulumi.ResourceOptions(hooks=self.hooks.of_account(), protect=wish.protect or None),
            ),
        )

    def _require_same_account(self, last: Outputs) -> bool:
        """Refuse to replace the account: Pulumi would delete the one that serves, its deployments and its models."""
        served, wished = last.get("account") or {}, self.stack.account_id
        before = str(served.get("id") or wished)
        moved = served.get("location") not in {None, "", self.stack.location}
        if before.lower() == wished.lower() and not moved:
            return True
        now, then = (self.stack.location, served["location"]) if moved else (wished, before)
        raise pulumi.RunError(
            f"{self.stack.name}: the stack's account is {then}, and its file says {now}. Pulumi would delete the "
            "account that serves, with its deployments and the models it owns. Put the file back; for another account "
            "write another stack, or `pulumi destroy` this one first"
        )

    def _restores(self) -> pulumi.Input[bool]:
        """Whether the account is to be restored: only where the stack says so and Azure holds a deleted one."""
        wish = self.stack.account
        if wish.soft_deleted != "restore" or not wish.manage or "account" in self.adopted:
            return False

        async def is_soft_deleted(_same: bool) -> bool:
            return await _beside(self.arm.is_soft_deleted, self.stack.account_id, self.stack.location)

        return self.same.apply(is_soft_deleted)

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
        """One after the other: Azure takes one write at a time per account. Roles first: the proofs need them."""
        made: dict[str, FineTunedDeployment] = {}
        before: list[pulumi.Resource] = [account.resource, *access.resources.values()]
        for wish in self.stack.deployments:
            made[wish.name] = self._deployment(account, wish, before)
            before = [made[wish.name].resource]
        return made

    def _deployment(
        self, account: OpenAIAccount, wish: DeploymentWish, before: list[pulumi.Resource]
    ) -> FineTunedDeployment:
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
        for wish in stack.deployments:
            address = naming.deployment_id(stack.account_id, wish.name)
            found[f"deployment:{wish.name}"] = Declared(address, _API["deployment"])
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

    def _facts(self, wish: DeploymentWish, made: FineTunedDeployment) -> pulumi.Output[Outputs]:
        """The contract with every other command: what Azure answered, and what the stack served before."""
        name = wish.name

        def facts(known: dict[str, Any]) -> Outputs:
            sku, last = known["sku"], _told(known["last"], "deployments", name) or {}
            now = {
                "id": known["id"],
                "active": known["active"],
                "standby": None,
                "model": known["model"],
                "version": known["version"],
                "source": known["source"],
                "sku": {"name": sku["name"], "capacity": int(sku["capacity"])} if sku else None,
                "settings": {**known["settings"], "sourceTenant": _tenant(known, wish, last)},
            }
            return {**now, "previous": _previous(now, last), "held": False, "rollout": None}

        fresh = pulumi.Output.all(
            id=made.deployment_id,
            active=made.deployment_name,
            model=made.model,
            version=made.version,
            source=made.source,
            sku=made.sku,
            settings=made.settings,
            last=self.last,
        ).apply(facts)
        return self._or_last(made, fresh, "deployments", name)

    def _or_last(self, made: FineTunedDeployment, fresh: pulumi.Output[T], part: str, name: str) -> pulumi.Output[T]:
        """The output, or what the stack last said where a refresh has found the deployment gone.

        A refresh runs the program, and what is not known in it would be written over the outputs: which model stood
        there, under which settings, is what `hearth tend` needs to put it back.
        """

        def choose(known: object) -> pulumi.Output[T]:
            if not isinstance(known, Unknown):
                return fresh
            return self.last.apply(lambda last: _told(last, part, name) or fresh)

        return made.deployment_id.apply(choose, run_with_unknowns=True)

    # --- ready -----------------------------------------------------------------------------------------------------

    def _ready(
        self, name: str, made: FineTunedDeployment, account: OpenAIAccount, access: ModelAccess
    ) -> pulumi.Output[Any]:
        """Prove the deployment on every `up`; a preview tells what the last one found."""
        if pulumi.runtime.is_dry_run() or self.wanted == "off":
            return self.last.apply(lambda last: _told(last, "ready", name))

        async def prove(known: dict[str, Any]) -> bool | str:
            return await _beside(self._prove_ready, name, known["endpoint"])

        known = {"id": made.deployment_id, "endpoint": account.endpoint, "roles": access.assignment_ids}
        return self._or_last(made, pulumi.Output.all(**known).apply(prove), "ready", name)

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


async def _beside(work: Callable[..., T], *args: Any) -> T:
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


_UNSAID: Outputs = {"standby": None, "source": None, "previous": None, "held": False, "rollout": None}


def _told(last: Outputs, part: str, name: str) -> Any:
    """What the last run said of a deployment; None where it could not."""
    found = (last.get(part) or {}).get(name)
    if part != "deployments":
        return found
    # A StackReference leaves out what is null.
    return {**_UNSAID, **found} if isinstance(found, dict) else None


def _tenant(known: dict[str, Any], wish: DeploymentWish, last: Outputs) -> str | None:
    """Tenant of the account that owns the model that stands there, where it is another one.

    Azure does not tell it. A refresh finds what the last run put there, of which a changed record says nothing.
    """
    if known["source"] is None:
        return None
    if known["model"] == wish.record.model:
        return wish.record.source.tenant
    tenant: str | None = (last.get("settings") or {}).get("sourceTenant")
    return tenant


def _previous(now: Outputs, last: Outputs) -> Outputs | None:
    """The model served before the one served now."""
    if not last:
        return None
    fields = ("model", "version", "source")
    before: Outputs | None = {field: last.get(field) for field in fields}
    if before == {field: now[field] for field in fields}:
        before = last.get("previous")
    return before
