"""The plugin as the engine sees it: over gRPC, with values of the protocol as Python values."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
from pulumi.runtime.proto import provider_pb2 as proto
from pulumi.runtime.proto import provider_pb2_grpc, status_pb2

from infra.toolchain import serving
from infra.toolchain.azure_native.provider import AzureNative
from infra.toolchain.azure_native.wire import Properties, properties_of, struct_of
from tests.toolchain import arm

URN = "urn:pulumi:dev::project::hearth:index:Parent$azure-native:{}::{}"
ACCOUNT = "cognitiveservices:Account"
DEPLOYMENT = "cognitiveservices:Deployment"
GROUP = "resources:ResourceGroup"
ROLE = "authorization:RoleAssignment"


class Plugin:
    """One configured plugin. The type of a resource is given without `azure-native:`."""

    def __init__(self, stub: Any, service: AzureNative) -> None:
        self.stub = stub
        self.service = service

    def configure(self, variables: Mapping[str, str] = {}) -> Any:
        """Configure with these variables of `azure-native:`."""
        full = {f"azure-native:config:{key}": value for key, value in variables.items()}
        return self.stub.Configure(proto.ConfigureRequest(variables=full))

    def check(
        self, type_: str, news: Properties, olds: Properties | None = None, name: str = "it", **more: Any
    ) -> tuple[Properties, list[str]]:
        """Check; the inputs, and the texts of what is wrong with them."""
        answer = self.stub.Check(
            proto.CheckRequest(
                urn=URN.format(type_, name),
                news=struct_of(news),
                olds=struct_of(olds or {}),
                randomSeed=b"seed",
                **more,
            )
        )
        return properties_of(answer.inputs), [failure.reason for failure in answer.failures]

    def create(
        self, type_: str, inputs: Properties, *, preview: bool = False, timeout: float = 0
    ) -> tuple[str, Properties]:
        """Create; id and outputs."""
        answer = self.stub.Create(
            proto.CreateRequest(
                urn=URN.format(type_, "it"), properties=struct_of(inputs), preview=preview, timeout=timeout
            )
        )
        return answer.id, properties_of(answer.properties)

    def diff(self, type_: str, olds: Properties, news: Properties, state: Properties | None = None) -> Any:
        """Diff; the answer as it is."""
        return self.stub.Diff(
            proto.DiffRequest(
                urn=URN.format(type_, "it"),
                olds=struct_of(state or olds),
                old_inputs=struct_of(olds),
                news=struct_of(news),
            )
        )

    def read(
        self, type_: str, id_: str, state: Properties | None = None, inputs: Properties | None = None
    ) -> tuple[str, Properties, Properties]:
        """Read; id, outputs and inputs."""
        answer = self.stub.Read(
            proto.ReadRequest(
                urn=URN.format(type_, "it"),
                id=id_,
                properties=struct_of(state or {}),
                inputs=None if inputs is None else struct_of(inputs),
            )
        )
        return answer.id, properties_of(answer.properties), properties_of(answer.inputs)

    def update(self, type_: str, id_: str, olds: Properties, news: Properties, *, preview: bool = False) -> Properties:
        """Update; the outputs."""
        answer = self.stub.Update(
            proto.UpdateRequest(
                urn=URN.format(type_, "it"),
                id=id_,
                olds=struct_of(olds),
                old_inputs=struct_of(olds),
                news=struct_of(news),
                preview=preview,
            )
        )
        return properties_of(answer.properties)

    def delete(self, type_: str, id_: str) -> None:
        """Delete."""
        self.stub.Delete(proto.DeleteRequest(urn=URN.format(type_, "it"), id=id_))


@contextmanager
def running(env: Mapping[str, str]) -> Iterator[Plugin]:
    """A plugin that sees this environment, behind a real gRPC server and channel."""
    service = AzureNative(env)
    server, port = serving.start(service.register, threads=8)
    try:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield Plugin(provider_pb2_grpc.ResourceProviderStub(channel), service)
    finally:
        service.stop()
        server.stop(None).wait()


def login_of(server: arm.Arm) -> dict[str, str]:
    """The environment of somebody who may log in at this server."""
    return {
        "ARM_METADATA_HOSTNAME": server.address,
        "ARM_SUBSCRIPTION_ID": arm.SUBSCRIPTION,
        "ARM_TENANT_ID": arm.TENANT,
        "ARM_CLIENT_ID": arm.CLIENT,
        "ARM_CLIENT_SECRET": arm.SECRET,
    }


def text_of(error: grpc.RpcError) -> str:
    """What the user would read."""
    return str(error.details())


def half_done(error: grpc.RpcError) -> proto.ErrorResourceInitFailed:
    """The state that a failed call reports beside its error."""
    metadata = dict(error.trailing_metadata())
    status = status_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    detail = proto.ErrorResourceInitFailed()
    assert status.details[0].Unpack(detail), "the engine looks for exactly this message"
    return detail
