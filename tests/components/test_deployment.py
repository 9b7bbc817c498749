from __future__ import annotations

from typing import Any

import pulumi

from components import FineTunedDeployment, FineTunedDeploymentArgs, naming
from tests.components.conftest import DEPLOYMENT

HERE = naming.account_id("22222222-2222-4222-8222-222222222222", "rg", "contoso")
THERE = naming.account_id("11111111-1111-4111-8111-111111111111", "rg-train", "contoso-train")
TUNED = "gpt-4.1-mini-2025-04-14.ft-b044a9d3cf9c4228b5d393567f693b83"


def args(owner: str = THERE, **more: Any) -> FineTunedDeploymentArgs:
    model = {"name": TUNED, "source_account_id": owner, **more.pop("model", {})}
    found: Any = {
        "account_id": HERE,
        "account_name": "contoso",
        "resource_group_name": "rg",
        "deployment_name": "support-bot",
        "model": model,
        "sku_name": "Standard",
        "capacity": 50,
        **more,
    }
    return found


def declare(wish: FineTunedDeploymentArgs) -> dict[str, pulumi.Output[Any]]:
    made = FineTunedDeployment("support-bot", wish)
    return {"model": made.model, "version": made.version, "source": made.source, "sku": made.sku}


def test_a_model_of_another_account_is_named_by_its_source(engine):
    recorded = engine(lambda: declare(args()))
    model = recorded.only(DEPLOYMENT)["properties"]["model"]
    assert model == {"format": "OpenAI", "name": TUNED, "version": "1", "source": THERE}


def test_a_model_of_the_own_account_has_no_source_whatever_the_case_of_the_id(engine):
    recorded = engine(lambda: declare(args(owner=HERE.upper())))
    assert "source" not in recorded.only(DEPLOYMENT)["properties"]["model"], "Azure compares ids without case"
    assert recorded.outputs["source"] is None


def test_a_model_of_another_tenant_is_named_by_source_account(engine):
    recorded = engine(lambda: declare(args(model={"in_other_tenant": True})))
    model = recorded.only(DEPLOYMENT)["properties"]["model"]
    assert model["sourceAccount"] == THERE
    assert "source" not in model


def test_a_checkpoint_is_deployed_by_its_id_like_any_model(engine):
    checkpoint = "ftchkpt-" + "0" * 32
    recorded = engine(lambda: declare(args(model={"name": checkpoint})))
    assert recorded.only(DEPLOYMENT)["properties"]["model"]["name"] == checkpoint


def test_sku_options_filter_and_tags_reach_azure_as_written(engine):
    wish = args(
        version_upgrade_option="NoAutoUpgrade", rai_policy_name="Microsoft.DefaultV2", tags={"hearth-stack": "h/prod"}
    )
    declared = engine(lambda: declare(wish)).only(DEPLOYMENT)
    assert declared["sku"] == {"name": "Standard", "capacity": 50}
    assert declared["properties"]["versionUpgradeOption"] == "NoAutoUpgrade"
    assert declared["properties"]["raiPolicyName"] == "Microsoft.DefaultV2"
    assert declared["tags"] == {"hearth-stack": "h/prod"}


def test_what_is_unset_is_not_declared_so_that_azures_own_defaults_are_no_drift(engine):
    properties = engine(lambda: declare(args())).only(DEPLOYMENT)["properties"]
    assert set(properties) == {"model"}


def test_outputs_are_what_azure_answered_not_what_was_wished(engine):
    recorded = engine(lambda: declare(args()))
    assert recorded.outputs == {
        "model": TUNED,
        "version": "1",
        "source": THERE,
        "sku": {"name": "Standard", "capacity": "50"},
    }


def test_a_preview_knows_the_model_before_the_deployment_exists(engine):
    recorded = engine(lambda: {"model": FineTunedDeployment("d", args()).model}, preview=True)
    assert recorded.only(DEPLOYMENT)["properties"]["model"]["source"] == THERE
