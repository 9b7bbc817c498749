"""The wish, typed: what `stacks/*.yaml` may say, as frozen types. Nothing here reads a file, a clock or a network.

Keys are written in camelCase (`resourceGroup`); `reference.yaml` explains every one of them. `Annotated[..., check(x)]`
names a rule of `rules.py` that a value must pass; several values come out of it in Azure's spelling.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

import msgspec
from msgspec import Meta


def check(rule: str) -> Meta:
    """A value that must pass the rule of this name."""
    return Meta(extra={"check": rule})


AccountName = Annotated[str, check("account")]
SubdomainName = Annotated[str, check("subdomain")]
DeploymentName = Annotated[str, check("deployment")]
GroupName = Annotated[str, check("resourceGroup")]
TunedModel = Annotated[str, check("model")]
RecordName = Annotated[str, check("record")]
Region = Annotated[str, check("region")]
Guid = Annotated[str, check("guid")]
SkuName = Annotated[str, check("sku")]
RoleName = Annotated[str, check("role")]
AddressRange = Annotated[str, check("addresses")]
ResourceId = Annotated[str, check("resourceId")]
Capacity = Annotated[int, check("capacity")]
Count = Annotated[int, check("count")]
Price = Annotated[float, check("price")]
Schedule = Annotated[str, check("schedule")]
Webhook = Annotated[str, check("webhook")]
"""An address that opens to whoever knows it, so it may be a secret; empty where only the engine can read it."""
Tags = dict[str, str]
Policy = Literal["ping", "report", "off"]
Ready = Literal["serving", "required", "warn", "off"]


class Written(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A mapping that people write. `shorthand` names the key that a bare text stands for."""

    shorthand: ClassVar[str | None] = None


class StackSettings(Written, frozen=True):
    """`hearth:stack`."""

    production: bool = False
    gaps: bool = False
    labels: Tags = {}


class ResourceGroup(Written, frozen=True):
    """The resource group of the account: made by the stack, or one that is there."""

    shorthand: ClassVar[str | None] = "name"

    name: GroupName
    manage: bool = True


class Network(Written, frozen=True):
    """Who reaches the account over the network."""

    public_access: bool = True
    allow: list[AddressRange] = []
    subnets: list[ResourceId] = []
    trusted_services: bool = False


class Account(Written, frozen=True):
    """`hearth:account`."""

    name: AccountName
    resource_group: ResourceGroup
    manage: bool = True
    kind: Literal["OpenAI", "AIServices"] = "OpenAI"
    sku: str = "S0"
    subdomain: SubdomainName | None = None
    identity: Literal["None", "SystemAssigned"] = "None"
    network: Network = Network()
    local_auth: bool = False
    tags: Tags = {}
    soft_deleted: Literal["refuse", "restore", "purge"] = "refuse"
    protect: bool = False


class Access(Written, frozen=True):
    """One item of `hearth:access`: a role at the account."""

    principal: Guid
    role: RoleName
    principal_type: Literal["User", "Group", "ServicePrincipal"] = "ServicePrincipal"


class Sku(Written, frozen=True):
    """What of Azure's capacity a deployment takes. 1 capacity is 1,000 tokens a minute; provisioned SKUs count PTUs."""

    name: SkuName
    capacity: Capacity


class Retire(Written, frozen=True):
    """When to let a deployment go that nobody uses."""

    after: timedelta
    limit: Count = 1


class KeepAlive(Written, frozen=True):
    """What to do about the idle clock of a deployment. Unset keys take the stack's, then the defaults."""

    policy: Policy | None = None
    after: timedelta | None = None
    revive: bool | None = None
    retire: Retire | None = None


class Overrides(Written, frozen=True):
    """What a stack knows better than the dated limits of `limits.yaml`."""

    idle_deletion: timedelta | None = None
    developer_lifetime: timedelta | None = None
    hosting: dict[SkuName, Price] = {}


class Notify(Written, frozen=True):
    """Where a run of the tender tells what people should hear."""

    shorthand: ClassVar[str | None] = "webhook"

    webhook: Webhook
    shape: Literal["generic", "slack", "teams"] = "generic"


class Alarms(Written, frozen=True):
    """Who is told by Azure Monitor of a near deadline, and of a job that has gone quiet."""

    emails: list[str] = []
    webhooks: list[Webhook] = []
    days_left: Count = 2


