"""The engine's document of a preview as values: what counts, what is left out, what is called what."""

from __future__ import annotations

from typing import Any

import pytest

from infra.ports import foresee
from infra.ports.foresee import Field

DEPLOYMENT = "azure-native:cognitiveservices:Deployment"


def step(op: str, name: str = "bot", **more: Any) -> dict[str, Any]:
    """A step of the document; `old` and `new` are inputs, `diff` what the engine says of them."""
    urn = f"urn:pulumi:prod::hearth::hearth:index:Account${DEPLOYMENT}::{name}"
    state = {"custom": more.pop("custom", True), "id": "/x", "protect": more.pop("protect", False)}
    outputs = more.pop("outputs", {})
    old = {"oldState": {**state, "inputs": more["old"], "outputs": outputs}} if "old" in more else {}
    new = {"newState": {**state, "inputs": more["new"], "outputs": {}}} if "new" in more else {}
    return {"op": op, "urn": urn, "detailedDiff": more.get("diff"), **old, **new}


def read(*steps: dict[str, Any], **more: Any) -> foresee.Foreseen:
    return foresee.read({"steps": list(steps), **more})


def test_what_changes_nothing_and_what_only_groups_is_no_step() -> None:
    found = read(step("same", old={}, new={}), step("read", new={}), step("create", custom=False, new={}))
    assert found.steps == ()


def test_a_step_tells_its_name_its_own_type_and_each_field_that_differs() -> None:
    diff = {"sku.capacity": {"kind": "update", "inputDiff": True}}
    [found] = read(step("update", old={"sku": {"capacity": 1}}, new={"sku": {"capacity": 2}}, diff=diff)).steps
    assert (found.op, found.name, found.type, found.protected) == ("update", "bot", DEPLOYMENT, False)
    assert found.fields == (Field("sku.capacity", 1, 2, replaces=False, wished=True),)


def test_a_property_that_nobody_wrote_is_azures_own_though_the_engine_calls_it_an_input() -> None:
    diff = {"properties.state": {"kind": "update", "inputDiff": True}}
    [found] = read(step("update", old={}, new={}, diff=diff, outputs={"properties": {"state": "x"}})).steps
    assert found.fields == (Field("properties.state", "x", None, replaces=False, wished=False),)


def test_a_replacement_is_one_step_with_both_states_whatever_the_order_it_is_told_in() -> None:
    diff = {"model": {"kind": "update-replace", "inputDiff": True}}
    parts = [
        step("delete-replaced", old={"model": "a"}),
        step("replace", old={"model": "a"}, new={"model": "b"}, diff=diff),
        step("create-replacement", old={"model": "a"}, new={"model": "b"}, diff=diff),
    ]
    for order in (parts, parts[::-1]):
        [found] = read(*order).steps
        assert (found.op, found.fields) == ("replace", (Field("model", "a", "b", replaces=True, wished=True),))


def test_what_only_azure_will_tell_is_said_in_words() -> None:
    unknown = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    diff = {"value": {"kind": "update", "inputDiff": True}}
    [found] = read(step("update", old={"value": "1"}, new={"value": unknown}, diff=diff)).steps
    assert found.fields[0].after == "known after apply"


def test_outputs_of_the_last_run_and_warnings_are_kept() -> None:
    stack = {
        "op": "same", "urn": "urn:pulumi:prod::hearth::pulumi:pulumi:Stack::hearth-prod",
        "oldState": {"outputs": {"account": {"name": "a"}}, "custom": False},
    }  # fmt: skip
    said = [{"severity": "warning", "message": "warning: stays\n at X"}, {"severity": "info", "message": "no"}]
    found = read(stack, diagnostics=said)
    assert (found.before, found.warnings) == ({"account": {"name": "a"}}, ("stays at X",))


@pytest.mark.parametrize(
    ("path", "keys"),
    [
        ("sku.capacity", ["sku", "capacity"]),
        ("rules[0].name", ["rules", 0, "name"]),
        ('tags["a.b"]', ["tags", "a.b"]),
        ('tags["a.b"].c[2]', ["tags", "a.b", "c", 2]),
        ("", []),
    ],
)
def test_paths_of_the_engine(path: str, keys: list[str | int]) -> None:
    assert foresee.keys(path) == keys


def test_a_path_that_leads_nowhere_is_nothing() -> None:
    assert foresee.at({"rules": [1]}, "rules[3].name") is None
    assert foresee.at({"rules": "text"}, "rules.name") is None
