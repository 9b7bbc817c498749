"""Azure's resource manager: accounts, deployments, models of a region. Reads, and the few writes that are not Pulumi's.

Views are plain; Azure's own words (SKU, provisioning state) are kept as Azure spells them.
"""

from __future__ import annotations

import email.utils
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from infra.errors import Busy, HearthError, NotFound, Refused, Unreachable
from infra.ports.cloud import IMPORTING, Cloud, brief, login_error

if TYPE_CHECKING:
    from azure.core import PipelineClient
    from azure.core.exceptions import HttpResponseError
    from azure.mgmt.cognitiveservices import CognitiveServicesManagementClient

T = TypeVar("T")
_POLL_SECONDS = 1
LONGEST_WRITE = timedelta(minutes=30)
"""How long Azure may take over a write (what the azurerm provider gives deployments and accounts, v4, 2026)."""
_RETRIES = 4
_DEPLOYMENTS = "2025-06-01"
"""api-version of the list of deployments: that of pulumi-azure-native 3.29.0."""
_BUSY = {"RequestConflict", "AnotherOperationInProgress", "AccountProvisioningStateInvalid"}
"""Codes of another write that is under way: to a sibling, to the resource, to the account."""


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
    trusted_services: bool = False
    beyond: tuple[str, ...] = ()
    """Settings it has that a stack's file has no word for."""
    capabilities: Mapping[str, str] = field(default_factory=dict)
    """What Azure lets it do, such as MaxTrainingFileSize, by name."""


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
    rai_policy: str | None = None
    upgrade_option: str | None = None


@dataclass(frozen=True, slots=True)
class Listing:
    """The deployments of an account, and what time the resource manager said it was."""

    at: datetime
    deployments: tuple[DeploymentView, ...]


@dataclass(frozen=True, slots=True)
class DeploymentBody:
    """A deployment as it is to stand; None leaves a setting to Azure."""

    model: str
    version: str
    source: str | None
    in_other_tenant: bool
    sku: str
    capacity: int
    rai_policy: str | None
    upgrade_option: str | None
    tags: dict[str, str]


@dataclass(frozen=True, slots=True)
class ResourceView:
    """A resource of any type: its id as Azure spells it, and its tags."""

    id: str
    tags: dict[str, str]


@dataclass(frozen=True, slots=True)
class TunedSku:
    """A SKU under which a tuned model can be deployed in a region, with the quota it draws on."""

    name: str
    usage: str


@dataclass(frozen=True, slots=True)
class BaseOffer:
    """A base model as a region has it, with the SKUs under which it can be deployed untuned."""

    name: str
    version: str
    skus: tuple[TunedSku, ...]


