"""The resource manager's own operations, reads only: subscriptions, registrations, groups, what the login may do."""

from __future__ import annotations

import email.utils
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from infra.errors import Busy, LoginFailed, NotFound, Refused, Unreachable
from infra.ports.cloud import METADATA, Cloud, brief

_TIMEOUT = (5, 15)
"""Seconds to connect and to wait for an answer."""
_SUBSCRIPTIONS, _GROUPS, _AUTHORIZATION = "2022-12-01", "2024-03-01", "2022-04-01"
"""api-versions: of subscriptions; of groups and registrations; of roles."""
_ASSIGNMENTS = "Microsoft.Authorization/roleAssignments"


@dataclass(frozen=True, slots=True)
class SubscriptionView:
    """A subscription as Azure has it."""

    id: str
    name: str
    tenant: str
    state: str
    """Enabled, Warned, PastDue, Disabled or Deleted."""


@dataclass(frozen=True, slots=True)
class Permission:
    """What one role lets its holder do; `*` stands for any text, and case does not matter."""

    actions: tuple[str, ...]
    not_actions: tuple[str, ...]
    data_actions: tuple[str, ...]
    not_data_actions: tuple[str, ...]

    def allows(self, action: str, *, data: bool = False) -> bool:
        """Whether this role allows an action of the resource manager, or of the data plane."""
        given, taken = (self.data_actions, self.not_data_actions) if data else (self.actions, self.not_actions)
        return any(_pattern(a).fullmatch(action) for a in given) and not any(
            _pattern(a).fullmatch(action) for a in taken
        )


class Management:
    """Questions to the resource manager of one cloud."""

    def __init__(self, cloud: Cloud) -> None:
        """Nothing is asked before the first question."""
        self._cloud = cloud

    def date(self) -> datetime:
        """The moment that the resource manager's clock shows; asked without a login. Raises Unreachable."""
        answer = self._send(f"{self._cloud.endpoints.resource_manager}{METADATA}", {}, {})
        try:
            return email.utils.parsedate_to_datetime(answer.headers["date"])
        except (KeyError, ValueError) as error:
            raise Refused("the resource manager's answer bears no date", status=answer.status_code) from error

    def subscription(self, subscription: str) -> SubscriptionView:
        """A subscription; raises NotFound, Refused, LoginFailed, Unreachable."""
        found = self._get(f"/subscriptions/{subscription}", _SUBSCRIPTIONS)
        return SubscriptionView(
            id=subscription,
            name=str(found.get("displayName", "")),
            tenant=str(found.get("tenantId", "")),
            state=str(found.get("state", "")),
        )

    def subscriptions(self) -> list[SubscriptionView]:
        """The subscriptions that the login can see; raises Refused, LoginFailed, Unreachable."""
        return [
            SubscriptionView(
                id=str(found["subscriptionId"]),
                name=str(found.get("displayName", "")),
                tenant=str(found.get("tenantId", "")),
                state=str(found.get("state", "")),
            )
            for found in self._list("/subscriptions", {}, _SUBSCRIPTIONS)
        ]

    def registration(self, subscription: str, namespace: str) -> str:
        """Registered, Registering, NotRegistered or Unregistered."""
        return str(self._get(f"/subscriptions/{subscription}/providers/{namespace}", _GROUPS)["registrationState"])

    def group_exists(self, group_id: str) -> bool:
        """Whether a resource group is there. Raises Refused where that may not be seen."""
        try:
            self._get(group_id, _GROUPS)
        except NotFound:
            return False
        return True

    def permissions(self, scope: str) -> list[Permission]:
        """What the login may do at a scope, role by role; deny assignments are not looked at.

        Asks Azure for the permissions themselves, which it tells at resource groups and resources; elsewhere, or where
        that is refused, for the role assignments of the login and their definitions. Raises Refused where both are.
        """
        if "/resourcegroups/" in scope.lower():
            try:
                found = self._list(f"{scope}/providers/Microsoft.Authorization/permissions", {})
                return [_permission(item) for item in found]
            except Refused:
                pass  # roles may be readable where permissions are not: OpenAI Contributor allows just that
        mine = {"$filter": f"assignedTo('{self._cloud.principal()}')"}
        given = [item["properties"] for item in self._list(f"{scope}/providers/{_ASSIGNMENTS}", mine)]
        # The list holds what is assigned above, here and below; what is below does not count here.
        here = [one for one in given if not str(one["scope"]).lower().startswith(f"{scope}/".lower())]
        roles = {str(one["roleDefinitionId"]).rsplit("/", 1)[-1] for one in here}
        # Read at this very scope: a role here alone does not let one read definitions at the subscription.
        at = f"{scope}/providers/Microsoft.Authorization/roleDefinitions"
        definitions = [self._get(f"{at}/{role}", _AUTHORIZATION) for role in sorted(roles)]
        return [_permission(item) for d in definitions for item in d["properties"]["permissions"]]

    # --- requests --------------------------------------------------------------------------------------------------

    def _list(self, path: str, query: dict[str, str], api_version: str = _AUTHORIZATION) -> Iterator[dict[str, Any]]:
        page = self._get(path, api_version, query)
        items: list[dict[str, Any]] = [*page["value"]]
        while page.get("nextLink"):
            page = self._ask(str(page["nextLink"]), {}, path)
            items += page["value"]
        return iter(items)

    def _get(self, path: str, api_version: str, query: dict[str, str] | None = None) -> dict[str, Any]:
        address = f"{self._cloud.endpoints.resource_manager}{path}"
        return self._ask(address, {"api-version": api_version, **(query or {})}, path)

    def _ask(self, address: str, query: dict[str, str], where: str) -> dict[str, Any]:
        token = self._cloud.token(self._cloud.endpoints.scope)
        answer = self._send(address, query, {"Authorization": f"Bearer {token}"})
        if answer.ok:
            found: dict[str, Any] = answer.json()
            return found
        try:
            error = answer.json()["error"]
            code, text = str(error.get("code", "")), str(error.get("message", ""))
        except (ValueError, KeyError, AttributeError):
            code, text = "", f"HTTP {answer.status_code}"
        if answer.status_code == 404:
            raise NotFound(f"{where}: {text}", code=code, status=404)
        if answer.status_code == 429:
            raise Busy(f"{where}: {text}", code=code)
        if code in {"ExpiredAuthenticationToken", "InvalidAuthenticationToken"}:
            raise LoginFailed(f"{text} ({code})")
        raise Refused(f"{where}: {text} ({code})", code=code, status=answer.status_code)

    @staticmethod
    def _send(address: str, query: dict[str, str], headers: dict[str, str]) -> Any:
        import requests

        try:
            return requests.get(address, params=query, headers=headers, timeout=_TIMEOUT)
        except requests.RequestException as error:
            raise Unreachable(f"Azure's resource manager does not answer: {brief(error)}") from error


def _permission(item: dict[str, Any]) -> Permission:
    keys = ("actions", "notActions", "dataActions", "notDataActions")
    return Permission(*(tuple(item.get(key) or ()) for key in keys))


@cache
def _pattern(action: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in action.split("*")), re.IGNORECASE)
