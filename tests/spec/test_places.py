"""Where a value comes from, and the place that a message shows for it."""

from __future__ import annotations

import pytest

from infra.errors import Mistake, SpecError
from infra.spec import load_stack
from tests.spec.desk import GONE, TODAY, Desk, config

STACK = "stacks/Pulumi.dev.yaml"
PROJECT = "name: hearth\nstackConfigDir: stacks\nconfig:\n"


def given(desk: Desk, values: dict[str, object]) -> list[Mistake]:
    """The mistakes of values that the engine hands over, whatever the files say."""
    with pytest.raises(SpecError) as caught:
        load_stack(desk.project, "dev", values, today=TODAY)
    return caught.value.mistakes


# --- Pulumi.yaml ---------------------------------------------------------------------------------------------------


def test_what_pulumi_yaml_holds_for_all_stacks_is_shown_there(desk: Desk):
    desk.file("Pulumi.yaml", PROJECT + "  hearth:keepAlive:\n    value:\n      policy: ping\n      after: 14d\n")
    desk.stack()
    (mistake,) = desk.mistakes()
    assert (mistake.file, mistake.line, mistake.path) == ("Pulumi.yaml", 7, "hearth:keepAlive/after")


def test_a_plain_value_of_pulumi_yaml_is_shown_there(desk: Desk):
    desk.file("Pulumi.yaml", PROJECT + "  hearth:ready: never\n")
    desk.stack()
    assert [(m.file, m.line) for m in desk.mistakes()] == [("Pulumi.yaml", 4)]


def test_a_default_of_pulumi_yaml_is_a_value_too(desk: Desk):
    desk.file("Pulumi.yaml", PROJECT + "  ready:\n    type: string\n    default: never\n")
    desk.stack()
    assert [(m.file, m.line, m.path) for m in desk.mistakes()] == [("Pulumi.yaml", 6, "hearth:ready")]


def test_a_stack_replaces_the_whole_of_a_key(desk: Desk):
    desk.file("Pulumi.yaml", PROJECT + "  hearth:keepAlive:\n    value: {policy: off, after: 14d}\n")
    stack = desk.load({"hearth:keepAlive": {"policy": "report"}})
    assert stack.deployments[0].policy == "report"
    assert stack.deployments[0].after.days == 11, "14d of Pulumi.yaml is gone with the rest"


def test_a_mapping_that_pulumi_refuses_in_pulumi_yaml_is_told(desk: Desk):
    desk.file("Pulumi.yaml", PROJECT + "  hearth:keepAlive: {policy: off}\n")
    desk.stack()
    assert desk.mistakes() == [
        Mistake(
            "Pulumi.yaml",
            4,
            "config/hearth:keepAlive",
            "Pulumi takes no such mapping here; put it below a key of its own, value:",
        )
    ]


def test_a_config_of_pulumi_yaml_that_is_no_mapping_is_told_once_for_all_stacks(desk: Desk):
    desk.file("Pulumi.yaml", PROJECT + "  - a\n")
    desk.stack()
    desk.stack(name="two")
    assert [(m.file, m.text) for m in desk.mistakes()] == [
        ("Pulumi.yaml", "must be a mapping of keys such as hearth:account")
    ]


def test_a_key_without_a_namespace_is_the_projects_as_in_the_engine(desk: Desk):
    desk.stack({"hearth:account": GONE, "account": {"name": "x", "resourceGroup": "rg"}})
    (mistake,) = desk.mistakes()
    assert (mistake.line, mistake.path) == (14, "hearth:account/name")


# --- the stack file ------------------------------------------------------------------------------------------------


def test_the_value_of_a_list_is_shown_on_the_line_of_its_item(desk: Desk):
    desk.file(
        STACK,
        "config:\n  azure-native:subscriptionId: 22222222-2222-4222-8222-222222222222\n"
        "  azure-native:location: swedencentral\n  hearth:account: {name: contoso, resourceGroup: rg}\n"
        "  hearth:access:\n    - {principal: a, role: Reader}\n    -\n      role: Reader\n",
    )
    assert [(m.line, m.path) for m in desk.mistakes()] == [
        (6, "hearth:access/0/principal"),
        (8, "hearth:access/1/principal"),
    ]