class Arm:
    """Calls to the resource manager of one cloud; one client per subscription."""

    def __init__(self, cloud: Cloud) -> None:
        """Nothing is asked before the first call."""
        self._cloud = cloud
        self._clients: dict[tuple[str, str | None], CognitiveServicesManagementClient] = {}

    # --- accounts --------------------------------------------------------------------------------------------------

    def account(self, account_id: str, *, tenant: str | None = None) -> AccountView:
        """An account, of another tenant where one is named; raises NotFound, Refused (with Azure's code), Unreachable,
        LoginFailed.
        """
        subscription, group, name = parts(account_id)
        return _account(_asked(lambda: self._client(subscription, tenant).accounts.get(group, name), account_id))

    def accounts(self, subscription: str) -> list[AccountView]:
        """The accounts of a subscription that the login may see; raises as `account`."""
        client = self._client(subscription)
        return [_account(found) for found in _asked(lambda: list(client.accounts.list()), subscription)]

    def is_soft_deleted(self, account_id: str, location: str) -> bool:
        """Whether the name is held by a soft-deleted account."""
        subscription, group, name = parts(account_id)
        try:
            _asked(lambda: self._client(subscription).deleted_accounts.get(location, group, name), account_id)
        except NotFound:
            return False
        return True

    def purge(self, account_id: str, location: str, *, longest: timedelta = LONGEST_WRITE) -> None:
        """Purge a soft-deleted account, and wait until it is gone: what it owned is lost.

        Raises Unreachable where that takes longer than `longest`.
        """
        subscription, group, name = parts(account_id)
        client = self._client(subscription)
        _asked(
            lambda: _finished(client.deleted_accounts.begin_purge(location, group, name), account_id, longest),
            account_id,
        )

    def resource(self, resource_id: str, api_version: str) -> ResourceView | None:
        """A resource of any type; None where it does not exist. Raises Refused, Unreachable, LoginFailed."""
        address = f"{self._cloud.endpoints.resource_manager}{resource_id}?api-version={api_version}"
        try:
            found = _json(_asked(lambda: self._answer("GET", address), resource_id), resource_id)
        except NotFound:
            return None
        return ResourceView(str(found["id"]), dict(found.get("tags") or {}))

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

    def listing(self, account_id: str) -> Listing:
        """The deployments of an account with the resource manager's own time: one call (one a page), and no more.

        Raises NotFound, Refused, Busy, Unreachable, LoginFailed.
        """
        address = f"{self._cloud.endpoints.resource_manager}{account_id}/deployments?api-version={_DEPLOYMENTS}"
        found: list[DeploymentView] = []
        at: datetime | None = None
        while address:
            answer = _asked(lambda address=address: self._answer("GET", address), account_id)  # type: ignore[misc]
            page = _json(answer, account_id)
            found += [_deployment_of(item) for item in page.get("value") or []]
            at = email.utils.parsedate_to_datetime(answer.headers["date"])
            address = str(page.get("nextLink") or "")
        assert at is not None  # noqa: S101 - there was a first page
        return Listing(at, tuple(found))

    def create_deployment(self, account_id: str, deployment: str, body: DeploymentBody, *, tenant: str | None) -> bool:
        """Make a deployment that does not exist, and wait until Azure is done; False where one stands already.

        `tenant` is the source's where that is another one. Raises Busy while a sibling is written, Refused.
        """
        with IMPORTING:
            from azure.core.exceptions import ResourceExistsError

        try:
            self.deployment(account_id, deployment)
        except NotFound:
            pass
        else:
            return False
        subscription, group, name = parts(account_id)
        headers = {"If-None-Match": "*"}  # of two who ask at once, one makes it
        if tenant is not None:
            headers["x-ms-authorization-auxiliary"] = f"Bearer {self._cloud.token(self._scope, tenant=tenant)}"
        client = self._client(subscription).deployments
        where = f"{account_id}/deployments/{deployment}"

        def create() -> None:
            wanted = _sdk_deployment(body)
            _finished(client.begin_create_or_update(group, name, deployment, wanted, headers=headers), where)

        try:
            _asked(create, where)
        except Refused as error:
            if error.status == 412 or isinstance(error.__cause__, ResourceExistsError):
                return False
            raise
        return True

    def delete_deployment(self, account_id: str, deployment: str) -> None:
        """Delete a deployment, and wait until it is gone; its model stays. Raises Busy while a sibling is written."""
        subscription, group, name = parts(account_id)
        client = self._client(subscription)
        where = f"{account_id}/deployments/{deployment}"
        _asked(lambda: _finished(client.deployments.begin_delete(group, name, deployment), where), where)

    def set_capacity(
        self, account_id: str, deployment: str, sku: str, capacity: int, *, longest: timedelta = LONGEST_WRITE
    ) -> None:
        """Change SKU and capacity of a deployment and leave its model; returns when Azure is done.

        Raises Busy, and Unreachable where that takes longer than `longest`.
        """
        subscription, group, name = parts(account_id)
        client = self._client(subscription)
        body: Any = {"sku": {"name": sku, "capacity": capacity}}
        where = f"{account_id}/deployments/{deployment}"
        _asked(lambda: _finished(client.deployments.begin_update(group, name, deployment, body), where, longest), where)

    # --- regions ---------------------------------------------------------------------------------------------------

    def tuned_skus(self, subscription: str, location: str) -> dict[str, list[TunedSku]]:
        """Per base model (name-version) the SKUs under which a tuned one can be deployed in a region.

        A fine-tuned entry is told by its usage name, which ends in "-finetune"; provisioned SKUs have one entry for
        base and tuned models alike (live model lists, June 2026).
        """
        found: dict[str, list[TunedSku]] = {}
        for name, version, skus in self._models(subscription, location):
            entries = found.setdefault(f"{name}-{version}", [])
            entries += [sku for sku in skus if (_is_tuned(sku) or _is_shared(sku)) and sku not in entries]
        return found

    def base_models(self, subscription: str, location: str) -> dict[str, BaseOffer]:
        """The base models of a region by name-version, as they are deployed untuned."""
        found: dict[str, BaseOffer] = {}
        for name, version, skus in self._models(subscription, location):
            held = found.get(f"{name}-{version}", BaseOffer(name, version, ()))
            more = tuple(sku for sku in skus if not _is_tuned(sku) and sku not in held.skus)
            found[f"{name}-{version}"] = BaseOffer(name, version, (*held.skus, *more))
        return found

    def _models(self, subscription: str, location: str) -> Iterator[tuple[str, str, list[TunedSku]]]:
        client = self._client(subscription)
        for item in _asked(lambda: list(client.models.list(location)), location):
            if item.model is not None:
                skus = [TunedSku(str(sku.name), str(sku.usage_name)) for sku in item.model.skus or []]
                yield str(item.model.name), str(item.model.version), skus

    def quotas_left(self, subscription: str, location: str) -> dict[str, int]:
        """How much of each quota is left in a region, by usage name."""
        client = self._client(subscription)
        return {
            str(item.name.value): int((item.limit or 0) - (item.current_value or 0))
            for item in _asked(lambda: list(client.usages.list(location)), location)
            if item.name is not None
        }

    def subdomain_is_free(self, subscription: str, subdomain: str, kind: str) -> bool:
        """Whether nobody in the world has the subdomain, a soft-deleted account included."""
        client, of = self._client(subscription), "Microsoft.CognitiveServices/accounts"
        answer = _asked(lambda: client.check_domain_availability(subdomain, of, kind=kind), subdomain)
        return bool(answer.is_subdomain_available)

    def now(self, account_id: str) -> datetime:
        """What time the resource manager says it is: the Date header of an answer about an account."""
        subscription, group, name = parts(account_id)
        seen: dict[str, str] = {}

        def keep(response: Any) -> None:
            seen.update(response.http_response.headers)

        client = self._client(subscription)
        _asked(lambda: client.accounts.get(group, name, raw_response_hook=keep), account_id)
        return email.utils.parsedate_to_datetime(seen["date"])

    def _client(self, subscription: str, tenant: str | None = None) -> CognitiveServicesManagementClient:
        with IMPORTING:
            from azure.mgmt.cognitiveservices import CognitiveServicesManagementClient

        key = (subscription, tenant)
        if key not in self._clients:
            endpoints = self._cloud.endpoints
            self._clients[key] = CognitiveServicesManagementClient(
                self._cloud.credential_of(tenant),
                subscription,
                base_url=endpoints.resource_manager,
                credential_scopes=[endpoints.scope],
                polling_interval=_POLL_SECONDS,
                retry_policy=self._cloud.retries(),
                transport=self._cloud.transport(),
            )
        return self._clients[key]

    @property
    def _scope(self) -> str:
        return self._cloud.endpoints.scope

    def _answer(self, method: str, address: str) -> Any:
        """An answer of 200, to be read as it came: azure-mgmt's own models take longer than the call."""
        with IMPORTING:
            from azure.core.rest import HttpRequest

        answer = self._plain.send_request(HttpRequest(method, address))
        if answer.status_code != 200:
            with IMPORTING:
                from azure.core.exceptions import HttpResponseError
                from azure.mgmt.core.exceptions import ARMErrorFormat

            raise HttpResponseError(response=answer, error_format=ARMErrorFormat)
        return answer

    @cached_property
    def _plain(self) -> PipelineClient[Any, Any]:
        """For resources of any type, with the SDK's retries and login, and without its models."""
        with IMPORTING:
            from azure.core import PipelineClient
            from azure.core.pipeline.policies import BearerTokenCredentialPolicy

        endpoints = self._cloud.endpoints
        login = BearerTokenCredentialPolicy(self._cloud.credential, endpoints.scope)
        retries = self._cloud.retries(retry_total=_RETRIES, retry_backoff_factor=0.5)
        return PipelineClient(endpoints.resource_manager, policies=[retries, login], transport=self._cloud.transport())


