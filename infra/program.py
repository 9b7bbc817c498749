"""From the wish to components: the only place where the two meet, with the proofs that go with each deployment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pulumi

from components import FineTunedDeployment, FineTunedDeploymentArgs, GrantArgs, ModelAccess, OpenAIAccount, naming
from infra import recover
from infra.errors import HearthError, NotReady
from infra.hooks import Hooks
from infra.ports import clock
from infra.ports.arm import Arm
from infra.ports.cloud import Cloud
from infra.ports.inference import Inference
from infra.proofs import Proofs, Readiness, Verdict
from infra.recover import Declared
from infra.spec import Access, DeploymentWish, Stack, limits, load_stack, open_project
from infra.spec.project import value_of

T = TypeVar("T")
Outputs = dict[str, Any]
_API = {"group": "2024-03-01", "account": "2025-06-01", "grant": "2022-04-01", "deployment": "2025-06-01"}
"""The api-versions that pulumi-azure-native 3.29.0 speaks for these types."""


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
        self.notes = recover.notes(root, stack.name)
        self.tags = {naming.STACK_TAG: stack.tag}

    def declare(self) -> Outputs:
        """Declare everything and return the stack's outputs."""
        for warning in self.stack.warnings:
            pulumi.log.warn(warning)
        self.adopted = recover.adoptions(self.notes, self.stack.tag, self._declared(), self.arm)
        for resource in self.adopted.values():
            pulumi.log.info(f"{resource} is in Azure and not in the state: taking it in")
        me = f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"
        self.last: pulumi.Output[Outputs] = pulumi.StackReference("last", stack_name=me).outputs.apply(
            lambda o: o or {}
        )
        account = self._account()
        access = self._access(account)
        deployments = self._deployments(account, access)
        return {
            "account": {
                "id": account.account_id,
                "name": account.account_name,
                "endpoint": account.endpoint,
                "location": account.location,
            },
            "deployments": {name: self._facts(name, made) for name, made in deployments.items()},
            "ready": {name: self._ready(name, made, account, access) for name, made in deployments.items()},
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
            },
            group_options=self._adopting("group"),
            account_options=pulumi.ResourceOptions.merge(
                self._adopting("account"),
                pulumi.ResourceOptions(hooks=self.hooks.of_account(), protect=wish.protect or None),
            ),
        )

    def _restores(self) -> pulumi.Input[bool]:
        """Whether the account is to be restored: only where the stack says so and Azure holds a deleted one.

        Azure is asked only while the stack has no account yet.
        """
        wish = self.stack.account
        if wish.soft_deleted != "restore" or not wish.manage or "account" in self.adopted:
            return False

        async def is_soft_deleted(last: Outputs) -> bool:
            if last.get("account"):
                return False
            return await _beside(self.arm.is_soft_deleted, self.stack.account_id, self.stack.location)

        return self.last.apply(is_soft_deleted)

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

    # --- adoption --------------------------------------------------------------------------------------------------

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
        return found

    def _adopting(self, name: str) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(import_=self.adopted.get(name))

    # --- outputs ---------------------------------------------------------------------------------------------------

    def _facts(self, name: str, made: FineTunedDeployment) -> pulumi.Output[Outputs]:
        """The contract with every other command: what Azure answered, and what the stack served before."""

        def facts(known: dict[str, Any]) -> Outputs:
            sku = known["sku"]
            now = {
                "id": known["id"],
                "active": known["active"],
                "standby": None,
                "model": known["model"],
                "version": known["version"],
                "source": known["source"],
                "sku": {"name": sku["name"], "capacity": int(sku["capacity"])} if sku else None,
            }
            last = (known["last"].get("deployments") or {}).get(name) or {}
            return {**now, "previous": _previous(now, last), "held": False, "rollout": None}

        return pulumi.Output.all(
            id=made.deployment_id,
            active=made.deployment_name,
            model=made.model,
            version=made.version,
            source=made.source,
            sku=made.sku,
            last=self.last,
        ).apply(facts)

    # --- ready -----------------------------------------------------------------------------------------------------

    def _ready(
        self, name: str, made: FineTunedDeployment, account: OpenAIAccount, access: ModelAccess
    ) -> pulumi.Output[Any]:
        """Prove the deployment on every `up`; a preview tells what the last one found."""
        if pulumi.runtime.is_dry_run() or self.stack.ready == "off":
            return self.last.apply(lambda last: (last.get("ready") or {}).get(name))

        async def prove(known: dict[str, Any]) -> bool | str:
            return await _beside(self._prove_ready, name, known["endpoint"])

        return pulumi.Output.all(id=made.deployment_id, endpoint=account.endpoint, roles=access.assignment_ids).apply(
            prove
        )

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
        fatal = self.stack.ready == "required" or (self.stack.ready == "serving" and verdict is Verdict.NOT_SERVING)
        if fatal:
            raise NotReady(text)
        pulumi.log.warn(text)
        return reason


async def _beside(work: Callable[..., T], *args: Any) -> T:
    """Do blocking work beside the engine's loop; what we can explain is told without a traceback."""
    try:
        return await asyncio.to_thread(work, *args)
    except HearthError as error:
        raise pulumi.RunError(str(error)) from None


def _grant_name(item: Access) -> str:
    """A name for a grant that stays the same when the list is sorted anew."""
    role = limits.load().role_names.get(item.role, item.role).removeprefix("Cognitive Services ")
    return f"{role.replace(' ', '-').lower()}-{item.principal}"


def _previous(now: Outputs, last: Outputs) -> Outputs | None:
    """The model served before the one served now."""
    if not last:
        return None
    fields = ("model", "version", "source")
    before: Outputs | None = {field: last.get(field) for field in fields}
    if before == {field: now[field] for field in fields}:
        before = last.get("previous")
    return before
