"""Create, read, update and delete one resource, in terms of a program's inputs and outputs."""

import re
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from infra.toolchain.azure_native.convert import API_VERSION, Converter
from infra.toolchain.azure_native.errors import AlreadyExists, ArmError, HalfDone, NotFinished, PluginError
from infra.toolchain.azure_native.merge import merge
from infra.toolchain.azure_native.patience import Patience
from infra.toolchain.azure_native.resource_manager import ResourceManager
from infra.toolchain.azure_native.table import Row, row_of
from infra.toolchain.azure_native.wire import UNKNOWN, Properties

_GROUPS_VERSION = "2020-10-01"
_NOT_FOUND = 404
_WHOLE_PATHS = {"scope", "resourceUri"}  # ids themselves, slashes and all


@dataclass(frozen=True)
class Found:
    """A resource as it is in Azure: its outputs, and the inputs that a program would need for it."""

    outputs: Properties
    inputs: Properties


@dataclass(frozen=True)
class Operations:
    """What can be done to resources with one login in one subscription. Safe to use from any thread."""

    manager: ResourceManager
    subscription: str
    location: str
    stop: threading.Event
    _group_locations: dict[str, str] = field(default_factory=dict)

    def location_of(self, inputs: Mapping[str, Any]) -> Any:
        """The location for inputs that name none: the configured one, else that of the resource group."""
        group = inputs.get("resourceGroupName")
        if self.location or group is None:
            return self.location or None
        if group is UNKNOWN:
            return UNKNOWN
        if group not in self._group_locations:
            path = f"/subscriptions/{self.subscription}/resourceGroups/{quote(str(group))}"
            try:
                found = self.manager.get(path, _GROUPS_VERSION, self._patience(0))
            except PluginError:
                return None  # then the missing location is what the user is told
            self._group_locations[group] = found["location"]
        return self._group_locations[group]

    def create(self, token: str, inputs: Mapping[str, Any], timeout: float) -> tuple[str, Properties]:
        """Make the resource; its id and outputs.

        Raises AlreadyExists when there is one, and HalfDone when Azure has it but could not finish.
        """
        row, version = row_of(token)
        resource = self._id_of(row, inputs)
        patience = self._patience(timeout)
        try:
            exists = self.manager.exists(resource, version, patience)
        except ArmError as error:
            raise PluginError(f"cannot check existence of resource '{resource}': {error}") from error
        if exists:
            raise AlreadyExists(f"cannot create already existing resource '{resource}'")
        return self._put(row, version, resource, inputs, patience)

    def update(self, token: str, inputs: Mapping[str, Any], timeout: float) -> Properties:
        """Put the new inputs on the resource; its outputs. Raises HalfDone as create does."""
        row, version = row_of(token)
        _, outputs = self._put(row, version, self._id_of(row, inputs), inputs, self._patience(timeout))
        return outputs

    def read(
        self, token: str, resource: str, state: Mapping[str, Any], inputs: Mapping[str, Any] | None
    ) -> Found | None:
        """The resource as it is now, or None when it is gone.

        With the `inputs` and the `state` (outputs) of before, changes made elsewhere are merged into the
        inputs. Without inputs, as for an import, they are worked out from the id and Azure's answer.
        """
        row, version = row_of(token)
        converter = _converter(row, version)
        try:
            answer = self.manager.get(resource, version, self._patience(0))
        except ArmError as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        outputs = {**converter.outputs(answer), API_VERSION: version}
        if inputs is None:
            return Found(outputs, converter.inputs(answer, _path_values(row, resource)))
        return Found(outputs, merge(inputs, converter.input_part(state), converter.input_part(outputs)))

    def delete(self, token: str, resource: str, timeout: float) -> None:
        """Delete the resource and wait until it is gone."""
        row, version = row_of(token)
        if row.kept_by_azure:
            raise PluginError(
                f"'{resource}' cannot be deleted here: the resource manager has no way to, and the stand-in plugin "
                "does not go to the vault itself. Give it `deleted_with` its vault, or `retain_on_delete`."
            )
        self.manager.delete(resource, version, self._patience(timeout), long=row.long_delete)

    def _put(
        self, row: Row, version: str, resource: str, inputs: Mapping[str, Any], patience: Patience
    ) -> tuple[str, Properties]:
        converter = _converter(row, version)
        body = converter.body(inputs)
        try:
            answer = self.manager.put(resource, version, body, patience, long=row.long_put)
        except NotFinished as error:
            raise self._half_done(converter, version, resource, error) from error
        resource = answer.get("id") or resource
        # What a later read will say, not what the write said: the two differ, and that would look like drift.
        # But a resource that cannot be read is still there, and must not be lost.
        with suppress(PluginError):
            answer = self.manager.get(resource, version, patience)
        return resource, {**converter.outputs(answer), API_VERSION: version}

    def _half_done(self, converter: Converter, version: str, resource: str, error: NotFinished) -> HalfDone:
        try:
            answer = self.manager.get(resource, version, self._patience(0))
        except PluginError as unreadable:
            return HalfDone(resource, {}, f"resource created but read failed {unreadable}: {error}")
        return HalfDone(resource, {**converter.outputs(answer), API_VERSION: version}, str(error))

    def _patience(self, timeout: float) -> Patience:
        return Patience(timeout, self.stop)

    def _id_of(self, row: Row, inputs: Mapping[str, Any]) -> str:
        path = row.path.replace("{subscriptionId}", self.subscription)
        for key in row.path_parameters:
            value = inputs[key]
            if not isinstance(value, str):
                raise PluginError(f"expected string value for path parameter '{key}', got {value!r}")
            path = path.replace(f"{{{key}}}", value.strip("/") if key in _WHOLE_PATHS else quote(value, safe=""))
        return path


def _converter(row: Row, version: str) -> Converter:
    return Converter(row, described=version == row.api_version)


def _path_values(row: Row, resource: str) -> dict[str, str]:
    """The path parameters in an id. Raises PluginError when the id is not one of this type.

    A scope comes out without its leading slash, as the official plugin has it: a program that adopts a role
    assignment must write it so too, or the scope differs.
    """
    pattern = re.sub(
        r"\\{(\w+)\\}",
        lambda found: f"(?P<{found[1]}>{'.+' if found[1] in _WHOLE_PATHS else '[^/]+'})",
        re.escape(row.path),
    )
    match = re.fullmatch(pattern, resource, re.IGNORECASE)
    if match is None:
        raise PluginError(f"'{resource}' is not the id of a {row.resource_type}, which looks like {row.path}")
    return {key: value for key, value in match.groupdict().items() if key != "subscriptionId"}
