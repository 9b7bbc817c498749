"""Entra's endpoints, and the metadata that tells clients of other clouds where they are."""

from __future__ import annotations

from urllib.parse import parse_qs

from infra.localazure import containerapps, errors, federation
from infra.localazure.directory import ARM_AUDIENCES
from infra.localazure.entities import Json
from infra.localazure.http import monitor
from infra.localazure.http.call import Answer, Call
from infra.localazure.http.router import Route, Router

ANY_TENANT = {"common", "organizations", "consumers"}


def openid_configuration(call: Call) -> Answer:
    """Where a tenant's endpoints are; its domain name is answered with its id, as Entra does."""
    named = call.params["tenant"]
    tenant = named if named.lower() in ANY_TENANT else call.app.directory.require_tenant(named)
    base = call.url(f"/{tenant}")
    return Answer(
        body={
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt", "client_secret_basic"],
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "response_modes_supported": ["query", "fragment", "form_post"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
            "scopes_supported": ["openid", "profile", "email", "offline_access"],
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "end_session_endpoint": f"{base}/oauth2/v2.0/logout",
            "tenant_region_scope": "NA",
        }
    )


def token(call: Call) -> Answer:
    """Client credentials: a secret, or another issuer's token, for a token."""
    form = {k: v[0] for k, v in parse_qs(call.body.decode("utf-8", "replace")).items()}
    if "grant_type" not in form:
        raise errors.NO_LOGIN_FIELD(name="grant_type")
    if form["grant_type"] != "client_credentials":
        raise errors.BAD_GRANT(grant=form["grant_type"])
    if "client_id" not in form:
        raise errors.NO_LOGIN_FIELD(name="client_id")
    scope = form.get("scope") or f"{form.get('resource', '')}/.default"
    who = call.params["tenant"], form["client_id"]
    if "client_secret" in form:
        value, seconds = call.app.directory.client_credentials(*who, form["client_secret"], scope)
    elif "client_assertion" in form:
        if form.get("client_assertion_type") != federation.ASSERTION_TYPE:
            raise errors.NO_LOGIN_FIELD(name="client_assertion_type")
        value, seconds = call.app.directory.federated(*who, form["client_assertion"], scope)
    else:
        raise errors.NO_SECRET()
    return Answer(
        body={"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": value}
    )


def identity_token(call: Call) -> Answer:
    """A token of a managed identity, for a job that runs."""
    header = call.headers.get("x-identity-header", "")
    asked = (call.argument("resource"), call.argument("client_id"))
    return Answer(body=call.app.platform.token(header, *asked, call.app.directory))


def client_of(call: Call) -> str:
    """The application that a login is for."""
    return parse_qs(call.body.decode("utf-8", "replace")).get("client_id", [""])[0]


def keys(call: Call) -> Answer:
    """The keys that tokens are signed with."""
    return Answer(body=call.app.directory.public_keys())


def metadata(call: Call) -> Answer:
    """This cloud, in the shape that azure-native and Terraform read (2022-09-01), or as a list (2019-05-01)."""
    version = call.query.get("api-version", "2022-09-01")
    return Answer(body=[_cloud(call)] if version < "2022" else _cloud(call))


def clouds(call: Call) -> Answer:
    """This cloud as the list that the Azure CLI reads from ARM_CLOUD_METADATA_URL, whatever version it asks for."""
    return Answer(body=[_cloud(call)])


def _cloud(call: Call) -> Json:
    origin = call.world.origin
    tenants = [t.id for t in call.world.tenants]
    return {
        "name": "LocalAzure",
        "portal": origin,
        "resourceManager": origin,
        "authentication": {
            "loginEndpoint": origin,
            "audiences": [f"{audience}/" for audience in reversed(ARM_AUDIENCES)],
            "tenant": tenants[0] if len(tenants) == 1 else "common",
            "identityProvider": "AAD",
        },
        "graph": f"{origin}/graph",
        "graphAudience": f"{origin}/graph",
        "microsoftGraphResourceId": f"{origin}/graph/",
        "activeDirectoryDataLake": origin,
        "batch": f"{origin}/batch",
        "gallery": origin,
        "media": f"{origin}/media",
        "sqlManagement": f"{origin}/sql",
        "vmImageAliasDoc": origin,
        "metricsEndpoint": f"{origin}/{{region}}{monitor.HOST}",  # of ours: Azure's own metadata names none
        "logAnalyticsResourceId": "https://api.loganalytics.io",
        "logAnalyticsEndpoint": f"{origin}/loganalytics",
        "attestationResourceId": "https://attest.azure.net",
        "synapseAnalyticsResourceId": "https://dev.azuresynapse.net",
        "ossrDbmsResourceId": "https://ossrdbms-aad.database.windows.net",
        "suffixes": {
            "storage": "core.windows.net",
            "storageSyncEndpointSuffix": "afs.azure.net",
            "keyVaultDns": "vault.azure.net",
            "acrLoginServer": "azurecr.io",
            "sqlServerHostname": "database.windows.net",
            "attestationEndpoint": "attest.azure.net",
            "azureDataLakeStoreFileSystem": "azuredatalakestore.net",
            "mysqlServerEndpoint": "mysql.database.azure.com",
            "postgresqlServerEndpoint": "postgres.database.azure.com",
            "mariadbServerEndpoint": "mariadb.database.azure.com",
            "synapseAnalytics": "dev.azuresynapse.net",
        },
    }


_IDENTITY = "azure-identity 1.27, msal 1.39"
_READERS = "azure-native 3.29 and Terraform's SDK: the names that they read"

ROUTES = [
    Route("GET", "/{tenant}/v2.0/.well-known/openid-configuration", openid_configuration, checked_against=_IDENTITY),
    Route("GET", "/{tenant}/.well-known/openid-configuration", openid_configuration, checked_against=_IDENTITY),
    Route("GET", "/{tenant}/discovery/v2.0/keys", keys, checked_against="PyJWT 2.15"),
    Route("POST", "/{tenant}/oauth2/v2.0/token", token, checked_against=_IDENTITY),
    Route("POST", "/{tenant}/oauth2/token", token, checked_against="Entra's documentation of its version 1"),
    Route("GET", containerapps.ENDPOINT, identity_token, checked_against=_IDENTITY),
    Route("GET", "/metadata/endpoints", metadata, checked_against=_READERS),
    Route("GET", "/metadata/clouds", clouds, checked_against="azure-cli 2.91"),
]
ROUTER = Router(ROUTES)
