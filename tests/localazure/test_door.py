"""The door of the package, its tables and its seed."""

from __future__ import annotations

import string
import time
from datetime import timedelta

import msgspec
import pytest
import requests

import infra.localazure
from infra.localazure import BadSeed, LocalAzure, Seed, VirtualClock, catalogue, errors, ids, roles, seed
from infra.localazure.world import World
from tests.localazure.cloud import ARM, OWNER, PRODUCTION, SEED, START, TENANT, TRAINING, TUNED

ACCOUNT = ids.account_id(TRAINING, "rg", "oai-train")


def test_the_door_names_what_it_holds_in_order():
    names = infra.localazure.__all__
    assert names == sorted(names)
    assert all(getattr(infra.localazure, name).__doc__ for name in names)


def test_one_inside_this_process_is_there_at_once_and_gone_at_once(capsys):
    began = time.perf_counter()
    azure = LocalAzure().start()
    answered = requests.get(f"{azure.origin}/.local-azure/health", verify=str(azure.authority), timeout=5)
    seconds = time.perf_counter() - began
    azure.stop()
    with capsys.disabled():
        print(f" [in-process start and first answer: {seconds * 1000:.0f} ms]", end="")  # noqa: T201 - told, not asserted
    assert answered.json()["status"] == "ok"
    with pytest.raises(requests.ConnectionError):
        requests.get(f"{azure.origin}/.local-azure/health", timeout=5)


def test_two_at_once_are_two_worlds(azure):
    with LocalAzure() as other:
        assert other.port != azure.port
        assert not list(other.world.subscriptions)


def test_its_helpers_plant_switch_move_and_give_tokens(tmp_path):
    file = tmp_path / "seed.yaml"
    file.write_bytes(msgspec.yaml.encode(msgspec.to_builtins(SEED)))
    with LocalAzure(clock=VirtualClock(START, 0)) as azure:
        azure.plant(file)
        azure.switch(readiness=1.0)
        azure.advance(days=2, hours=1)
        assert azure.world.switches.readiness == 1.0
        assert azure.world.now() == START + timedelta(days=2, hours=1)
        headers = {"authorization": f"Bearer {azure.token(OWNER, ARM)}"}
        url = f"{azure.origin}/subscriptions/{PRODUCTION}?api-version=2022-12-01"
        assert requests.get(url, headers=headers, verify=str(azure.authority), timeout=5).status_code == 200
        with pytest.raises(AttributeError, match="there is no switch readines"):
            azure.switch(readines=1.0)
        with pytest.raises(LookupError):
            azure.token("nobody", ARM)


def test_one_that_was_never_started_can_be_stopped():
    LocalAzure().stop()


def test_state_in_a_folder_is_there_again(tmp_path):
    with LocalAzure(tmp_path, clock=VirtualClock(START, 0)) as azure:
        azure.plant(SEED)
        token = azure.token(OWNER, ARM)
        authority = azure.authority.read_bytes()
    with LocalAzure(tmp_path, clock=VirtualClock(START, 0)) as again:
        assert again.authority.read_bytes() == authority
        headers = {"authorization": f"Bearer {token}"}
        url = f"{again.origin}/subscriptions/{PRODUCTION}?api-version=2022-12-01"
        answer = requests.get(url, headers=headers, verify=str(again.authority), timeout=5)
        assert answer.status_code == 200, "tokens hold over a restart, for clients cache them"


# --- the seed ------------------------------------------------------------------------------------------------------


def planted(**parts: object) -> World:
    world = World(clock=VirtualClock(START, 0))
    seed.plant(world, SEED)
    seed.plant(world, msgspec.convert(parts, Seed))
    return world


def test_planting_twice_is_planting_once():
    world = World(clock=VirtualClock(START, 0))
    for _ in range(2):
        seed.plant(world, SEED)
        seed.plant(world, msgspec.convert({"models": [{"account": ACCOUNT, "model": TUNED}]}, Seed))
    assert (len(world.role_assignments), len(world.models), len(world.principals)) == (4, 1, 2)


def test_a_model_waits_for_its_account():
    world = planted(models=[{"account": ACCOUNT.upper().replace("/PROVIDERS/", "/providers/"), "model": TUNED}])
    assert [m.base for m in world.models.of(ids.key(ACCOUNT))] == ["gpt-4.1-mini-2025-04-14"]


def test_ids_may_be_written_in_any_case():
    who = "ABCDEFAB-0000-4000-8000-00000000ABCD"
    world = planted(
        principals=[{"id": who, "tenant": TENANT.upper()}],
        roles=[{"principal": who.lower(), "role": "reader", "scope": f"/subscriptions/{PRODUCTION}/"}],
    )
    found = roles.effective(world, who.lower(), f"/subscriptions/{PRODUCTION}", world.now())
    assert [r.name for r in found] == ["Reader"]


