"""Recorded answers of Azure, compared field by field with local Azure's to the same request."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fidelity import known, spec
from tests.localazure.cloud import PRODUCTION, Cloud

LOCATIONS = f"/subscriptions/{PRODUCTION}/providers/Microsoft.CognitiveServices/locations"
REGIONS = ("eastus2", "northcentralus", "swedencentral", "westeurope")
ANY = {"id", "etag", "internalId", "dateCreated", "principalId", "tenantId", "meterId", "createdBy", "createdAt"} | {
    "lastModifiedBy", "lastModifiedAt", "endpoint", "createdByType", "lastModifiedByType", "currentValue",
}  # fmt: skip
"""Fields whose values are another one's by nature; that they are there and of what type is compared all the same."""


def recorded(name: str) -> Any:
    spec.require()
    return json.loads((spec.FOLDER / "recorded" / f"{name}.json").read_text("utf-8"))


def identity(item: Any) -> str | None:
    """What tells an item of a list from its neighbours."""
    if not isinstance(item, dict):
        return None
    name = item.get("name") if not isinstance(item.get("name"), dict) else item["name"]["value"]
    parts = [item.get("kind"), name or item.get("key"), item.get("usageName"), item.get("skuName")]
    return " ".join(str(p) for p in parts if p) or None


def differences(theirs: Any, ours: Any, at: str = "") -> Iterator[str]:
    """Every place where ours has less than theirs, or says otherwise."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key, value in theirs.items():
            place = f"{at}.{key}" if at else key
            if key not in ours:
                yield place
            elif key in ANY:
                if type(value) is not type(ours[key]):
                    yield f"{place}: another type"
            else:
                yield from differences(value, ours[key], place)
    elif isinstance(theirs, list) and isinstance(ours, list):
        mine = {identity(item): item for item in ours}
        for item in theirs:
            name = identity(item)
            if name in mine and name is not None:
                yield from differences(item, mine[name], f"{at}[{name}]")
            elif item not in ours:
                yield f"{at}[{name}]"
    elif theirs != ours:
        yield f"{at}: {ours!r} instead of {theirs!r}"


def unknown(of: str, theirs: Any, ours: Any) -> list[str]:
    return [d for d in differences(theirs, ours) if not known.is_known_lack(of, d)]


def test_an_account_has_every_field_of_the_recorded_one(cloud: Cloud):
    theirs = recorded("account-aiservices")
    path = f"{cloud.group()}/providers/Microsoft.CognitiveServices/accounts/{theirs['name']}"
    properties = {n: theirs["properties"][n] for n in ("customSubDomainName", "allowProjectManagement")}
    asked = {
        "kind": theirs["kind"], "sku": theirs["sku"], "location": theirs["location"],
        "identity": {"type": theirs["identity"]["type"]}, "properties": properties,
    }  # fmt: skip
    assert cloud.put(path, asked).status == 201
    cloud.settle()
    assert unknown("account", theirs, cloud.get(path).body) == []


@pytest.mark.parametrize("region", REGIONS)
def test_a_locations_models_have_every_field_of_the_recorded_ones(cloud: Cloud, region: str):
    theirs = recorded(f"location-models-{region}")
    assert unknown("location-models", theirs, cloud.get(f"{LOCATIONS}/{region}/models").body) == []


def test_a_locations_usages_have_every_field_of_the_recorded_ones(cloud: Cloud):
    theirs = recorded("location-usages-canadacentral")
    assert unknown("location-usages", theirs, cloud.get(f"{LOCATIONS}/canadacentral/usages").body) == []


def test_a_lack_that_nobody_listed_is_noticed():
    assert list(differences({"a": 1, "b": [{"name": "x", "c": 2}]}, {"a": 2, "b": [{"name": "x"}]})) == [
        "a: 2 instead of 1",
        "b[x].c",
    ]
