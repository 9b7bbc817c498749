"""What hearth's pipelines stand on: a place for the state, a key for its secrets, and two identities without secrets.

`preview` is for pull requests: it reads. `rollout` is for the protected environment: it writes deployments. Neither
has a password: each is whoever brings a token of the pipeline's own issuer with the subject that is named here.
"""

import re
import uuid
from collections.abc import Sequence
from typing import NotRequired, TypedDict

import pulumi
from pulumi_azure_native import authorization, keyvault, managedidentity, resources, storage

GITHUB = "https://token.actions.githubusercontent.com"
AUDIENCE = "api://AzureADTokenExchange"

# Built-in roles (Azure's page of built-in roles, 2026).
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
OPENAI_USER = "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd"
OPENAI_CONTRIBUTOR = "a001fd3d-188f-4b5d-821b-7da978bf7442"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
ACCOUNTS_CONTRIBUTOR = "25fbc0a9-bd7c-42a3-aa1a-3b75d497ee68"  # Cognitive Services Contributor
MONITORING_READER = "43d0d8ad-25c7-4714-9337-8ba259a9fe05"
ROLE_ADMINISTRATOR = "f58310d9-a9f6-439a-9e8d-f62e7b41a168"  # Role Based Access Control Administrator
BLOB_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
CRYPTO_USER = "12338af0-0e69-4776-bea7-57ae8d297424"  # Key Vault Crypto User

LOOK = (
    "Microsoft.CognitiveServices/locations/*/read",  # what a region offers, its quotas, a soft-deleted account
    "Microsoft.CognitiveServices/deletedAccounts/read",
    "Microsoft.Insights/eventtypes/values/read",  # the activity log: who changed it, what the service deleted
    "Microsoft.Resources/subscriptions/read",
)
"""What is asked of a whole subscription. No built-in role holds just this, so it is a role of our own."""
PREVIEW = (READER, OPENAI_USER)
ROLLOUT_TARGET = (OPENAI_USER, MONITORING_READER)  # and one of the contributors
ROLLOUT_SOURCE = (READER, OPENAI_CONTRIBUTOR)
_MAY_BE_GRANTED = f"ForAnyOfAnyValues:GuidEquals {{{OPENAI_USER}, {OPENAI_CONTRIBUTOR}}}"
_ROLE = "Microsoft.Authorization/roleAssignments"
GRANTS_ONLY = (
    f"((!(ActionMatches{{'{_ROLE}/write'}})) OR (@Request[{_ROLE}:RoleDefinitionId] {_MAY_BE_GRANTED})) AND "
    f"((!(ActionMatches{{'{_ROLE}/delete'}})) OR (@Resource[{_ROLE}:RoleDefinitionId] {_MAY_BE_GRANTED}))"
)
"""What `hearth:access` of a stack gives out: the identity may grant these two roles and no others."""


class Trust(TypedDict):
    """Whose tokens stand for an identity."""

    issuer: str
    subject: str


class GitHub(TypedDict):
    """A repository on GitHub, and who in it is which identity."""

    repository: str
    environments: list[str]
    """Their jobs are `rollout`: the protected environment, and one for `hearth tend` where that has its own."""
    branch: NotRequired[str]
    """Its jobs that name no environment are `preview`, as pull requests are: `hearth drift` on a schedule."""


class AzurePipelines(TypedDict):
    """What the two service connections show as their issuer and subject."""

    preview: NotRequired[Trust]
    rollout: NotRequired[Trust]


config = pulumi.Config()
name = config.require("name")
if not re.fullmatch("[a-z][a-z0-9]{2,18}", name):
    raise pulumi.RunError(f"hearth-bootstrap:name: 3 to 19 lower-case letters and digits, a letter first, not {name!r}")
targets: list[str] = config.require_object("targets")
sources: list[str] = config.get_object("sources") or []
github: GitHub | None = config.get_object("github")
pipelines: AzurePipelines = config.get_object("azurePipelines") or AzurePipelines()
here = authorization.get_client_config()

group = resources.ResourceGroup("group", resource_group_name=f"rg-{name}")
kept = pulumi.ResourceOptions(protect=True)


def identity(role: str, trusted: Sequence[tuple[str, Trust]]) -> managedidentity.UserAssignedIdentity:
    """An identity that is whoever brings a token of one of these issuers."""
    made = managedidentity.UserAssignedIdentity(
        role, resource_name_=f"{name}-{role}", resource_group_name=group.name, location=group.location
    )
    before: list[pulumi.Resource] = []
    for where, trust in trusted:
        credential = managedidentity.FederatedIdentityCredential(
            f"{role}-{where}",
            federated_identity_credential_resource_name=where,
            resource_name_=made.name,
            resource_group_name=group.name,
            issuer=trust["issuer"],
            subject=trust["subject"],
            audiences=[AUDIENCE],
            # One after the other: Azure refuses two at once on one identity.
            opts=pulumi.ResourceOptions(depends_on=before),
        )
        before = [credential]
    return made


def grant(
    what: str,
    to: managedidentity.UserAssignedIdentity,
    role: pulumi.Input[str],
    scope: pulumi.Input[str],
    condition: str | None = None,
) -> None:
    """A role for an identity at a scope."""
    where = pulumi.Output.from_input(scope).apply(lambda found: str(found).split("/")[2])
    authorization.RoleAssignment(
        what,
        principal_id=to.principal_id,
        principal_type=authorization.PrincipalType.SERVICE_PRINCIPAL,
        role_definition_id=pulumi.Output.format(
            "/subscriptions/{0}/providers/Microsoft.Authorization/roleDefinitions/{1}", where, role
        ),
        scope=scope,
        condition=condition,
        condition_version="2.0" if condition else None,
    )


