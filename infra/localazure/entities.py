"""What local Azure keeps: plain records, no HTTP and no rules.

Each record can be written as JSON and read again, so the store needs no mapping. Moments are aware datetimes in UTC on
the virtual clock, unless a name says real.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

Json = dict[str, Any]


class Entity(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A record of the store that is changed in place and put again."""


class Value(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A record, or part of one, that is replaced rather than changed."""


class Stamp(Value, frozen=True):
    """Who did something and when: half of Azure's systemData."""

    by: str
    by_type: str
    at: datetime


class Tenant(Value, frozen=True):
    """A directory."""

    id: str
    name: str = ""


class Principal(Entity):
    """Somebody or something that can hold a role."""

    id: str
    """Object id."""
    tenant: str
    type: str = "ServicePrincipal"
    """User, Group or ServicePrincipal (managed identities are service principals too)."""
    name: str = ""
    client_id: str | None = None
    secret: str | None = None
    """What a client-credentials login proves itself with; a throwaway of this double."""
    member_of: list[str] = msgspec.field(default_factory=list)
    guest_of: list[str] = msgspec.field(default_factory=list)
    """Further tenants in which an application of this client id is registered (multi-tenant apps)."""


class Subscription(Entity):
    """A subscription with the resource providers registered in it (namespaces in lower case)."""

    id: str
    tenant: str
    name: str = ""
    registered: set[str] = msgspec.field(default_factory=set)
    registering: dict[str, datetime] = msgspec.field(default_factory=dict)
    """Namespaces whose registration was asked for, and when it is done."""


class ResourceGroup(Entity):
    """A resource group."""

    id: str
    name: str
    subscription: str
    location: str
    tags: dict[str, str] | None = None
    managed_by: str | None = None
    gone_at: datetime | None = None
    """When its deletion is done; None while it stands."""


class QuotaLimit(Value, frozen=True):
    """A quota that differs from the catalogue's; an empty subscription or region stands for every one."""

    name: str
    limit: int
    subscription: str = ""
    region: str = ""


class Account(Entity):
    """A CognitiveServices account. `properties` holds what the caller gave; the rest is the service's."""

    id: str
    name: str
    group: str
    subscription: str
    location: str
    kind: str
    sku: Json
    properties: Json
    created: Stamp
    modified: Stamp
    internal_id: str
    keys: list[str]
    tags: dict[str, str] | None = None
    identity: Json | None = None
    etag: int = 1
    settled_at: datetime | None = None
    """From when its last write is done; before, provisioningState says what goes on."""
    writing: str = "Creating"
    """The provisioningState shown until settled_at."""
    deleted_at: datetime | None = None
    """When it was soft-deleted; None while it stands."""
    purging: bool = False
    """Whether its purge was asked for and is under way."""
    purge_at: datetime | None = None
    """When a soft-deleted one is purged: by itself, or sooner by request."""


class DeploymentModel(Value, frozen=True):
    """The model of a deployment, as the caller named it."""

    format: str
    name: str
    version: str | None = None
    source: str | None = None
    source_account: str | None = None
    publisher: str | None = None


class Deployment(Entity):
    """A deployment. `created.at` starts its idle clock; `last_call` moves it."""

    id: str
    name: str
    account: str
    """Key of the account."""
    model: DeploymentModel
    base: str
    """Name of the catalogue's model it runs on: itself, or what a custom model was tuned from."""
    sku_name: str
    capacity: int
    created: Stamp
    modified: Stamp
    custom: bool = False
    owner: str | None = None
    """Key of the account that owns the custom model."""
    rai_policy: str | None = None
    upgrade_option: str = "OnceNewDefaultVersionAvailable"
    tags: dict[str, str] | None = None
    extra: Json = msgspec.field(default_factory=dict)
    """Further properties as given (parentDeploymentName, spilloverDeploymentName, serviceTier …)."""
    etag: int = 1
    settled_at: datetime | None = None
    writing: str = "Creating"
    failed: str | None = None
    """The message of a create that ended in Failed."""
    failed_code: str | None = None
    """Its error code."""
    serving_at: datetime | None = None
    """From when the data plane knows it: some time after Succeeded."""
    served_before: str | None = None
    """The model that still answers while a change of model is not settled; None where nothing does."""
    last_call: datetime | None = None
    paused: bool = False


class CustomModel(Entity):
    """A tuned model, or a checkpoint of its training, owned by an account (which need not exist yet)."""

    id: str
    """What a deployment names: `<base>.ft-<hex>[-suffix]`, or `ftchkpt-<hex>`."""
    account: str
    """Key of the account that owns it."""
    base: str
    created: datetime
    job: str | None = None
    status: str = "succeeded"
    lessons: str | None = None
    """The content that holds what it learned: questions of its training data with their answers."""
    sketch: list[int] = msgspec.field(default_factory=list)
    """The sketch of its training data, for whoever is tuned from it."""


class Facts(Value, frozen=True):
    """What local Azure found in a file of training data when it was processed."""

    examples: int
    unique: int
    """Examples that are not the same as one before."""
    tokens: int
    """Of all examples together, by local Azure's steady estimate."""
    variety: float
    """How much of the answers is new, 0 to 1: their size when compressed against their size."""
    form: str
    """chat, completion, preference, reinforcement, or none where the lines are not of one of these."""
    strange_line: int = 0
    """The first line that is not of the form of the first one; 0 where all are."""
    sketch: list[int] = msgspec.field(default_factory=list)
    """The smallest digests of its lines: two sketches tell how much two files have in common."""


class File(Entity):
    """A file of an account's data plane; what it holds is on the disk, in pieces."""

    id: str
    account: str
    """Key of the account."""
    created: datetime
    filename: str
    purpose: str
    size: int | None = None
    """Bytes; None until they are known."""
    pieces: list[str] = msgspec.field(default_factory=list)
    """The contents that make it up, in order."""
    settled_at: datetime | None = None
    """From when its processing is over."""
    url: str | None = None
    """Where it is imported from, until it is; nobody is shown it."""
    url_given_at: datetime | None = None
    """The machine's moment at which the import was asked for: signatures follow the machine's clock."""
    error: str | None = None
    """Why it could not be processed."""
    facts: Facts | None = None
    """What is in it; None until it is processed, and for files that are no training data."""
    job: str | None = None
    """The job whose results it holds; they grow while it runs."""


class UploadPart(Value, frozen=True):
    """A part of an upload."""

    id: str
    block: str
    """Its other name (azure_block_id)."""
    piece: str
    size: int


class Upload(Entity):
    """A file that comes in parts."""

    id: str
    account: str
    created: datetime
    filename: str
    purpose: str
    size: int
    """Bytes that were announced."""
    parts: list[UploadPart] = msgspec.field(default_factory=list)
    status: str = "pending"
    file: str | None = None
    """Id of the file that it became."""


class Blob(Value, frozen=True):
    """A blob of a storage account; without content it stands for its container."""

    host: str
    container: str
    name: str
    piece: str | None
    size: int
    created: datetime
    content_type: str = "application/octet-stream"


class Course(Value, frozen=True):
    """All that the losses of a training follow from."""

    method: str
    seed: int
    examples: int
    unique: int
    tokens: int
    """Of one epoch."""
    variety: float
    batch: int
    rate: float
    """The learning rate multiplier."""
    epochs: int
    validation: int = 0
    """Examples of the validation file; 0 without one."""
    overlap: float = 0.0
    """Which share of them is in the training data too."""
    head_start: float = 0.0
    """How much of it the model knew before, 0 to 1: more than 0 where it was tuned already."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches that an epoch has."""
        return max(1, -(-self.examples // self.batch))

    @property
    def steps(self) -> int:
        """Batches of the whole training."""
        return self.steps_per_epoch * self.epochs


class Stretch(Value, frozen=True):
    """Steps done without a break: the one after `first` is done `seconds` after `at`."""

    at: datetime
    first: int
    """Steps done before."""
    seconds: float
    """Of a step."""
    last: int | None = None
    """Steps done at its end; None while it goes on."""


class TuningEvent(Value, frozen=True):
    """An event of a job that is no step. `late`: it comes after a step of the same moment."""

    id: str
    at: datetime
    message: str
    level: str = "info"
    late: bool = True


class Checkpoint(Value, frozen=True):
    """A state of a model in training that is kept."""

    id: str
    at: datetime
    step: int


class Tuning(Entity):
    """A fine-tuning job."""

    id: str
    account: str
    created: datetime
    model: str
    """The model as it was asked for."""
    base: str
    """Full name of the base model."""
    training_file: str
    method: str
    """supervised, dpo or reinforcement."""
    wanted: Json
    """The hyperparameters that were given; those left to Azure are not in it."""
    training_type: str
    """Standard, GlobalStandard or DeveloperTier."""
    seed: int
    shown: Json = msgspec.field(default_factory=dict)
    """What later api-versions show as it was given: method, metadata."""
    parent: str | None = None
    """The tuned model that it goes on from."""
    validation_file: str | None = None
    suffix: str | None = None
    status: str = "pending"
    phase: str = "queued"
    """Where it is: queued, checking, importing, training, pausing, paused, returning, evaluating, over."""
    next_at: datetime | None = None
    """When something happens by itself; None where it waits for a place or for somebody."""
    course: Course | None = None
    sketch: list[int] = msgspec.field(default_factory=list)
    stretches: list[Stretch] = msgspec.field(default_factory=list)
    checkpoints: list[Checkpoint] = msgspec.field(default_factory=list)
    events: list[TuningEvent] = msgspec.field(default_factory=list)
    results: str | None = None
    """Id of the file of its results."""
    tuned: str | None = None
    """The model that it made."""
    finished: datetime | None = None
    billed: int | None = None
    """Training tokens that are billed."""
    error_code: str | None = None
    error: str | None = None
    error_param: str | None = None
    doom: str | None = None
    """The fault that it meets."""


class StoredResponse(Value, frozen=True):
    """An answer of the Responses API that was kept."""

    id: str
    account: str
    """Internal id of the account: one that is made anew under the same name does not inherit it."""
    created: datetime
    body: Json
    """The response as it was answered."""
    context: list[Json]
    """Its input items, those of the responses before it included."""


class RoleDefinition(Value, frozen=True):
    """A role; `scope` is the subscription a custom one was made in, None for a built-in one."""

    id: str
    name: str
    description: str = ""
    actions: list[str] = msgspec.field(default_factory=list)
    not_actions: list[str] = msgspec.field(default_factory=list)
    data_actions: list[str] = msgspec.field(default_factory=list)
    not_data_actions: list[str] = msgspec.field(default_factory=list)
    assignable_scopes: list[str] = msgspec.field(default_factory=lambda: ["/"])
    scope: str | None = None
    created: Stamp | None = None
    modified: Stamp | None = None
    tenant: str = ""
    """The directory a custom one is in; its name is unique there."""


class RoleAssignment(Entity):
    """A role given to a principal at a scope; works from `effective_at` on."""

    id: str
    name: str
    scope: str
    role: str
    """Id (a GUID) of the role definition."""
    role_definition_id: str
    principal: str
    principal_type: str
    created: Stamp
    modified: Stamp
    effective_at: datetime
    description: str | None = None
    condition: str | None = None
    condition_version: str | None = None
    delegated: str | None = None


class GenericResource(Entity):
    """A resource of a type that local Azure keeps but has no rules for."""

    id: str
    type: str
    name: str
    body: Json
    created: Stamp
    modified: Stamp


class Operation(Entity):
    """A long-running operation: over at `done_at`, in `failed` if that is set."""

    id: str
    subscription: str
    location: str
    started: datetime
    done_at: datetime
    resource: str
    deletes: bool = False
    """Whether nothing is left to show when it is over."""
    failed_code: str | None = None
    failed_message: str | None = None


class Request(Value, frozen=True):
    """How something was asked for, as the activity log tells it."""

    method: str
    correlation: str
    client_request: str = ""
    """What the caller named the request (x-ms-client-request-id)."""
    address: str = ""


class Activity(Value, frozen=True):
    """One operation of the activity log: its start, its acceptance and its end are told from it."""

    id: str
    at: datetime
    operation: str
    """The action, as Azure names it: Microsoft.CognitiveServices/accounts/deployments/delete."""
    resource: str
    caller: str
    claims: dict[str, str] = msgspec.field(default_factory=dict)
    correlation: str = ""
    tenant: str = ""
    request: Request | None = None
    """None for what the service did by itself."""
    ends_at: datetime | None = None
    """When a long-running one is over; None for one that is over at once."""
    failed: int = 0
    """HTTP status of a refusal; 0 for what succeeded."""
    failed_code: str = ""
    failed_message: str = ""
