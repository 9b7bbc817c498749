"""What stands where it should not, by kind of value: the reader's own messages."""

from __future__ import annotations

import pytest

from tests.spec.desk import GONE, Desk

SKU = "hearth:deployments/support-bot/sku"


def test_a_good_stack_has_no_mistakes(desk: Desk):
    assert desk.told() == []


def test_an_unknown_key_is_told_with_the_one_that_was_meant(desk: Desk):
    assert desk.told({"hearth:account/resourceGrup": "rg"}) == [
        'hearth:account/resourceGrup: unknown key; did you mean "resourceGroup"?'
    ]


def test_an_unknown_key_near_no_other_is_told_with_those_that_there_are(desk: Desk):
    assert desk.told({f"{SKU}/zone": 1}) == [f"{SKU}/zone: unknown key; the keys here are name, capacity"]


def test_an_unknown_key_of_ours_at_the_top_is_told(desk: Desk):
    assert desk.told({"hearth:deployment": {}}) == [
        'hearth:deployment: unknown key; did you mean "hearth:deployments"?'
    ]


def test_keys_of_other_namespaces_are_not_ours_to_judge(desk: Desk):
    assert desk.told({"azure-native:tenantId": 5, "contoso:anything": {"a": 1}, "aws:region": "x"}) == []


@pytest.mark.parametrize("path", ["hearth:account/name", "hearth:account/resourceGroup", f"{SKU}/capacity", SKU])
def test_a_missing_key_is_told_by_its_path(desk: Desk, path: str):
    assert desk.told({path: GONE}) == [f"{path}: is missing; add it"]


@pytest.mark.parametrize("path", ["azure-native:subscriptionId", "azure-native:location", "hearth:account"])
def test_a_stack_without_subscription_region_or_account_is_none(desk: Desk, path: str):
    assert desk.told({path: GONE}) == [f"{path}: is missing; add it"]


@pytest.mark.parametrize("path", ["hearth:account", "hearth:account/name", f"{SKU}/capacity"])
def test_a_key_without_a_value_is_told_where_one_is_needed(desk: Desk, path: str):
    assert desk.told({path: None}) == [f"{path}: has no value; write one"]


@pytest.mark.parametrize("path", ["hearth:access", "hearth:ready", "hearth:account/tags", "hearth:keepAlive/after"])
def test_a_key_without_a_value_has_its_default_where_there_is_one(desk: Desk, path: str):
    assert desk.told({path: None}) == []


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("hearth:account", ["x"], "must be a mapping, not a list"),
        ("hearth:account", "contoso", 'must be a mapping, not "contoso"'),
        ("hearth:account/resourceGroup", 5, "must be a text or a mapping, not 5"),
        ("hearth:account/name", 5, "must be a text, not 5; put it in quotes"),
        ("hearth:account/name", True, "must be a text, not true; put it in quotes"),
        ("hearth:account/name", {"a": 1}, "must be a text, not a mapping"),
        ("hearth:account/manage", "true", 'must be true or false, not "true"; write it without quotes'),
        ("hearth:account/manage", "yes", 'must be true or false, not "yes"'),
        ("hearth:account/manage", 1, "must be true or false, not 1"),
        ("hearth:account/tags", ["a"], "must be a mapping, not a list"),
        ("hearth:account/tags/cost", 5, "must be a text, not 5; put it in quotes"),
        ("hearth:account/network/allow", "10.0.0.0/8", 'must be a list, not "10.0.0.0/8"'),
        ("hearth:access", {"a": 1}, "must be a list, not a mapping"),
        ("hearth:access/0", None, "must be a mapping, not nothing"),
        ("hearth:deployments", ["a"], "must be a mapping, not a list"),
        ("hearth:deployments/support-bot", "x", 'must be a mapping, not "x"'),
        (f"{SKU}/capacity", "50", 'must be a whole number, not "50"; write it without quotes'),
        (f"{SKU}/capacity", "fifty", 'must be a whole number, not "fifty"'),
        (f"{SKU}/capacity", 1.5, "must be a whole number, not 1.5"),
        (f"{SKU}/capacity", True, "must be a whole number, not true"),
        (f"{SKU}/capacity", [1], "must be a whole number, not a list"),
    ],
)
def test_a_value_of_the_wrong_type_is_told_with_what_it_must_be(desk: Desk, path: str, value: object, text: str):
    assert desk.told({path: value}) == [f"{path}: {text}"]