def test_what_is_missing_is_shown_at_what_it_is_missing_from(desk: Desk):
    desk.stack({"hearth:account": {"name": "contoso"}})
    assert [(m.line, m.path) for m in desk.mistakes()] == [(4, "hearth:account/resourceGroup")]


# --- elsewhere -----------------------------------------------------------------------------------------------------


def test_a_value_of_the_engine_is_shown_where_the_file_holds_it(desk: Desk):
    wrong = {"hearth:account/name": "x"}
    desk.stack(wrong)
    assert [(m.file, m.line) for m in given(desk, config(wrong))] == [(STACK, 5)]


def test_a_value_that_the_file_does_not_hold_has_no_line(desk: Desk):
    desk.stack()
    (mistake,) = given(desk, config({"hearth:account/name": "x"}))
    assert (mistake.file, mistake.line) == (STACK, 0), "it came from --config-file, or from -c"
    assert str(mistake).startswith("hearth:account/name: must have")


def test_a_stack_may_have_no_file_at_all(desk: Desk):
    assert load_stack(desk.project, "dev", config(), today=TODAY).name == "dev", "all may come from --config-file"
    (mistake,) = given(desk, config({"hearth:account/name": "x"}))
    assert (mistake.file, mistake.line) == (STACK, 0)


def test_numbers_of_the_engine_are_whole_where_they_are_meant_to_be(desk: Desk):
    desk.stack()
    values = config({"hearth:deployments/support-bot/sku/capacity": 50.0})
    assert load_stack(desk.project, "dev", values, today=TODAY).deployments[0].sku.capacity == 50
    wrong = config({"hearth:deployments/support-bot/sku/capacity": 0.0})
    assert given(desk, wrong)[0].text == "must be at least 1 (1 is 1,000 tokens a minute), not 0"


def test_a_number_of_the_engine_is_found_in_the_file_all_the_same(desk: Desk):
    at = "hearth:deployments/support-bot/sku/capacity"
    desk.stack({at: -5})
    assert given(desk, config({at: -5.0}))[0].line > 0


def test_a_key_without_a_value_is_an_empty_text_to_the_engine(desk: Desk):
    desk.stack()
    assert load_stack(desk.project, "dev", config({"hearth:access": ""}), today=TODAY).access == ()
    assert [m.text for m in given(desk, config({"hearth:account": ""}))] == ["has no value; write one"]


# --- secrets -------------------------------------------------------------------------------------------------------

HIDDEN = {"secure": "v1:abc:def"}


@pytest.mark.parametrize("path", ["hearth:access/0/principal", "hearth:account", "azure-native:subscriptionId"])
def test_a_secret_is_not_judged_at_the_desk(desk: Desk, path: str):
    assert desk.told({path: HIDDEN}) == []


def test_the_rest_of_a_stack_with_a_secret_is_judged(desk: Desk):
    told = desk.told({"hearth:access/0/principal": HIDDEN, "hearth:access/0/role": "King"})
    assert [text.split(":")[1] for text in told] == ["access/0/role"]


def test_a_command_that_needs_the_whole_stack_says_that_it_cannot_read_a_secret(desk: Desk):
    with pytest.raises(SpecError) as caught:
        desk.load({"hearth:access/0/principal": HIDDEN})
    (mistake,) = caught.value.mistakes
    assert (mistake.path, mistake.text) == (
        "hearth:access/0/principal",
        "is a secret, which only a run of Pulumi can read",
    )
    assert mistake.line == 8


def test_a_secret_that_the_engine_has_read_is_a_value_like_any_other(desk: Desk):
    desk.stack({"hearth:access/0/principal": HIDDEN})
    assert load_stack(desk.project, "dev", config(), today=TODAY).access
    (mistake,) = given(desk, config({"hearth:access/0/principal": "x"}))
    assert mistake.line == 0, "what the file holds is not what was read"
