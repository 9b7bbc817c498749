"""The components as a source-based package, by the real engine."""

from __future__ import annotations

import json

from tests.desk import Desk


def test_the_schema_of_the_package_names_every_component_with_its_arguments(desk: Desk):
    said = desk.pulumi("package", "get-schema", "./components")
    schema, end = json.JSONDecoder().raw_decode(said)
    assert "error" not in said[end:]
    assert schema["name"] == "hearth"
    assert set(schema["resources"]) == {
        "hearth:index:FineTunedDeployment",
        "hearth:index:KeepAliveJob",
        "hearth:index:ModelAccess",
        "hearth:index:OpenAIAccount",
    }
    model = schema["types"]["hearth:index:TunedModelArgs"]
    assert set(model["required"]) == {"name", "sourceAccountId"}
    assert "owns the model" in model["properties"]["sourceAccountId"]["description"]