def parts(account_id: str) -> tuple[str, str, str]:
    """Subscription, resource group and name of an account's id."""
    with IMPORTING:
        from azure.mgmt.core.tools import parse_resource_id

    found = parse_resource_id(account_id)
    return str(found["subscription"]), str(found["resource_group"]), str(found["name"])


def _is_tuned(sku: TunedSku) -> bool:
    return sku.usage.lower().endswith("-finetune")


def _is_shared(sku: TunedSku) -> bool:
    return "provisioned" in sku.name.lower()


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
        trusted_services=bool(rules) and str(getattr(rules, "bypass", None)) == "AzureServices",
        beyond=tuple(_beyond(found)),
        capabilities={c.name: c.value or "" for c in properties.capabilities or []},
    )


def _beyond(account: Any) -> Iterator[str]:
    """What an account has that a stack's file cannot say: a write by hearth would take it away."""
    properties, rules = account.properties, account.properties.network_acls
    if rules and rules.default_action == "Deny" and not (rules.ip_rules or rules.virtual_network_rules):
        yield "network rules that let nobody in"
    for name in ("encryption", "user_owned_storage", "restrict_outbound_network_access", "allowed_fqdn_list"):
        if getattr(properties, name, None):
            yield name.replace("_", " ")
    if account.identity and "UserAssigned" in str(account.identity.type):
        yield "a user-assigned identity"


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
        rai_policy=found.properties.rai_policy_name,
        upgrade_option=found.properties.version_upgrade_option,
    )


