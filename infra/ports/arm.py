"""Azure's resource manager: accounts, deployments, models of a region. Reads, and the few writes that are not Pulumi's.

Views are plain; Azure's own words (SKU, provisioning state) are kept as Azure spells them.
"""

from __future__ import annotations

import email.utils
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from infra.errors import Busy, HearthError, NotFound, Refused, Unreachable
from infra.ports.cloud import Cloud, brief, login_error

if TYPE_CHECKING:
    from azure.core.exceptions import HttpResponseError
    from azure.mgmt.cognitiveservices import CognitiveServicesManagementClient

T = TypeVar("T")
_POLL_SECONDS = 1


@dataclass(frozen=True, slots=True)
class AccountView:
    """An account as Azure has it."""

    id: str
    location: str
    endpoint: str
    state: str
    tags: dict[str, str]
    kind: str = "OpenAI"
    sku: str = "S0"
    subdomain: str | None = None
    identity: str = "None"
    local_auth: bool = True
    public_access: bool = True
    allowed_addresses: tuple[str, ...] = ()
    allowed_subnets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """A deployment as Azure has it."""

    id: str
    name: str
    model: str
    version: str
    source: str | None
    sku: str
    capacity: int
    state: str
    tags: dict[str, str]
    created: datetime | None


@dataclass(frozen=True, slots=True)
class TunedSku:
    """A SKU under which a tuned model can be deployed in a region, with the quota it draws on."""

    name: str
    usage: str


class Arm:
    """Calls to the resource manager of one cloud; one client per subscription."""

    def __init__(self, cloud: Cloud) -> None:
        """Nothing is asked before the first call."""
        self._cloud = cloud
        self._clients: dict[str, CognitiveServicesManagementClient] = {}

    # --- accounts --------------------------------------------------------------------------------------------------

    def account(self, account_id: str) -> AccountView:
        """An account; raises NotFound, Refused (with Azure's code), Unreachable, LoginFailed."""
        subscription, group, name = parts(account_id)
        return _account(_asked(lambda: self._client(subscription).accounts.get(group, name), account_id))

    def is_soft_deleted(self, account_id: str, location: str) -> bool:
        """Whether the name is held by a soft-deleted account."""
        subscription, group, name = parts(account_id)
        try:
            _asked(lambda: self._client(subscription).deleted_accounts.get(location, group, name), account_id)
        except NotFound:
            return False
        return True

    def purge(self, account_id: str, location: str) -> None:
        """Purge a soft-deleted account, and wait until it is gone: what it owned is lost."""
        subscription, group, name = parts(account_id)
        client = self._client(subscription)
        _asked(lambda: client.deleted_accounts.begin_purge(location, group, name).result(), account_id)

    def exists(self, resource_id: str, api_version: str) -> bool:
        """Whether a resource of any type exists. Raises Refused, Unreachable, LoginFailed."""
        return self.tags(resource_id, api_version) is not None

    def tags(self, resource_id: str, api_version: str) -> dict[str, str] | None:
        """The tags of a resource of any type; None where it does not exist."""
        import requests

        headers = {"Authorization": f"Bearer {self._cloud.token(self._cloud.endpoints.scope)}"}
        address = f"{self._cloud.endpoints.resource_manager}{resource_id}"
        try:
            answer = requests.get(address, params={"api-version": api_version}, headers=headers, timeout=60)
        except requests.RequestException as error:
            raise Unreachable(f"Azure's resource manager does not answer: {brief(error)}") from error
        if answer.status_code == requests.codes.not_found:
            return None
        if not answer.ok:
            error_body = answer.json().get("error", {})
            code = str(error_body.get("code", ""))
            raise Refused(
                f"{resource_id}: {error_body.get('message', answer.text)}", code=code, status=answer.status_code
            )
        return dict(answer.json().get("tags") or {})

    # --- deployments -----------------------------------------------------------------------------------------------

    def deployments(self, account_id: str) -> list[DeploymentView]:
        """The deployments of an account."""
        subscription, group, name = parts(account_id)
        client = self._client(subscription)
        found = _asked(lambda: list(client.deployments.list(group, name)), account_id)
        return [_deployment(d) for d in found]

    def deployment(self, account_id: str, deployment: str) -> DeploymentView:
        """One deployment; raises NotFound."""
        subscription, group, name = parts(account_id)
        client = self._client(subscription)
        where = f"{account_id}/deployments/{deployment}"
        return _deployment(_asked(lambda: client.deployments.get(group, name, deployment), where))

    def set_capacity(self, account_id: str, deployment: str, sku: str, capacity: int) -> None:
        """Change SKU and capacity of a deployment and leave its model; returns when Azure is done. Raises Busy."""
        subscription, group, name = parts(account_id)
        client = self._client(subscription)
        body: Any = {"sku": {"name": sku, "capacity": capacity}}
        where = f"{account_id}/deployments/{deployment}"
        _asked(lambda: client.deployments.begin_update(group, name, deployment, body).result(), where)

    # --- regions ---------------------------------------------------------------------------------------------------

    def tuned_skus(self, subscription: str, location: str) -> dict[str, list[TunedSku]]:
        """Per base model (name-version) the SKUs under which a tuned one can be deployed in a region.

        A fine-tuned entry is told by its usage name, which ends in "-finetune" (live model lists, June 2026).
        """
        client = self._client(subscription)
        found: dict[str, list[TunedSku]] = {}
        for item in _asked(lambda: list(client.models.list(location)), location):
            model = item.model
            if model is None:
                continue
            entries = found.setdefault(f"{model.name}-{model.version}", [])
            for sku in model.skus or []:
                entry = TunedSku(str(sku.name), str(sku.usage_name))
                if entry.usage.lower().endswith("-finetune") and entry not in entries:
                    entries.append(entry)
        return found

    def quotas_left(self, subscription: str, location: str) -> dict[str, int]:
        """How much of each quota is left in a region, by usage name."""
        client = self._client(subscription)
        return {
            str(item.name.value): int((item.limit or 0) - (item.current_value or 0))
            for item in _asked(lambda: list(client.usages.list(location)), location)
            if item.name is not None
        }

    def now(self, account_id: str) -> datetime:
        """What time the resource manager says it is: the Date header of an answer about an account."""
        subscription, group, name = parts(account_id)
        seen: dict[str, str] = {}

        def keep(response: Any) -> None:
            seen.update(response.http_response.headers)

        client = self._client(subscription)
        _asked(lambda: client.accounts.get(group, name, raw_response_hook=keep), account_id)
        return email.utils.parsedate_to_datetime(seen["date"])

    def _client(self, subscription: str) -> CognitiveServicesManagementClient:
        from azure.mgmt.cognitiveservices import CognitiveServicesManagementClient

        if subscription not in self._clients:
            endpoints = self._cloud.endpoints
            self._clients[subscription] = CognitiveServicesManagementClient(
                self._cloud.credential,
                subscription,
                base_url=endpoints.resource_manager,
                credential_scopes=[endpoints.scope],
                polling_interval=_POLL_SECONDS,
            )
        return self._clients[subscription]


