"""Rules that take two stacks to break."""

from __future__ import annotations

from tests.spec.desk import MODEL, Changes, Desk

HERE = "stacks/Pulumi.dev.yaml"
THERE = "stacks/Pulumi.two.yaml"
ELSEWHERE: Changes = {"hearth:account/name": "contoso-two", "hearth:account/resourceGroup": "rg-two"}


def told(desk: Desk, one: Changes, two: Changes) -> list[tuple[str, int, str, str]]:
    desk.stack(one)
    desk.stack(two, name="two")
    return [(m.file, m.line, m.path, m.text) for m in desk.mistakes()]


def test_two_stacks_with_accounts_of_their_own_are_well(desk: Desk):
    assert told(desk, {}, ELSEWHERE) == []


def test_two_stacks_that_claim_one_account_are_both_told(desk: Desk):
    none = {"hearth:deployments": {}}
    text = "the account {} is claimed by {} too; set manage: false in one of them, or take another name"
    assert told(desk, none, {**none, "hearth:account/name": "Contoso-FT-SWE"}) == [
        (HERE, 5, "hearth:account/name", text.format("contoso-ft-swe", "two")),
        (THERE, 5, "hearth:account/name", text.format("Contoso-FT-SWE", "dev")),
    ], "to Azure case makes no difference, and whoever looks at one of them must see it"


def test_two_stacks_that_claim_one_subdomain_are_both_told_at_the_key_that_says_it(desk: Desk):
    two = {**ELSEWHERE, "hearth:account/subdomain": "contoso-ft-swe"}
    text = "the subdomain contoso-ft-swe is claimed by {} too; it must be the only one in the world: name another with"
    found = told(desk, {}, two)
    assert [(file, line, path) for file, line, path, _ in found] == [
        (HERE, 5, "hearth:account/name"),
        (THERE, 7, "hearth:account/subdomain"),
    ]
    assert [said.startswith(text.format(other)) for *_, said in found for other in ("two", "dev")].count(True) == 2


def test_one_account_name_in_two_subscriptions_still_claims_one_subdomain(desk: Desk):
    two = {"azure-native:subscriptionId": "33333333-3333-4333-8333-333333333333"}
    assert [path for _, _, path, _ in told(desk, {}, two)] == ["hearth:account/name"] * 2


def test_a_claim_that_pulumi_yaml_makes_for_all_is_told_there(desk: Desk):
    desk.file(
        "Pulumi.yaml",
        "name: hearth\nstackConfigDir: stacks\nconfig:\n  hearth:account:\n    value:\n"
        "      name: shared\n      resourceGroup: rg\n",
    )
    one = {"hearth:account": None, "hearth:deployments": {}}
    desk.stack(one)
    desk.stack(one, name="two")
    text = (desk.root / HERE).read_text().replace("  hearth:account: null\n", "")
    desk.file(HERE, text)
    desk.file(THERE, text)
    assert [(m.file, m.line) for m in desk.mistakes()] == [("Pulumi.yaml", 6), ("Pulumi.yaml", 6)]


def test_a_stack_may_refer_to_the_account_of_another(desk: Desk):
    desk.record("other", {"model": f"{MODEL}-2"})
    two = {
        "hearth:account/manage": False,
        "hearth:deployments": {"other": {"model": "other", "sku": {"name": "Standard", "capacity": 1}}},
    }
    assert told(desk, {}, two) == []


def test_one_deployment_of_an_account_belongs_to_one_stack(desk: Desk):
    found = told(desk, {}, {"hearth:account/manage": False})
    assert [(file, path, text) for file, _, path, text in found] == [
        (
            file,
            "hearth:deployments/support-bot",
            f"{other} declares this deployment of the account too; keep it in one of them",
        )
        for file, other in ((HERE, "two"), (THERE, "dev"))
    ]


def test_one_tuned_model_twice_in_an_account_is_told_across_stacks_too(desk: Desk):
    other = {"second": {"model": "support-bot", "sku": {"name": "Standard", "capacity": 1}}}
    found = told(desk, {}, {"hearth:account/manage": False, "hearth:deployments": other})
    assert [path for _, _, path, _ in found] == [
        "hearth:deployments/support-bot/model",
        "hearth:deployments/second/model",
    ]
