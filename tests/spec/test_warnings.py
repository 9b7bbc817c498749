"""What is allowed and worth a word."""

from __future__ import annotations

from datetime import date

import pytest

from infra.spec import limits
from tests.spec.desk import MODEL, SUBSCRIPTION, Desk

BOT = "hearth:deployments/support-bot"
AS_OF = "(as of 2026-10-31)"


def test_a_model_of_today_where_it_is_known_to_stand_needs_no_word(desk: Desk):
    assert desk.load().warnings == ()


def test_a_retired_base_model_is_warned_of(desk: Desk):
    desk.record("support-bot", {"model": "gpt-35-turbo-0613.ft-1"})
    assert desk.load().warnings == (
        f"dev/support-bot: the base model gpt-35-turbo-0613 is retired {AS_OF}; Azure may refuse it",
    )


def test_a_base_model_retires_on_the_day_that_azure_named(desk: Desk):
    before, on = (desk.load(today=date(2027, 10, day)) for day in (13, 14))
    assert (len(before.warnings), len(on.warnings)) == (0, 1)
    assert "gpt-4.1-mini-2025-04-14 is retired" in on.warnings[0]


def test_a_base_model_that_nothing_is_known_of_is_warned_of_and_not_refused(desk: Desk):
    desk.record("support-bot", {"model": "gpt-9-2029-01-01.ft-1"})
    assert desk.load().warnings == (
        f"dev/support-bot: nothing is known of the base model gpt-9-2029-01-01 {AS_OF}, so it was not checked",
    )


def test_a_checkpoint_without_its_base_model_is_warned_of(desk: Desk):
    desk.record("support-bot", {"model": "ftchkpt-" + "0" * 32})
    assert desk.load().warnings == (
        "dev/support-bot: its base model is not known, so it was not checked; write trained.base into the record",
    )


def test_a_region_where_the_model_is_not_known_to_stand_is_warned_of(desk: Desk):
    assert desk.load({"azure-native:location": "westus"}).warnings == (
        "dev/support-bot: a Standard deployment of a tuned gpt-4.1-mini-2025-04-14 is known in northcentralus, "
        f"swedencentral {AS_OF}, not in westus",
    )


def test_a_global_deployment_is_bound_to_no_region(desk: Desk):
    assert desk.load({"azure-native:location": "westus", f"{BOT}/sku/name": "GlobalStandard"}).warnings == ()


@pytest.mark.parametrize(("model", "warned"), [("gpt-4o-2024-08-06", True), ("gpt-4.1-2025-04-14", False)])
def test_the_developer_tier_is_warned_of_where_the_model_is_not_known_to_take_it(desk: Desk, model: str, warned: bool):
    desk.record("support-bot", {"model": f"{model}.ft-1"})
    text = f"dev/support-bot: a tuned {model} is not known to take DeveloperTier {AS_OF}"
    assert desk.load({f"{BOT}/sku/name": "DeveloperTier"}).warnings == ((text,) if warned else ())


def test_more_deployments_than_azure_usually_allows_are_warned_of(desk: Desk):
    most = limits.load().fine_tuned_deployments.value
    bots = {}
    for number in range(most + 1):
        desk.record(f"bot-{number}", {"model": f"{MODEL}-{number}"})
        bots[f"bot-{number}"] = {"model": f"bot-{number}", "sku": {"name": "Standard", "capacity": 1}}
    assert desk.load({"hearth:deployments": bots}).warnings == (
        f"dev: {most + 1} deployments in one account; Azure's usual limit is {most} (as of 2026-02-28)",
    )
    del bots["bot-0"]
    assert desk.load({"hearth:deployments": bots}).warnings == ()


def test_purging_an_account_that_owns_its_models_is_warned_of(desk: Desk):
    own = {"subscription": SUBSCRIPTION, "resourceGroup": "RG-contoso-ft-swe", "account": "contoso-ft-swe"}
    desk.record("support-bot", {"source": own})
    assert desk.load({"hearth:account/softDeleted": "purge"}).warnings == (
        "dev: softDeleted: purge would destroy for good the tuned models that this account owns (support-bot)",
    )
    assert desk.load().warnings == ()


def test_purging_an_account_that_only_serves_needs_no_word(desk: Desk):
    assert desk.load({"hearth:account/softDeleted": "purge"}).warnings == ()