def parts(account_id: str) -> tuple[str, str, str]:
    """Subscription, resource group and name of an account's id."""
    from azure.mgmt.core.tools import parse_resource_id

    found = parse_resource_id(account_id)
    return str(found["subscription"]), str(found["resource_group"]), str(found["name"])


def _account(found: Any) -> AccountView:
    properties = found.properties
    rules = properties.network_acls
    return AccountView(
        id=found.id,
        location=found.location,
        endpoint=properties.endpoint or "",
        state=str(properties.provisioning_state),
        tags=dict(found.tags or {}),
        kind=found.kind or "",
        sku=found.sku.name if found.sku else "S0",
        subdomain=properties.custom_sub_domain_name,
        identity=str(found.identity.type) if found.identity else "None",
        local_auth=not properties.disable_local_auth,
        public_access=properties.public_network_access != "Disabled",
        allowed_addresses=tuple(r.value for r in (rules.ip_rules if rules else None) or []),
        allowed_subnets=tuple(r.id for r in (rules.virtual_network_rules if rules else None) or []),
    )


def _deployment(found: Any) -> DeploymentView:
    model, data = found.properties.model, found.system_data
    return DeploymentView(
        id=found.id,
        name=found.name,
        model=model.name,
        version=model.version or "",
        source=model.source_account or model.source,
        sku=found.sku.name,
        capacity=int(found.sku.capacity or 0),
        state=str(found.properties.provisioning_state),
        tags=dict(found.tags or {}),
        created=data.created_at if data else None,
    )


def _asked(ask: Callable[[], T], where: str) -> T:
    """The answer, or what its refusal means in our words."""
    from azure.core import exceptions as azure

    try:
        return ask()
    except azure.ClientAuthenticationError as error:
        raise login_error(error) from error
    except azure.HttpResponseError as error:
        raise _meaning(error, where) from error
    except (azure.ServiceRequestError, azure.ServiceResponseError) as error:
        raise Unreachable(f"Azure's resource manager does not answer: {brief(error)}") from error


def _meaning(error: HttpResponseError, where: str) -> HearthError:
    code = str(error.error.code) if error.error is not None else ""
    text = str(error.error.message) if error.error is not None else str(error.message)
    status = error.status_code or 0
    if status == 404:
        return NotFound(f"{where} does not exist: {text}", code=code, status=status)
    if status == 429 or code in {"RequestConflict", "AnotherOperationInProgress"}:
        return Busy(f"{where}: {text}", code=code)
    return Refused(f"{where}: {text} ({code})", code=code, status=status)
