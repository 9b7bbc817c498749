"""The resource provider protocol: the engine's calls, translated into operations and rules.

Requests and answers are those of provider.proto; the methods are named after its calls. Values of an error
go by status: UNKNOWN for whatever Azure said, as the official plugin has it.
"""

import os
import threading
from collections.abc import Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from google.protobuf import any_pb2, empty_pb2
from google.protobuf.message import Message
from pulumi.runtime.proto import plugin_pb2, provider_pb2_grpc, status_pb2
from pulumi.runtime.proto import provider_pb2 as proto

from infra.toolchain.azure_native.check import mistakes, with_defaults
from infra.toolchain.azure_native.convert import Converter
from infra.toolchain.azure_native.diff import Change, Diff, diff
from infra.toolchain.azure_native.errors import HalfDone, LoginFailed, Misconfigured, NotHere, PluginError, Unreachable
from infra.toolchain.azure_native.invoke import NoSuchFunction, invoke
from infra.toolchain.azure_native.table import UnknownType, row_of
from infra.toolchain.azure_native.wire import Properties, properties_of, struct_of
from infra.toolchain.serving import Context, Server, Status, refuse
from infra.toolchain.versions import AZURE_NATIVE

if TYPE_CHECKING:
    from infra.toolchain.azure_native.operations import Operations
    from infra.toolchain.azure_native.session import Session

_STABLE = ("name", "location")
"""Outputs that no update changes, so that a preview may go on using them."""

_KINDS = {
    (Change.ADD, False): proto.PropertyDiff.ADD,
    (Change.ADD, True): proto.PropertyDiff.ADD_REPLACE,
    (Change.DELETE, False): proto.PropertyDiff.DELETE,
    (Change.DELETE, True): proto.PropertyDiff.DELETE_REPLACE,
    (Change.UPDATE, False): proto.PropertyDiff.UPDATE,
    (Change.UPDATE, True): proto.PropertyDiff.UPDATE_REPLACE,
}
_STATUS = {
    NotHere: Status.FAILED_PRECONDITION,
    Misconfigured: Status.INVALID_ARGUMENT,
    LoginFailed: Status.UNAUTHENTICATED,
    Unreachable: Status.UNAVAILABLE,
    UnknownType: Status.UNIMPLEMENTED,
    NoSuchFunction: Status.UNIMPLEMENTED,
}
_NO_SCHEMA = "The stand-in azure-native plugin has no schema. Install the official plugin for code generation."

Method = TypeVar("Method", bound=Callable[..., Message])


def _answering_errors(method: Method) -> Method:
    """Turn an error of ours into the gRPC status that the engine shows to the user."""

    @wraps(method)
    def guarded(self: "AzureNative", request: Any, context: Context) -> Message:
        try:
            return method(self, request, context)
        except HalfDone as error:
            _abort_half_done(error, request, context)
        except (PluginError, UnknownType) as error:
            refuse(context, _STATUS.get(type(error), Status.UNKNOWN), str(error))

    return guarded  # type: ignore[return-value]


