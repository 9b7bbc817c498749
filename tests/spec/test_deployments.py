"""Deployments: SKU, capacity, names, the models they serve, and their keep-alive."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.spec.desk import GONE, MODEL, SUBSCRIPTION, Desk

BOT = "hearth:deployments/support-bot"


# --- names ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["-bot", "bot-", "support bot", "b" * 65, "bö", "bot/1"])
def test_a_deployment_name_that_azure_refuses_is_told(desk: Desk, name: str):
    value = {name: {"model": "support-bot", "sku": {"name": "Standard", "capacity": 1}}}
    (mistake,) = [desk.stack({"hearth:deployments": value}), *desk.mistakes()][1:]
    must = "must have 1 to 64 letters, digits, '.', '_' or '-', and start and end with a letter or digit"
    assert mistake.path == f"hearth:deployments/{name}"
    assert mistake.text.startswith(f"{must}, not ")


def test_names_that_differ_only_in_case_are_one_name_to_azure(desk: Desk):
    desk.record("other", {"model": f"{MODEL}-2"})
    other = {"model": "other", "sku": {"name": "Standard", "capacity": 1}}
    assert desk.told({"hearth:deployments/Support-Bot": other}) == [
        f'{BOT}: differs from "Support-Bot" only in case; to Azure that is one name'
    ]


def test_deployments_come_in_order_of_name_as_pulumi_sorts_them(desk: Desk):
    desk.record("other", {"model": f"{MODEL}-2"})
    other = {"model": "other", "sku": {"name": "Standard", "capacity": 1}}
    assert [wish.name for wish in desk.load({"hearth:deployments/a": other}).deployments] == ["a", "support-bot"]


# --- SKU and capacity ----------------------------------------------------------------------------------------------


def test_an_unknown_sku_is_told_with_those_that_there_are(desk: Desk):
    (told,) = desk.told({f"{BOT}/sku/name": "Standart"})
    assert told == (
        f'{BOT}/sku/name: "Standart" is no SKU of a deployment; there are Standard, GlobalStandard, '
        "DataZoneStandard, DeveloperTier, ProvisionedManaged, GlobalProvisionedManaged, DataZoneProvisionedManaged; "
        'did you mean "Standard"?'
    )


def test_a_sku_is_taken_in_any_case_and_kept_in_azures(desk: Desk):
    (wish,) = desk.load({f"{BOT}/sku/name": "globalstandard"}).deployments
    assert wish.sku.name == "GlobalStandard"


@pytest.mark.parametrize("capacity", [0, -1])
def test_capacity_starts_at_one(desk: Desk, capacity: int):
    assert desk.told({f"{BOT}/sku/capacity": capacity}) == [
        f"{BOT}/sku/capacity: must be at least 1 (1 is 1,000 tokens a minute), not {capacity}"
    ]


def test_a_developer_deployment_is_refused_in_production(desk: Desk):
    (told,) = desk.told({f"{BOT}/sku/name": "developertier", "hearth:stack": {"production": True}})
    assert told == (
        f"{BOT}/sku/name: DeveloperTier is not for production: Azure deletes such a deployment after 1d; use Standard, "
        "or set production: false in hearth:stack"
    )
    assert desk.told({f"{BOT}/sku/name": "DeveloperTier"}) == [], "elsewhere it is what it is made for"


# --- models --------------------------------------------------------------------------------------------------------


def test_a_record_that_does_not_exist_is_told_with_the_one_that_was_meant(desk: Desk):
    assert desk.told({f"{BOT}/model": "suport-bot"}) == [
        f"{BOT}/model: there is no model record stacks/models/suport-bot.yaml; write it by hand "
        '(docs/stack.md); did you mean "support-bot"?'
    ]


def test_a_record_is_called_as_its_file_is_in_every_letter(desk: Desk):
    (told,) = desk.told({f"{BOT}/model": "Support-Bot"})
    assert 'did you mean "support-bot"?' in told, "a file name has its case, on this machine or on the next"


@pytest.mark.parametrize("name", ["../secrets", "models/support-bot", "", ".hidden", "a b"])
def test_a_record_is_a_name_and_no_path(desk: Desk, name: str):
    assert desk.told({f"{BOT}/model": name}) == [
        f'{BOT}/model: must be the name of a file in stacks/models, without ".yaml", not "{name}"'
    ]


def test_one_tuned_model_twice_in_an_account_is_told(desk: Desk):
    desk.record("same-again")
    second = {"model": "same-again", "sku": {"name": "Standard", "capacity": 1}}
    assert desk.told({"hearth:deployments/zweiter": second}) == [
        'hearth:deployments/zweiter/model: is the model of "support-bot" too; Azure takes one deployment of a tuned '
        "model per account; remove one"
    ]


def test_one_model_name_of_two_owners_is_two_models(desk: Desk):
    desk.record("elsewhere", {"source/account": "contoso-train-swe"})
    second = {"model": "elsewhere", "sku": {"name": "Standard", "capacity": 1}}
    assert desk.told({"hearth:deployments/zweiter": second}) == []


def test_a_wish_holds_everything_that_it_refers_to(desk: Desk):
    changes = {"versionUpgradeOption": "noautoupgrade", "raiPolicy": "strict", "tags": {"team": "support"}}
    (wish,) = desk.load({f"{BOT}/{key}": value for key, value in changes.items()}).deployments
    assert (wish.name, wish.record_name, wish.record.model) == ("support-bot", "support-bot", MODEL)
    assert (wish.sku.name, wish.sku.capacity) == ("Standard", 50)
    assert (wish.version_upgrade_option, wish.rai_policy, wish.tags) == ("NoAutoUpgrade", "strict", {"team": "support"})


# --- keep-alive ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", ["hearth:keepAlive", f"{BOT}/keepAlive"])
class TestKeepAlive:
    @pytest.mark.parametrize("after", ["10", "ten days", "10 d", "-10d", "10D", "", "10d "])
    def test_after_has_its_unit(self, desk: Desk, at: str, after: str):
        assert desk.told({f"{at}/after": after}) == [
            f'{at}/after: must be a duration with its unit, such as "30m", "12h" or "10d", not "{after}"'
        ]

    def test_after_is_no_number(self, desk: Desk, at: str):
        (told,) = desk.told({f"{at}/after": 10})
        assert told == f'{at}/after: must be a duration with its unit, such as "30m", "12h" or "10d", not 10'

    @pytest.mark.parametrize("after", ["13d1m", "15d", "400d"])
    def test_after_keeps_away_from_the_limit(self, desk: Desk, at: str, after: str):
        (told,) = desk.told({f"{at}/after": after})
        assert told == (
            f"{at}/after: {after} is too close to the 15d after which Azure deletes an idle deployment (as of "
            "2026-10-31); at most 13d, for metrics are late and a run may be missed"
        )

    def test_after_may_be_just_at_the_margin(self, desk: Desk, at: str):
        assert desk.told({f"{at}/after": "13d"}) == []

    def test_after_beyond_all_measure_is_told(self, desk: Desk, at: str):
        (told,) = desk.told({f"{at}/after": "9" * 40 + "d"})
        assert told.startswith(f"{at}/after: must be a duration of less than")

    def test_a_policy_is_one_of_three_words(self, desk: Desk, at: str):
        assert desk.told({f"{at}/policy": "pong"}) == [
            f'{at}/policy: must be ping, report or off, not "pong"; did you mean "ping"?'
        ]


def test_a_deployment_takes_what_it_does_not_say_from_the_stack(desk: Desk):
    desk.record("other", {"model": f"{MODEL}-2"})
    other = {"model": "other", "sku": {"name": "Standard", "capacity": 1}}
    stack = desk.load(
        {
            "hearth:keepAlive": {"policy": "report", "after": "3d"},
            "hearth:deployments/a": {**other, "keepAlive": {"policy": "off"}},
            f"{BOT}/keepAlive": {"after": "5d"},
        }
    )
    assert [(w.policy, w.after) for w in stack.deployments] == [
        ("off", timedelta(days=3)),
        ("report", timedelta(days=5)),
    ]


def test_a_deployment_of_a_stack_that_says_nothing_is_pinged_after_eleven_days(desk: Desk):
    (wish,) = desk.load().deployments
    assert (wish.policy, wish.after) == ("ping", timedelta(days=11)), "two runs may be missed, and it lives"


def test_the_stacks_keep_alive_is_looked_at_even_where_the_deployments_are_wrong(desk: Desk):
    told = desk.told({"hearth:deployments": "x", "hearth:keepAlive/after": "14d"})
    assert [text.split(":")[1].split("/")[0] for text in told] == ["deployments", "keepAlive"]


def test_a_stack_may_have_no_deployments(desk: Desk):
    assert desk.load({"hearth:deployments": GONE}).deployments == ()


def test_ids_are_azures(desk: Desk):
    account = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-contoso-ft-swe/providers/Microsoft.CognitiveServices"
    assert desk.load().account_id == f"{account}/accounts/contoso-ft-swe"