class KeepAliveJob(Written, frozen=True):
    """The job that tends the stack's deployments by itself."""

    image: str
    enabled: bool = True
    schedule: Schedule = "17 5 * * *"
    scope: Literal["account", "subscription"] = "account"
    retire: bool = False
    registry: ResourceId | None = None
    environment: dict[str, str] = {}
    alarms: Alarms = Alarms()


class StackKeepAlive(KeepAlive, frozen=True):
    """`hearth:keepAlive`: keepAlive of the deployments that do not say otherwise, and what concerns them all."""

    limits: Overrides = Overrides()
    notify: Notify | None = None
    job: KeepAliveJob | None = None


class Deployment(Written, frozen=True):
    """One item of `hearth:deployments`."""

    model: RecordName
    sku: Sku
    version_upgrade_option: (
        Literal["OnceNewDefaultVersionAvailable", "OnceCurrentVersionExpired", "NoAutoUpgrade"] | None
    ) = None
    rai_policy: str | None = None
    keep_alive: KeepAlive = KeepAlive()
    tags: Tags = {}


class StackFile(Written, frozen=True, rename=None):
    """The keys of a stack's configuration that hearth reads."""

    subscription: Annotated[str, check("guid")] = msgspec.field(name="azure-native:subscriptionId")
    location: Region = msgspec.field(name="azure-native:location")
    account: Account = msgspec.field(name="hearth:account")
    stack: StackSettings = msgspec.field(name="hearth:stack", default=StackSettings())
    access: list[Access] = msgspec.field(name="hearth:access", default_factory=list)
    deployments: dict[DeploymentName, Deployment] = msgspec.field(name="hearth:deployments", default_factory=dict)
    keep_alive: StackKeepAlive = msgspec.field(name="hearth:keepAlive", default=StackKeepAlive())
    ready: Ready = msgspec.field(name="hearth:ready", default="serving")


# --- the model record ----------------------------------------------------------------------------------------------


class Source(Written, frozen=True):
    """The account that owns a tuned model."""

    subscription: Guid
    resource_group: GroupName
    account: AccountName
    tenant: Guid | None = None

    @property
    def id(self) -> str:
        """The account's id in Azure."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.CognitiveServices/accounts/{self.account}"
        )


class Trained(Written, frozen=True):
    """Where a tuned model comes from. Written by training; only `base` matters to a deployment."""

    base: str | None = None
    job: str | None = None
    checkpoint: Any = None
    files: dict[str, Any] = {}
    at: str | None = None
    method: str | None = None
    hyperparameters: dict[str, Any] = {}
    seed: int | None = None
    tokens: int | None = None
    parents: list[Any] = []


class ModelRecord(Written, frozen=True):
    """A file of `stacks/models`: which tuned model a name stands for today."""

    model: TunedModel
    source: Source
    version: str = "1"
    trained: Trained = Trained()
    evaluation: dict[str, Any] = {}

    @property
    def base(self) -> str | None:
        """The base model: what training wrote, else what stands before `.ft-`; None for a bare checkpoint."""
        if self.trained.base:
            return self.trained.base
        base, mark, _ = self.model.partition(".ft-")
        return base if mark else None


# --- the wish, whole -----------------------------------------------------------------------------------------------


class DeploymentWish(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment with everything it refers to; nothing is left to look up."""

    name: str
    record_name: str
    """Empty where what is served is not what a record says."""
    record: ModelRecord
    sku: Sku
    version_upgrade_option: str | None
    rai_policy: str | None
    tags: Tags
    policy: Policy
    after: timedelta
    revive: bool
    retire: Retire | None


class Stack(msgspec.Struct, frozen=True, kw_only=True):
    """One stack's wish: an account in a region with its roles and deployments (in order of name)."""

    project: str
    name: str
    subscription: str
    location: str
    production: bool
    gaps: bool = False
    """Whether a deployment may be made anew, though its callers get no answer meanwhile."""
    labels: Tags
    account: Account
    access: tuple[Access, ...]
    deployments: tuple[DeploymentWish, ...]
    ready: Ready
    keep_alive: StackKeepAlive
    warnings: tuple[str, ...]

    @property
    def account_id(self) -> str:
        """The account's id in Azure."""
        return (
            f"/subscriptions/{self.subscription}/resourceGroups/{self.account.resource_group.name}"
            f"/providers/Microsoft.CognitiveServices/accounts/{self.account.name}"
        )

    @property
    def tag(self) -> str:
        """What the stack's resources bear in their `hearth-stack` tag."""
        return f"{self.project}/{self.name}"
