"""A fine-tuned model behind a name that callers keep."""

# No `from __future__ import annotations` here: Pulumi infers the package's schema from the real annotations.

from typing import Any, NotRequired, TypedDict

import pulumi
from pulumi_azure_native import cognitiveservices

from components import naming

_Model = cognitiveservices.outputs.DeploymentModelResponse
TYPE = "hearth:index:FineTunedDeployment"


class TunedModelArgs(TypedDict):
    """Which tuned model, and who owns it: the fields of a model record."""

    name: pulumi.Input[str]
    """The job's fine_tuned_model, or a checkpoint's id (ftchkpt-…)."""
    source_account_id: pulumi.Input[str]
    """Id in Azure of the account that owns the model. May be the deployment's own account."""
    version: NotRequired[pulumi.Input[str]]
    """Always "1" for tuned models (default)."""
    in_other_tenant: NotRequired[bool]
    """The owner lies in another tenant; the provider must then be given that tenant as an auxiliary one."""


class DeploymentSettings(TypedDict):
    """Settings of a deployment beside its model and SKU, as Azure answered."""

    raiPolicy: str | None
    """Content filter."""
    versionUpgradeOption: str | None
    """What happens when the model's version changes."""
    tags: dict[str, str]
    """Its tags."""


class FineTunedDeploymentArgs(TypedDict):
    """A deployment of a tuned model."""

    account_id: pulumi.Input[str]
    """Id in Azure of the account that serves it."""
    account_name: pulumi.Input[str]
    """Name of that account."""
    resource_group_name: pulumi.Input[str]
    """Resource group of that account."""
    deployment_name: pulumi.Input[str]
    """The name that callers use."""
    model: TunedModelArgs
    """What it serves."""
    sku_name: pulumi.Input[str]
    """Standard, GlobalStandard, DataZoneStandard, DeveloperTier or a provisioned one."""
    capacity: pulumi.Input[int]
    """Thousand tokens a minute; PTUs for provisioned SKUs."""
    version_upgrade_option: NotRequired[pulumi.Input[str]]
    """What happens when the model's version changes; Azure's default when unset."""
    rai_policy_name: NotRequired[pulumi.Input[str]]
    """Content filter; Azure's default when unset."""
    tags: NotRequired[pulumi.Input[dict[str, pulumi.Input[str]]]]
    """Tags of the deployment."""


class FineTunedDeployment(pulumi.ComponentResource):
    """One tuned model behind one deployment name, trained in this account or in another region, subscription, tenant.

    The source is named to Azure only where the owner is another account. It deliberately does not manage the model
    itself, roles at the source, or the order among deployments of one account (hand that in as `depends_on`): Azure
    takes one write at a time per account.
    """

    deployment_id: pulumi.Output[str]
    """The deployment's id in Azure."""
    deployment_name: pulumi.Output[str]
    """The name that callers use."""
    model: pulumi.Output[str]
    """The model that Azure says it serves."""
    version: pulumi.Output[str]
    """Its version."""
    source: pulumi.Output[str | None]
    """Id of the account that owns the model, where it is another one."""
    sku: pulumi.Output[dict[str, str]]
    """Name and capacity, as Azure has them; the capacity is a text."""
    settings: pulumi.Output[DeploymentSettings]
    """What else it takes to put it back as it is."""

    def __init__(
        self,
        name: str,
        args: FineTunedDeploymentArgs,
        opts: pulumi.ResourceOptions | None = None,
        *,
        deployment_options: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Declare it; `deployment_options` are merged into those of the deployment inside (hooks, import, order)."""
        super().__init__(TYPE, name, None, opts)
        self.resource = cognitiveservices.Deployment(
            name,
            account_name=args["account_name"],
            resource_group_name=args["resource_group_name"],
            deployment_name=args["deployment_name"],
            sku=cognitiveservices.SkuArgs(name=args["sku_name"], capacity=args["capacity"]),
            properties=cognitiveservices.DeploymentPropertiesArgs(
                model=_model(args["account_id"], args["model"]),
                version_upgrade_option=args.get("version_upgrade_option"),
                rai_policy_name=args.get("rai_policy_name"),
            ),
            tags=args.get("tags"),
            opts=pulumi.ResourceOptions.merge(pulumi.ResourceOptions(parent=self), deployment_options),
        )
        served = self.resource.properties.apply(_served)
        self.deployment_id = self.resource.id
        self.deployment_name = self.resource.name
        self.model = served.apply(lambda m: str(m.name))
        self.version = served.apply(lambda m: str(m.version))
        self.source = served.apply(_owner)
        self.sku = self.resource.sku.apply(_sku)
        # Each by itself: what goes through Output.all comes out as plain dictionaries.
        self.settings = pulumi.Output.all(
            self.resource.properties.apply(lambda p: p.rai_policy_name),
            self.resource.properties.apply(lambda p: p.version_upgrade_option),
            self.resource.tags,
        ).apply(_settings)
        self.register_outputs(
            {
                "deploymentId": self.deployment_id,
                "deploymentName": self.deployment_name,
                "model": self.model,
                "version": self.version,
                "source": self.source,
                "sku": self.sku,
                "settings": self.settings,
            }
        )


def _served(properties: cognitiveservices.outputs.DeploymentPropertiesResponse) -> _Model:
    """The model that Azure answered with; a deployment without one does not exist."""
    if properties.model is None:
        raise ValueError("Azure answered with a deployment without a model")
    return properties.model


def _owner(model: _Model) -> str | None:
    return model.source_account or model.source


def _sku(sku: cognitiveservices.outputs.SkuResponse | None) -> dict[str, str]:
    return {"name": sku.name, "capacity": str(int(sku.capacity or 0))} if sku else {}


def _settings(known: list[Any]) -> DeploymentSettings:
    policy, upgrade, tags = known
    return {"raiPolicy": policy, "versionUpgradeOption": upgrade, "tags": dict(tags or {})}


def _model(account_id: pulumi.Input[str], model: TunedModelArgs) -> cognitiveservices.DeploymentModelArgs:
    """The model as Azure takes it: `source` for an account of this tenant, `sourceAccount` for one of another.

    Source: Learn, deploy a fine-tuned model (cross region, cross subscription, cross tenant), as of October 2026.
    """
    owner = pulumi.Output.all(account_id, model["source_account_id"]).apply(
        lambda ids: None if naming.same_resource(*ids) else ids[1]
    )
    elsewhere = model.get("in_other_tenant", False)
    return cognitiveservices.DeploymentModelArgs(
        format="OpenAI",
        name=model["name"],
        version=model.get("version", "1"),
        source=None if elsewhere else owner,
        source_account=owner if elsewhere else None,
    )