@pytest.mark.parametrize(
    ("parts", "why"),
    [
        ({"roles": [{"principal": OWNER, "role": "King", "scope": "/"}]}, "no role is called 'King'"),
        ({"roles": [{"principal": "nobody", "role": "Owner", "scope": "/"}]}, "there is no principal nobody"),
        ({"principals": [{"id": "a", "tenant": "nowhere"}]}, "there is no tenant nowhere"),
        ({"subscriptions": [{"id": "production", "tenant": TENANT}]}, "production is no GUID"),
        ({"models": [{"account": "oai", "model": TUNED}]}, "oai is no id of an account"),
        ({"models": [{"account": ACCOUNT, "model": "ftchkpt-" + "a" * 32}]}, "name it as `base`"),
        ({"models": [{"account": ACCOUNT, "model": "mine", "base": "gpt-4o-2024-08-06"}]}, "form of a tuned model"),
    ],
)
def test_a_bad_seed_says_what_is_wrong_and_plants_nothing(parts, why):
    world = World(clock=VirtualClock(START, 0))
    seed.plant(world, SEED)
    before = [len(t) for t in (world.tenants, world.principals, world.subscriptions, world.role_assignments)]
    good = {"tenants": [{"id": "aaaaaaaa-0000-4000-8000-0000000000ff"}]}
    with pytest.raises(BadSeed, match=why):
        seed.plant(world, msgspec.convert({**good, **parts}, Seed))
    assert before == [len(t) for t in (world.tenants, world.principals, world.subscriptions, world.role_assignments)]


# --- the tables ----------------------------------------------------------------------------------------------------


def test_every_refusal_of_the_table_is_sound():
    named = {k: v for k, v in vars(errors).items() if isinstance(v, errors.ErrorKind)}
    assert set(map(id, named.values())) == set(map(id, errors.table())), "each row has a name"
    for name, kind in named.items():
        assert 400 <= kind.status <= 503, name
        names = {field for _, field, _, _ in string.Formatter().parse(kind.text) if field}
        made = kind(**dict.fromkeys(names, "x"))
        assert made.message, name
        assert (kind.shape == "entra") == bool(kind.number), name


def test_the_texts_of_the_contract_are_word_for_word():
    texts = {kind.code: kind.text for kind in errors.table()}
    assert texts["InsufficientQuota"].startswith(
        "This operation require {asked} new capacity in quota {quota}, which is"
    )
    assert errors.SIBLING_BUSY.text == (
        "Another operation is being performed on the parent resource '{account}'. Please try again later."
    )
    assert errors.NO_DEPLOYMENT.text == (
        "The API deployment for this resource does not exist. If you created the deployment within the last 5 minutes, "
        "please wait a moment and try again."
    )


def test_the_catalogue_holds_together():
    found = catalogue.load()
    for model in found.models:
        assert set(model.standard) | set(model.data_zone) <= set(found.regions), model.name
        for region in found.regions:
            for sku in found.skus(model, region):
                assert found.sku_name(sku.name) == sku.name
                assert sku.tuned == sku.usage.endswith(catalogue.TUNED)
    assert found.region("Sweden Central") == found.region("SWEDENCENTRAL") == "swedencentral"
    assert found.base_of(TUNED).name == "gpt-4.1-mini"
    assert not catalogue.is_custom("gpt-4.1-mini")


def test_scopes_lead_from_a_resource_up_to_the_root():
    account = "/subscriptions/S/resourceGroups/G/providers/N/accounts/A"
    assert ids.scopes_above(f"{account}/deployments/d/providers/Microsoft.Authorization/roleAssignments/x")[1:] == [
        f"{account}/deployments/d".lower(),
        account.lower(),
        "/subscriptions/s/resourcegroups/g",
        "/subscriptions/s",
        "/",
    ]
    assert ids.scopes_above("/") == ["/"]


@pytest.mark.parametrize(
    "path",
    [
        "/subscriptions/{s}/resourceGroups/rg/providers/providers/Microsoft.Authorization/roleAssignments",
        "/subscriptions/{s}/foo/bar/providers/Microsoft.Authorization/roleAssignments",
    ],
)
def test_a_scope_that_cannot_be_is_no_place(cloud, path):
    cloud.group()
    assert cloud.get(path.format(s=PRODUCTION), version="2022-04-01").status == 404


def test_numbers_that_only_look_like_some_are_refused(cloud):
    assert cloud.get(f"/subscriptions/{PRODUCTION}/resourceGroups", _top="000000001" + "0" * 5000).status == 400
    key = {"x-local-azure-key": "control"}
    assert cloud.get("/.local-azure/log?most=-1", who=None, version=None, headers=key).status == 400


def test_a_switch_that_no_calendar_could_follow_is_refused_and_nothing_is_set(cloud):
    key = {"x-local-azure-key": "control"}
    ask = {"who": None, "version": None, "headers": key}
    assert cloud.put("/.local-azure/switches", {"idle_days": 1e7}, **ask).status == 400
    assert cloud.world.switches.idle_days == 15
