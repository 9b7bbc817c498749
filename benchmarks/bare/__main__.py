"""The bare program of the benchmark: the example's target stack written by hand, without hearth.

It declares the same resources and, unless told not to, takes one token and makes the same call with the same libraries.
"""

import asyncio
import os

import pulumi
from pulumi_azure_native import authorization, cognitiveservices, resources

SUBSCRIPTION = "22222222-2222-4222-8222-222222222222"
SOURCE = (
    "/subscriptions/11111111-1111-4111-8111-111111111111/resourceGroups/rg-contoso-train"
    "/providers/Microsoft.CognitiveServices/accounts/contoso-train-ncus"
)
MODEL = "gpt-4.1-mini-2025-04-14.ft-7c3f1a5e0b9d4c62a1e8f4d2b6c09a57-support"
ROLE = (
    f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions"
    "/5e0bd9bd-7b93-4f28-af87-19fc36ad61bd"
)
PRINCIPAL = "dddddddd-0000-4000-8000-000000000001"

group = resources.ResourceGroup("rg", resource_group_name="rg-bare", location="swedencentral")
account = cognitiveservices.Account(
    "account",
    account_name="contoso-bare",
    resource_group_name=group.name,
    location="swedencentral",
    kind="OpenAI",
    sku=cognitiveservices.SkuArgs(name="S0"),
    properties=cognitiveservices.AccountPropertiesArgs(
        custom_sub_domain_name="contoso-bare", public_network_access="Enabled", disable_local_auth=True
    ),
)
role = authorization.RoleAssignment(
    "role",
    scope=account.id,
    role_assignment_name="0f0e0d0c-0000-4000-8000-00000000bade",
    role_definition_id=ROLE,
    principal_id=PRINCIPAL,
    principal_type="ServicePrincipal",
)
deployment = cognitiveservices.Deployment(
    "support-bot",
    account_name=account.name,
    resource_group_name=group.name,
    deployment_name="support-bot",
    sku=cognitiveservices.SkuArgs(name="Standard", capacity=100),
    properties=cognitiveservices.DeploymentPropertiesArgs(
        model=cognitiveservices.DeploymentModelArgs(format="OpenAI", name=MODEL, version="1", source=SOURCE)
    ),
    opts=pulumi.ResourceOptions(depends_on=[role]),
)


def call(endpoint: str) -> int:
    """One token, one call."""
    import requests
    from azure.identity import DefaultAzureCredential

    credential = DefaultAzureCredential(
        exclude_interactive_browser_credential=True,
        disable_instance_discovery=True,
        additionally_allowed_tenants=["*"],
    )
    token = credential.get_token("https://cognitiveservices.azure.com/.default").token
    answer = requests.Session().post(
        f"{endpoint}openai/deployments/support-bot/chat/completions",
        params={"api-version": "2024-10-21"},
        json={"messages": [{"role": "user", "content": "ping"}], "max_completion_tokens": 16},
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    )
    return answer.status_code


if os.environ.get("BARE_CALLS") == "1" and not pulumi.runtime.is_dry_run():
    answered = pulumi.Output.all(deployment.id, account.properties.endpoint).apply(
        lambda known: asyncio.to_thread(call, known[1])
    )
    pulumi.export("answered", answered)
pulumi.export("endpoint", account.properties.endpoint)
