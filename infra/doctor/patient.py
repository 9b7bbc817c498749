"""What is examined, with the doors to look through. Answers that several checks need are asked for once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeVar

from infra.doctor.examine import Once
from infra.doctor.tools import Tools
from infra.errors import NotFound
from infra.ports.arm import AccountView, Arm, DeploymentView
from infra.ports.cloud import Cloud, Login
from infra.ports.management import Management, Permission
from infra.proofs import Proofs
from infra.spec import Limits, Project, Stack

T = TypeVar("T")


@dataclass(frozen=True)
class Patient:
    """A project's stacks, the machine and the cloud. `tools` and `now` tell what is installed and what time it is."""

    project: Project
    names: list[str]
    today: date
    now: Callable[[], datetime]
    environment: Mapping[str, str]
    tools: Callable[[], Tools]
    limits: Limits
    cloud: Cloud
    arm: Arm
    management: Management
    proofs: Proofs
    _once: Once = field(default_factory=Once)

    def installed(self) -> Tools:
        """The engine and its plugins."""
        return self._once("tools", self.tools)

    def date(self) -> datetime:
        """The cloud's clock."""
        return self._once("date", self.management.date)

    def login(self) -> Login:
        """Who is logged in."""
        return self._once("login", self.cloud.login)

    def account(self, account_id: str) -> AccountView | None:
        """An account; None where there is none. Raises Refused."""
        return self._once(("account", account_id.lower()), lambda: _or_none(lambda: self.arm.account(account_id)))

    def is_soft_deleted(self, stack: Stack) -> bool:
        """Whether the account's name is held by a soft-deleted one."""
        ask = self.arm.is_soft_deleted
        return self._once(("soft-deleted", stack.name), lambda: ask(stack.account_id, stack.location))

    def group_exists(self, group_id: str) -> bool:
        """Whether a resource group is there. Raises Refused."""
        return self._once(("group", group_id.lower()), lambda: self.management.group_exists(group_id))

    def permissions(self, scope: str) -> list[Permission]:
        """What the login may do at a scope. Raises Refused."""
        return self._once(("permissions", scope.lower()), lambda: self.management.permissions(scope))

    def deployments(self, stack: Stack) -> dict[str, DeploymentView]:
        """The deployments that the stack's account has, by name in lower case."""

        def ask() -> dict[str, DeploymentView]:
            return {d.name.lower(): d for d in self.arm.deployments(stack.account_id)}

        return self._once(("deployments", stack.name), lambda: _or_none(ask) or {})

    def quotas(self, stack: Stack) -> dict[str, int]:
        """What is left in the stack's subscription and region, by usage name."""
        where = (stack.subscription, stack.location)
        return self._once(("quotas", *where), lambda: self.arm.quotas_left(*where))


def group_id(stack: Stack) -> str:
    """The id of the resource group that a stack's account is in."""
    return f"/subscriptions/{stack.subscription}/resourceGroups/{stack.account.resource_group.name}"


def _or_none(ask: Callable[[], T]) -> T | None:
    try:
        return ask()
    except NotFound:
        return None
