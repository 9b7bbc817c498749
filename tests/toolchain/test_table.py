"""The table and the shapes agree with the SDK that the program uses."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

from infra.toolchain.azure_native.derive import derive
from infra.toolchain.azure_native.differences import DIFFERENT, LANGUAGE_HOST, SAME, page
from infra.toolchain.azure_native.shapes import FILE, shape_of
from infra.toolchain.azure_native.table import ROWS, Row, UnknownType, row_of
from infra.toolchain.versions import AZURE_NATIVE, PULUMI

every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.token)


def test_the_shapes_are_those_of_the_installed_sdk() -> None:
    assert FILE.read_text() == derive(), "run: python -m infra.toolchain.azure_native.derive"


def test_the_versions_are_those_of_the_installed_packages() -> None:
    from importlib.metadata import version

    assert version("pulumi") == PULUMI, "engine and SDK must be one version"
    assert version("pulumi-azure-native") == AZURE_NATIVE, "the engine takes a plugin of exactly this version"


@every_row
def test_the_api_version_is_the_one_that_the_sdk_says(row: Row) -> None:
    _, module, name = row.token.split(":")
    resource = getattr(importlib.import_module(f"pulumi_azure_native.{module}"), name)
    source = Path(inspect.getfile(resource)).read_text()

    (said,) = set(re.findall(r"Uses Azure REST API version ([\w-]+)\.", source))
    assert row.api_version == said


@every_row
def test_what_the_row_names_is_there(row: Row) -> None:
    shape = shape_of(row.token)

    assert {*row.path_parameters, *row.replaced_by, *row.names} <= shape.inputs.properties.keys()
    assert {*(row.top_level or ())} <= shape.outputs.properties.keys() | shape.inputs.properties.keys()
    assert row.needs_location <= ("location" in shape.inputs.properties)


@every_row
def test_a_flattened_type_has_no_properties_of_its_own(row: Row) -> None:
    is_flattened = "properties" not in shape_of(row.token).outputs.properties

    assert (row.top_level is not None) == is_flattened


def test_a_version_in_the_module_means_the_same_type() -> None:
    row, version = row_of("azure-native:cognitiveservices/v20231001preview:Account")

    assert row.token == "azure-native:cognitiveservices:Account"
    assert version == "2023-10-01-preview"


def test_an_unknown_type_is_said_with_those_that_are_known() -> None:
    with pytest.raises(UnknownType, match="it knows resources:ResourceGroup, cognitiveservices:Account"):
        row_of("azure-native:network:VirtualNetwork")


def test_the_page_tells_every_type_and_every_difference() -> None:
    written = page()

    for row in ROWS:
        assert f"`{row.token.removeprefix('azure-native:')}` | {row.api_version}" in written
    for sentence in (*SAME, *DIFFERENT, *LANGUAGE_HOST):
        assert sentence in written