class AzureNative(provider_pb2_grpc.ResourceProviderServicer):
    """The stand-in plugin for one provider of a stack."""

    def __init__(self, env: Mapping[str, str] = os.environ) -> None:
        """`env` is where configuration is looked for that the stack does not hold."""
        self._env = env
        self._stop = threading.Event()
        self._open: Session | None = None

    def register(self, server: Server) -> None:
        """Put this service on a server."""
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(self, server)

    def stop(self) -> None:
        """Give up whatever waits for Azure. What Azure has accepted is reported as half done."""
        self._stop.set()
        if self._open is not None:
            self._open.transport.close()

    def Attach(self, request: plugin_pb2.PluginAttach, context: Context) -> empty_pb2.Empty:
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: empty_pb2.Empty, context: Context) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=AZURE_NATIVE)

    def GetMapping(self, request: proto.GetMappingRequest, context: Context) -> proto.GetMappingResponse:
        return proto.GetMappingResponse()

    def GetSchema(self, request: proto.GetSchemaRequest, context: Context) -> NoReturn:
        refuse(context, Status.UNIMPLEMENTED, _NO_SCHEMA)

    def CheckConfig(self, request: proto.CheckRequest, context: Context) -> proto.CheckResponse:
        return proto.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: proto.DiffRequest, context: Context) -> proto.DiffResponse:
        return proto.DiffResponse()

    @_answering_errors
    def Configure(self, request: proto.ConfigureRequest, context: Context) -> proto.ConfigureResponse:
        from infra.toolchain.azure_native.session import open_session  # noqa: PLC0415 -- see __main__

        self._open = open_session(request.variables, self._env, self._stop)
        return proto.ConfigureResponse(supportsPreview=True, supports_autonaming_configuration=True)

    @_answering_errors
    def Invoke(self, request: proto.InvokeRequest, context: Context) -> proto.InvokeResponse:
        session = self._session()
        response = proto.InvokeResponse()
        returned = getattr(response, "return")  # the field has the name of a keyword
        returned.CopyFrom(struct_of(invoke(request.tok, session.settings, session.tokens)))
        return response

    @_answering_errors
    def Check(self, request: proto.CheckRequest, context: Context) -> proto.CheckResponse:
        row, version = row_of(_type_of(request.urn))
        inputs = with_defaults(
            row,
            version,
            _name_of(request.urn),
            properties_of(request.olds),
            properties_of(request.news),
            seed=request.randomSeed,
            autonaming=request.autonaming if request.HasField("autonaming") else None,
            location_of=self._operations().location_of,
        )
        failures = [proto.CheckFailure(reason=text) for text in mistakes(row, inputs)]
        return proto.CheckResponse(inputs=struct_of(inputs), failures=failures)

    @_answering_errors
    def Diff(self, request: proto.DiffRequest, context: Context) -> proto.DiffResponse:
        row, _ = row_of(_type_of(request.urn))
        state = properties_of(request.olds)
        return _diff_response(diff(row, properties_of(request.old_inputs), properties_of(request.news), state))

    @_answering_errors
    def Create(self, request: proto.CreateRequest, context: Context) -> proto.CreateResponse:
        token, inputs = _type_of(request.urn), properties_of(request.properties)
        if request.preview:
            return proto.CreateResponse(properties=struct_of(_preview(token, inputs)))
        resource, outputs = self._operations().create(token, inputs, request.timeout)
        return proto.CreateResponse(id=resource, properties=struct_of(outputs))

    @_answering_errors
    def Read(self, request: proto.ReadRequest, context: Context) -> proto.ReadResponse:
        inputs = properties_of(request.inputs) if request.HasField("inputs") and request.inputs.fields else None
        found = self._operations().read(_type_of(request.urn), request.id, properties_of(request.properties), inputs)
        if found is None:
            return proto.ReadResponse(id="")
        return proto.ReadResponse(id=request.id, properties=struct_of(found.outputs), inputs=struct_of(found.inputs))

    @_answering_errors
    def Update(self, request: proto.UpdateRequest, context: Context) -> proto.UpdateResponse:
        token, inputs = _type_of(request.urn), properties_of(request.news)
        if request.preview:
            state = properties_of(request.olds)
            stable = {name: state[name] for name in _STABLE if name in state}
            return proto.UpdateResponse(properties=struct_of({**_preview(token, inputs), **stable}))
        return proto.UpdateResponse(properties=struct_of(self._operations().update(token, inputs, request.timeout)))

    @_answering_errors
    def Delete(self, request: proto.DeleteRequest, context: Context) -> empty_pb2.Empty:
        self._operations().delete(_type_of(request.urn), request.id, request.timeout)
        return empty_pb2.Empty()

    def Cancel(self, request: empty_pb2.Empty, context: Context) -> empty_pb2.Empty:
        self.stop()
        return empty_pb2.Empty()

    def _session(self) -> "Session":
        if self._open is None:
            raise Misconfigured("The provider has not been configured.")
        return self._open

    def _operations(self) -> "Operations":
        return self._session().operations


def _preview(token: str, inputs: Properties) -> Properties:
    row, _ = row_of(token)
    return Converter(row).preview(inputs)


def _type_of(urn: str) -> str:
    """The type in urn:pulumi:<stack>::<project>::<types of the parents>$<type>::<name>."""
    return urn.split("::", 3)[2].rpartition("$")[2]


def _name_of(urn: str) -> str:
    return urn.split("::", 3)[3]


def _diff_response(found: Diff) -> proto.DiffResponse:
    return proto.DiffResponse(
        changes=proto.DiffResponse.DIFF_SOME if found.changes else proto.DiffResponse.DIFF_NONE,
        diffs=sorted({change.top for change in found.changes}),
        replaces=found.replaces,
        deleteBeforeReplace=found.delete_first,
        detailedDiff={
            change.path: proto.PropertyDiff(kind=_KINDS[change.change, change.replaces], inputDiff=True)
            for change in found.changes
        },
        hasDetailedDiff=True,
    )


def _abort_half_done(error: HalfDone, request: proto.CreateRequest | proto.UpdateRequest, context: Context) -> NoReturn:
    """Say what Azure has, so that the engine can keep it in its state and mend it next time."""
    inputs = request.properties if isinstance(request, proto.CreateRequest) else request.news
    detail = any_pb2.Any()
    detail.Pack(
        proto.ErrorResourceInitFailed(
            id=error.resource, properties=struct_of(error.outputs), reasons=[str(error)], inputs=inputs
        )
    )
    code = Status.UNKNOWN
    status = status_pb2.Status(code=code.value[0], message=str(error), details=[detail])
    context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    refuse(context, code, str(error))