def _json(answer: Any, where: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(answer.content)
    except msgspec.DecodeError as error:
        raise Refused(f"{where}: not an answer of Azure's; is something in between?") from error
    if not isinstance(found, dict):
        raise Refused(f"{where}: not an answer of Azure's; is something in between?")
    return found


def _deployment_of(item: dict[str, Any]) -> DeploymentView:
    """A deployment from its JSON."""
    properties, sku = item.get("properties") or {}, item.get("sku") or {}
    model, made = properties.get("model") or {}, (item.get("systemData") or {}).get("createdAt")
    return DeploymentView(
        id=item["id"],
        name=item["name"],
        model=str(model.get("name", "")),
        version=str(model.get("version") or ""),
        source=model.get("sourceAccount") or model.get("source"),
        sku=str(sku.get("name", "")),
        capacity=int(sku.get("capacity") or 0),
        state=str(properties.get("provisioningState", "")),
        tags=dict(item.get("tags") or {}),
        created=_moment(made) if made else None,
        rai_policy=properties.get("raiPolicyName"),
        upgrade_option=properties.get("versionUpgradeOption"),
    )


def _moment(text: str) -> datetime | None:
    """A moment as Azure writes it: up to seven digits of a second, with a zone or in UTC."""
    try:
        found = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _sdk_deployment(body: DeploymentBody) -> Any:
    with IMPORTING:
        from azure.mgmt.cognitiveservices import models

    elsewhere = body.source if body.in_other_tenant else None
    return models.Deployment(
        sku=models.Sku(name=body.sku, capacity=body.capacity),
        tags=body.tags or None,
        properties=models.DeploymentProperties(
            model=models.DeploymentModel(
                format="OpenAI",
                name=body.model,
                version=body.version,
                source=None if elsewhere else body.source,
                source_account=elsewhere,
            ),
            rai_policy_name=body.rai_policy,
            version_upgrade_option=body.upgrade_option,
        ),
    )


def _finished(poller: Any, where: str, longest: timedelta = LONGEST_WRITE) -> None:
    """Wait until Azure is done with a write; raises Unreachable once that has taken too long."""
    poller.wait(longest.total_seconds())
    if not poller.done():
        minutes = longest.total_seconds() / 60
        raise Unreachable(f"{where}: Azure took the write and has not finished it in {minutes:g} minutes")
    poller.result()


def _asked(ask: Callable[[], T], where: str) -> T:
    """The answer, or what its refusal means in our words."""
    with IMPORTING:
        from azure.core import exceptions as azure

    try:
        return ask()
    except azure.DecodeError as error:
        raise Refused(f"{where}: not an answer of Azure's ({brief(error)}); is something in between?") from error
    except azure.ClientAuthenticationError as error:
        if "/subscriptions/" in str(getattr(getattr(error.response, "request", None), "url", "")):
            raise _meaning(error, where) from error  # a token was had, and the resource manager does not take it
        raise login_error(error) from error
    except azure.HttpResponseError as error:
        raise _meaning(error, where) from error
    except (azure.ServiceRequestError, azure.ServiceResponseError) as error:
        raise Unreachable(f"Azure's resource manager does not answer: {brief(error)}") from error


def _wait(error: HttpResponseError) -> float:
    """Seconds that a refusal asks to wait."""
    headers = getattr(error.response, "headers", None) or {}
    try:
        return float(headers.get("retry-after", 1))
    except ValueError:
        return 1.0


def _date(error: HttpResponseError) -> datetime | None:
    """When Azure refused it, by its own clock; None where it does not say."""
    headers = getattr(error.response, "headers", None) or {}
    try:
        return email.utils.parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        return None


def _meaning(error: HttpResponseError, where: str) -> HearthError:
    code = str(error.error.code) if error.error is not None else ""
    text = str(error.error.message) if error.error is not None else str(error.message)
    status = error.status_code or 0
    if status == 404:
        return NotFound(f"{where} does not exist: {text}", code=code, status=status, at=_date(error))
    if error.error is None:
        return Refused(f"{where}: not an answer of Azure's ({brief(error)}); is something in between?", status=status)
    if status == 429 or code in _BUSY:
        return Busy(f"{where}: {text}", retry_after=_wait(error), code=code)
    return Refused(f"{where}: {text} ({code})", code=code, status=status)
