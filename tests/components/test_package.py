"""The components as a package for other languages: what their schema promises."""

from __future__ import annotations

import pytest
from pulumi.provider.experimental.component import ComponentProvider

from components import FineTunedDeployment, KeepAliveJob, ModelAccess, OpenAIAccount

ALL = [OpenAIAccount, ModelAccess, FineTunedDeployment, KeepAliveJob]


@pytest.fixture(scope="module")
def definitions():
    return ComponentProvider(ALL, "hearth").analyzer.type_definitions


def test_every_argument_is_explained_because_other_languages_show_it_in_their_editors():
    provider = ComponentProvider(ALL, "hearth")
    bare = [
        f"{component}.{name}"
        for component, definition in provider._component_defs.items()
        for name, row in {**definition.inputs, **definition.outputs}.items()
        if not row.description
    ]
    assert not bare


def test_nested_arguments_become_types_of_the_package(definitions):
    assert {"GrantArgs", "TunedModelArgs", "AlarmsArgs", "RegistryArgs"} <= set(definitions)