def on_github(*subjects: tuple[str, str]) -> list[tuple[str, Trust]]:
    """Credentials for jobs of the repository, by name and the end of their subject; none without a repository."""
    if github is None:
        return []
    whole = f"repo:{github['repository']}"
    return [(name, {"issuer": GITHUB, "subject": f"{whole}:{subject}"}) for name, subject in subjects]


def on_pipelines(connection: Trust | None) -> list[tuple[str, Trust]]:
    """The credential for a service connection of Azure Pipelines; none without one."""
    return [("azure-pipelines", connection)] if connection is not None else []


# --- the place for the state, and the key for its secrets ------------------------------------------------------------

account = storage.StorageAccount(
    "state",
    account_name=f"{name}state",
    resource_group_name=group.name,
    location=group.location,
    kind=storage.Kind.STORAGE_V2,
    sku={"name": storage.SkuName.STANDARD_ZRS},
    allow_blob_public_access=False,
    allow_shared_key_access=False,  # who reads or writes the state is somebody, not a key
    minimum_tls_version=storage.MinimumTlsVersion.TLS1_2,
    opts=kept,
)
container = storage.BlobContainer(
    "state",
    container_name="state",
    account_name=account.name,
    resource_group_name=group.name,
    public_access=storage.PublicAccess.NONE,
    opts=kept,
)
vault = keyvault.Vault(
    "vault",
    vault_name=f"{name}-kv",
    resource_group_name=group.name,
    location=group.location,
    properties={
        "tenant_id": here.tenant_id,
        "sku": {"family": keyvault.SkuFamily.A, "name": keyvault.SkuName.STANDARD},
        "enable_rbac_authorization": True,
        "enable_purge_protection": True,  # without the key nobody reads the state's secrets again
        "soft_delete_retention_in_days": 90,
    },
    opts=kept,
)
key = keyvault.Key(
    "state-key",
    key_name="state",
    vault_name=vault.name,
    resource_group_name=group.name,
    properties={"kty": keyvault.JsonWebKeyType.RSA, "key_size": 3072},
    opts=pulumi.ResourceOptions(protect=True, deleted_with=vault),
)

# --- who reads, and who rolls out ------------------------------------------------------------------------------------

branch = github.get("branch") if github else None
reads = [("github-pull-request", "pull_request")] + ([("github-branch", f"ref:refs/heads/{branch}")] if branch else [])
writes = [(f"github-{one}", f"environment:{one}") for one in (github["environments"] if github else [])]
preview = identity("preview", on_github(*reads) + on_pipelines(pipelines.get("preview")))
rollout = identity("rollout", on_github(*writes) + on_pipelines(pipelines.get("rollout")))

grant("preview-state", preview, BLOB_READER, container.id)
grant("rollout-state", rollout, BLOB_CONTRIBUTOR, container.id)
for who, one in (("preview", preview), ("rollout", rollout)):
    grant(f"{who}-key", one, CRYPTO_USER, key.id)
# A KeepAliveJob is made of more than accounts, and its watch list is written anew with each model.
writes_targets = CONTRIBUTOR if config.get_bool("keepAliveJobs") else ACCOUNTS_CONTRIBUTOR
for scopes, of_rollout in ((targets, (writes_targets, *ROLLOUT_TARGET)), (sources, ROLLOUT_SOURCE)):
    for scope in scopes:
        short = scope.rsplit("/", 1)[-1]
        for role in PREVIEW:
            grant(f"preview-{short}-{role[:8]}", preview, role, scope)
        for role in of_rollout:
            grant(f"rollout-{short}-{role[:8]}", rollout, role, scope)
subscriptions = sorted({"/".join(scope.split("/")[:3]).lower() for scope in (*targets, *sources)})
look = authorization.RoleDefinition(
    "look",
    role_definition_id=str(uuid.uuid5(uuid.NAMESPACE_DNS, f"{name}.hearth")),
    role_name=f"hearth look ({name})",
    description="Reads what hearth asks of a whole subscription.",
    scope=subscriptions[0].removeprefix("/"),
    assignable_scopes=subscriptions,
    permissions=[{"actions": [*LOOK]}],
)
for scope in subscriptions:
    for who, one in (("preview", preview), ("rollout", rollout)):
        grant(f"{who}-look-{scope[-12:]}", one, look.name, scope)
if config.get_bool("mayGrant"):
    for scope in (*targets, *sources):
        short = scope.rsplit("/", 1)[-1]
        grant(f"rollout-{short}-grants", rollout, ROLE_ADMINISTRATOR, scope, GRANTS_ONLY)

pulumi.export("backend", pulumi.Output.format("azblob://{0}?storage_account={1}", container.name, account.name))
at_vault = pulumi.Output.format("{0}.vault.azure.net/keys/{1}", vault.name, key.name)
pulumi.export("secretsProvider", pulumi.Output.concat("azurekeyvault://", at_vault))
pulumi.export("tenantId", here.tenant_id)
pulumi.export("previewClientId", preview.client_id)
pulumi.export("rolloutClientId", rollout.client_id)
