"""The Azure OpenAI account."""

# No `from __future__ import annotations` here: Pulumi infers the package's schema from the real annotations.

from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi_azure_native import cognitiveservices, resources

TYPE = "hearth:index:OpenAIAccount"


class OpenAIAccountArgs(TypedDict):
    """What an account is like. Everything that is unset is as Azure has it by default, but keys are off."""

    subscription_id: pulumi.Input[str]
    """Subscription the account lies in; the provider must be set to the same one."""
    resource_group_name: pulumi.Input[str]
    """Resource group of the account."""
    account_name: pulumi.Input[str]
    """Name of the account, 2 to 64 characters."""
    location: pulumi.Input[str]
    """Region, by name: swedencentral."""
    make_resource_group: NotRequired[bool]
    """Make the resource group too (default), or use one that is there."""
    existing: NotRequired[bool]
    """Only refer to an account that somebody else made: nothing of it is created, changed or deleted."""
    subdomain: NotRequired[pulumi.Input[str]]
    """Subdomain of the endpoint, unique in the world and fixed once set; Entra tokens need one. Default: the name."""
    kind: NotRequired[pulumi.Input[str]]
    """OpenAI (default) or AIServices."""
    sku: NotRequired[pulumi.Input[str]]
    """Account SKU; S0 (default)."""
    identity: NotRequired[pulumi.Input[str]]
    """None (default) or SystemAssigned."""
    public_network_access: NotRequired[pulumi.Input[bool]]
    """Whether the account is reached over the public network at all; true by default."""
    allowed_addresses: NotRequired[list[pulumi.Input[str]]]
    """IPv4 addresses or ranges that are let in; with these or subnets set, everybody else is kept out."""
    allowed_subnets: NotRequired[list[pulumi.Input[str]]]
    """Ids of subnets that are let in."""
    trusted_services: NotRequired[pulumi.Input[bool]]
    """Let Azure's trusted services past the network rules."""
    local_auth: NotRequired[pulumi.Input[bool]]
    """Allow API keys besides Entra tokens; false by default."""
    restore: NotRequired[pulumi.Input[bool]]
    """Restore a soft-deleted account of this name on creation. Azure refuses it where there is none."""
    tags: NotRequired[pulumi.Input[dict[str, pulumi.Input[str]]]]
    """Tags of the account and, where it is made, of the resource group."""
    account_tags: NotRequired[pulumi.Input[dict[str, pulumi.Input[str]]]]
    """Further tags of the account alone."""