def test_a_long_value_is_cut_and_stays_on_one_line(desk: Desk):
    (told,) = desk.told({"hearth:ready": "a\nb" + "c" * 500})
    assert told == 'hearth:ready: must be serving, required, warn or off, not "a\\nb' + "c" * 57 + '…"'


def test_words_to_choose_from_are_taken_in_any_case_and_kept_in_their_own(desk: Desk):
    stack = desk.load(
        {"hearth:account/kind": "openai", "hearth:account/softDeleted": "RESTORE", "hearth:ready": "Warn"}
    )
    assert (stack.account.kind, stack.account.soft_deleted, stack.ready) == ("OpenAI", "restore", "warn")


def test_a_misspelt_word_is_told_with_those_to_choose_from(desk: Desk):
    assert desk.told({"hearth:account/softDeleted": "purg"}) == [
        'hearth:account/softDeleted: must be refuse, restore or purge, not "purg"; did you mean "purge"?'
    ]


def test_a_date_without_quotes_is_told_for_pulumi_makes_another_text_of_it(desk: Desk):
    desk.stack()
    with (desk.root / "stacks/Pulumi.dev.yaml").open("a") as file:
        file.write("  hearth:stack: {labels: {since: 2026-10-14, until: '2027-10-14'}}\n")
    assert [str(mistake) for mistake in desk.mistakes()] == [
        'line 16, hearth:stack/labels/since: Pulumi makes "2026-10-14 00:00:00 +0000 UTC" of this date; '
        "put it in quotes"
    ]


def test_a_bare_resource_group_is_its_name(desk: Desk):
    group = desk.load({"hearth:account/resourceGroup": "rg-x"}).account.resource_group
    assert (group.name, group.manage) == ("rg-x", True)


def test_every_mistake_is_told_at_once_and_in_the_order_of_the_file(desk: Desk):
    desk.file(
        "stacks/Pulumi.dev.yaml",
        """\
config:
  azure-native:subscriptionId: nobody
  azure-native:location: Sweden Central
  hearth:account:
    name: x
    resourceGroup: rg.
    sort: S0
  hearth:access:
    - {principal: me, role: Cognitive Services OpenAI User}
    - {principal: 9f1c0a52-1111-4222-8333-444455556666, role: Reder}
  hearth:deployments:
    support-bot:
      model: supportbot
      sku: {name: Standart, capacity: 0}
      keepAlive: {policy: pong, after: 10}
""",
    )
    again = [desk.mistakes() for _ in range(3)]
    places = [(m.file, m.line, m.path) for m in again[0]]
    bot = "hearth:deployments/support-bot"
    file = "stacks/Pulumi.dev.yaml"
    assert places == [
        (file, 2, "azure-native:subscriptionId"),
        (file, 3, "azure-native:location"),
        (file, 5, "hearth:account/name"),
        (file, 6, "hearth:account/resourceGroup/name"),
        (file, 7, "hearth:account/sort"),
        (file, 9, "hearth:access/0/principal"),
        (file, 10, "hearth:access/1/role"),
        (file, 13, f"{bot}/model"),
        (file, 14, f"{bot}/sku/capacity"),
        (file, 14, f"{bot}/sku/name"),
        (file, 15, f"{bot}/keepAlive/after"),
        (file, 15, f"{bot}/keepAlive/policy"),
    ], "one run tells everything that can be seen, each with its place"
    assert again[0] == again[1] == again[2], "the order is the same each time"
