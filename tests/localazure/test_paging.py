"""Lists come in pages: every item once, whatever changes between two of them."""

from __future__ import annotations

import pytest
import requests

from infra.localazure import ids
from infra.localazure.http.paging import PAGE
from tests.localazure.cloud import ARM, OWNER, PRODUCTION, VERSION, Cloud
from tests.localazure.test_clients import account, client

SUBSCRIPTION = f"/subscriptions/{PRODUCTION}"
COUNT = 2 * PAGE + 5


def pages(cloud: Cloud, path: str, **query: str) -> list[list[str]]:
    """The names on every page of a list."""
    found, answer = [], cloud.get(path, **query)
    while True:
        assert answer.status == 200, answer.body
        found.append([item["name"] for item in answer.body["value"]])
        link = answer.body.get("nextLink")
        if link is None:
            return found
        assert link.startswith(f"{cloud.world.origin}/"), "a nextLink is absolute"
        answer = cloud.get(link.removeprefix(cloud.world.origin), version=None)


def test_every_group_is_on_one_page_and_only_one(cloud):
    names = [f"rg-{number:03}" for number in range(COUNT)]
    for name in names:
        cloud.group(name)
    found = pages(cloud, f"{SUBSCRIPTION}/resourceGroups")
    assert [len(page) for page in found] == [PAGE, PAGE, 5]
    assert [name for page in found for name in page] == names
    assert [len(page) for page in pages(cloud, f"{SUBSCRIPTION}/resourceGroups", _top="30")] == [30, COUNT - 30]


def test_what_goes_between_two_pages_leaves_none_of_the_others_out(cloud):
    cloud.switch(group_delete=0.0)
    for number in range(PAGE + 5):
        cloud.group(f"rg-{number:03}")
    first = cloud.get(f"{SUBSCRIPTION}/resourceGroups").body
    cloud.ask("DELETE", ids.group_id(PRODUCTION, "rg-000"))
    rest = cloud.get(first["nextLink"].removeprefix(cloud.world.origin), version=None).body["value"]
    assert [g["name"] for g in rest] == [f"rg-{number:03}" for number in range(PAGE, PAGE + 5)]


def test_assignments_and_resources_come_in_pages_too(cloud):
    group = cloud.group()
    for number in range(PAGE + 1):
        cloud.grant("Reader", group)
        cloud.put(f"{group}/providers/Microsoft.App/jobs/job-{number:02}", {"location": "swedencentral"})
    at_scope = pages(cloud, f"{group}/providers/Microsoft.Authorization/roleAssignments", _filter="atScope()")
    assert [len(page) for page in at_scope] == [PAGE, 2], "the owner's at the subscription is the last"
    for path in (f"{group}/providers/Microsoft.App/jobs", f"{group}/resources", f"{SUBSCRIPTION}/resources"):
        assert [len(page) for page in pages(cloud, path)] == [PAGE, 1], path


@pytest.mark.parametrize("query", [{"_skipToken": "nonsense"}, {"_skipToken": "W10="}, {"_top": "0"}, {"_top": "many"}])
def test_a_token_or_a_number_that_is_none_is_refused(cloud, query):
    answer = cloud.get(f"{SUBSCRIPTION}/resourceGroups", **query)
    assert answer.status == 400
    assert answer.code in {"InvalidSkipToken", "InvalidTop"}


def test_azures_own_client_follows_the_pages_of_accounts(azure):
    from infra.localazure import bodies, groups
    from infra.localazure.world import Caller

    groups.put_group(azure.world, Caller("", azure.world.subscriptions.get(PRODUCTION).tenant), PRODUCTION, "rg",
                     bodies.Group(location="swedencentral"))  # fmt: skip
    names = [f"oai-{number:02}" for number in range(PAGE + 3)]
    with client(azure) as arm:
        for name in names:
            arm.accounts.begin_create("rg", name, account(name)).result()
        assert [a.name for a in arm.accounts.list()] == names
        assert [a.name for a in arm.accounts.list_by_resource_group("rg")] == names
        for name in names:
            arm.accounts.begin_delete("rg", name).result()
        assert [a.name for a in arm.deleted_accounts.list()] == names


def test_names_that_need_escaping_survive_the_link(azure):
    token = azure.token(OWNER, ARM)
    with requests.Session() as session:
        session.headers["authorization"] = f"Bearer {token}"
        base = f"{azure.origin}{SUBSCRIPTION}/resourceGroups"
        for number in range(PAGE + 1):
            made = session.put(
                f"{base}/gruppe-ä-{number:02}", params={"api-version": VERSION}, json={"location": "swedencentral"}
            )
            assert made.status_code == 201
        group = f"{base}/gruppe-ä-00/providers/Microsoft.App/jobs"
        for number in range(PAGE + 1):
            session.put(f"{group}/j{number}", params={"api-version": VERSION}, json={"location": "swedencentral"})
        first = session.get(group, params={"api-version": VERSION}).json()
        assert len(session.get(first["nextLink"]).json()["value"]) == 1