class OpenAIAccount(pulumi.ComponentResource):
    """An Azure OpenAI account, with its resource group where that is made here, or a reference to one that exists.

    It deliberately does not manage keys (they are off unless `local_auth`), private endpoints, customer-managed
    encryption, diagnostic settings, or the purge of a soft-deleted account: purging destroys the tuned models it owns.
    """

    account_id: pulumi.Output[str]
    """The account's id in Azure."""
    account_name: pulumi.Output[str]
    """The account's name."""
    resource_group_name: pulumi.Output[str]
    """The account's resource group."""
    endpoint: pulumi.Output[str]
    """Where it answers."""
    location: pulumi.Output[str]
    """Its region, as Azure names it."""
    principal_id: pulumi.Output[str | None]
    """Object id of its system-assigned identity, where it has one."""

    def __init__(
        self,
        name: str,
        args: OpenAIAccountArgs,
        opts: pulumi.ResourceOptions | None = None,
        *,
        group_options: pulumi.ResourceOptions | None = None,
        account_options: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it; the two last options are merged into those of the resources inside (hooks, import, protect)."""
        super().__init__(TYPE, name, None, opts)
        self.group: resources.ResourceGroup | None = None
        if args.get("existing", False):
            self.resource = self._refer(name, args)
        else:
            self.resource = self._make(name, args, group_options, account_options)
        self.account_id = self.resource.id
        self.account_name = self.resource.name
        self.resource_group_name = pulumi.Output.from_input(args["resource_group_name"])
        self.location = self.resource.location.apply(lambda location: location or "")
        self.endpoint = self.resource.properties.apply(lambda properties: properties.endpoint)
        self.principal_id = self.resource.identity.apply(lambda identity: identity.principal_id if identity else None)
        self.register_outputs(
            {
                "accountId": self.account_id,
                "accountName": self.account_name,
                "resourceGroupName": self.resource_group_name,
                "endpoint": self.endpoint,
                "location": self.location,
                "principalId": self.principal_id,
            }
        )

    def _refer(self, name: str, args: OpenAIAccountArgs) -> cognitiveservices.Account:
        """The account as Azure has it; read, never written."""
        address = pulumi.Output.format(
            "/subscriptions/{0}/resourceGroups/{1}/providers/Microsoft.CognitiveServices/accounts/{2}",
            args["subscription_id"],
            args["resource_group_name"],
            args["account_name"],
        )
        return cognitiveservices.Account.get(name, address, pulumi.ResourceOptions(parent=self))

    def _make(
        self,
        name: str,
        args: OpenAIAccountArgs,
        group_options: pulumi.ResourceOptions | None,
        account_options: pulumi.ResourceOptions | None,
    ) -> cognitiveservices.Account:
        mine = pulumi.ResourceOptions(parent=self)
        group_name: pulumi.Input[str] = args["resource_group_name"]
        if args.get("make_resource_group", True):
            self.group = resources.ResourceGroup(
                name,
                resource_group_name=args["resource_group_name"],
                location=args["location"],
                tags=args.get("tags"),
                opts=pulumi.ResourceOptions.merge(mine, group_options),
            )
            group_name = self.group.name
        # `restore` acts on creation alone: without this, leaving it out later would read as a change.
        born_with = pulumi.ResourceOptions(parent=self, ignore_changes=["properties.restore"])
        return cognitiveservices.Account(
            name,
            account_name=args["account_name"],
            resource_group_name=group_name,
            location=args["location"],
            kind=args.get("kind", "OpenAI"),
            sku=cognitiveservices.SkuArgs(name=args.get("sku", "S0")),
            identity=_identity(args.get("identity")),
            tags=_tags(args),
            properties=_properties(args),
            opts=pulumi.ResourceOptions.merge(born_with, account_options),
        )


def _tags(args: OpenAIAccountArgs) -> pulumi.Input[dict[str, pulumi.Input[str]]] | None:
    more = args.get("account_tags")
    if not more:
        return args.get("tags")
    return pulumi.Output.all(args.get("tags") or {}, more).apply(lambda both: {**both[0], **both[1]})


def _identity(kind: pulumi.Input[str] | None) -> cognitiveservices.IdentityArgs | None:
    """No identity is not asked for at all: to Azure, leaving it out and None are one."""
    if kind is None or kind == "None":
        return None
    return cognitiveservices.IdentityArgs(
        type=pulumi.Output.from_input(kind).apply(cognitiveservices.ResourceIdentityType)
    )


def _properties(args: OpenAIAccountArgs) -> cognitiveservices.AccountPropertiesArgs:
    subdomain = args.get("subdomain")
    if subdomain is None:
        subdomain = pulumi.Output.from_input(args["account_name"]).apply(str.lower)
    public = pulumi.Output.from_input(args.get("public_network_access", True))
    return cognitiveservices.AccountPropertiesArgs(
        custom_sub_domain_name=subdomain,
        public_network_access=public.apply(lambda on: "Enabled" if on else "Disabled"),
        disable_local_auth=pulumi.Output.from_input(args.get("local_auth", False)).apply(lambda on: not on),
        network_acls=_network_rules(args),
        restore=args.get("restore"),
    )


def _network_rules(args: OpenAIAccountArgs) -> cognitiveservices.NetworkRuleSetArgs | None:
    """Rules where somebody is named; nobody named means nobody is kept out."""
    addresses, subnets = args.get("allowed_addresses") or [], args.get("allowed_subnets") or []
    if not addresses and not subnets:
        return None
    bypass: dict[str, Any] = {}
    if "trusted_services" in args:
        on = pulumi.Output.from_input(args["trusted_services"])
        bypass["bypass"] = on.apply(lambda trusted: "AzureServices" if trusted else "None")
    return cognitiveservices.NetworkRuleSetArgs(
        default_action="Deny",
        ip_rules=[cognitiveservices.IpRuleArgs(value=address) for address in addresses],
        virtual_network_rules=[cognitiveservices.VirtualNetworkRuleArgs(id=subnet) for subnet in subnets],
        **bypass,
    )
