"""A mock engine that records what is declared: (type, name, inputs)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pulumi
import pytest

GROUP = "azure-native:resources:ResourceGroup"
ACCOUNT = "azure-native:cognitiveservices:Account"
DEPLOYMENT = "azure-native:cognitiveservices:Deployment"
ASSIGNMENT = "azure-native:authorization:RoleAssignment"


@dataclass
class Recorded(pulumi.runtime.Mocks):
    """What the mock engine was told, and the outputs that the declaration was asked for."""

    resources: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        """Keep the resource; answer as Azure would, as far as the components look."""
        self.resources.append((args.typ, args.name, dict(args.inputs)))
        name = next((str(v) for k, v in args.inputs.items() if k in _NAMES), args.name)
        outputs = {**args.inputs, "name": name}
        if args.typ == ACCOUNT:
            given = args.inputs.get("properties", {})
            outputs["properties"] = {**given, "endpoint": "https://contoso.openai.azure.com/"}
            outputs.setdefault("location", "swedencentral")
        if args.typ.endswith(":UserAssignedIdentity"):
            # Azure answers with what the identity is to the directory.
            outputs |= {"principalId": f"oid-of-{args.name}", "clientId": f"client-of-{args.name}"}
        assigned = args.inputs.get("identity", {}).get("userAssignedIdentities")
        if assigned is not None:  # a list in a program, an object in Azure's answer
            outputs["identity"] = {"type": "UserAssigned", "userAssignedIdentities": {one: {} for one in assigned}}
        return args.resource_id or f"/id-of/{name}", outputs

    def call(self, _args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        """No function is called by a component."""
        raise AssertionError("components call no functions")

    def only(self, kind: str) -> dict[str, Any]:
        """The inputs of the one resource of a type."""
        (found,) = [inputs for typ, _, inputs in self.resources if typ == kind]
        return found

    def kinds(self) -> set[str]:
        """The types that were declared."""
        return {typ for typ, _, _ in self.resources}


_NAMES = {"deploymentName", "accountName", "roleAssignmentName"}

Declare = Callable[[], dict[str, pulumi.Output[Any]]]


@pytest.fixture
def engine() -> Callable[..., Recorded]:
    """Runs a declaration until every registration has landed, and gives what was recorded."""
    try:
        asyncio.get_event_loop()
    except RuntimeError:
        asyncio.set_event_loop_policy(None)  # an asyncio.run of another test left no loop, and Pulumi asks for one

    def run(declare: Declare, *, preview: bool = False) -> Recorded:
        recorded = Recorded()
        pulumi.runtime.set_mocks(recorded, project="hearth", stack="test", preview=preview)

        @pulumi.runtime.test
        def whole() -> pulumi.Output[None]:
            return pulumi.Output.all(**declare()).apply(recorded.outputs.update)

        whole()
        return recorded

    return run
