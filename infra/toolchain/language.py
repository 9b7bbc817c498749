"""The language runtime protocol for Python programs, as far as the engine's commands use it.

Requests and answers are those of language.proto; the methods are named after its calls.
"""

import os
import queue
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NoReturn

from google.protobuf import empty_pb2
from pulumi.runtime.proto import language_pb2 as proto
from pulumi.runtime.proto import language_pb2_grpc, plugin_pb2

from infra.toolchain import programs
from infra.toolchain.children import Children, Plugin
from infra.toolchain.interpreter import UnknownInterpreter, installed_packages, interpreter, python_version
from infra.toolchain.run_program import SAID
from infra.toolchain.serving import Context, Server, Status, refuse
from infra.toolchain.versions import PULUMI

_NO_CODE = "The stand-in language host generates no code. Install the official Pulumi CLI for that."


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """Runs Python programs and plugins for one engine."""

    def __init__(self, engine: int, address: str, children: Children) -> None:
        """`engine` is its process id, `address` where it listens, as host:port."""
        self._engine = engine
        self._address = address
        self._children = children

    def register(self, server: Server) -> None:
        """Put this service on a server."""
        language_pb2_grpc.add_LanguageRuntimeServicer_to_server(self, server)

    def Handshake(self, request: proto.LanguageHandshakeRequest, context: Context) -> proto.LanguageHandshakeResponse:
        self._address = request.engine_address
        return proto.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: empty_pb2.Empty, context: Context) -> plugin_pb2.PluginInfo:
        return plugin_pb2.PluginInfo(version=PULUMI)

    def GetRequiredPackages(
        self, request: proto.GetRequiredPackagesRequest, context: Context
    ) -> proto.GetRequiredPackagesResponse:
        # None: the SDK asks for its plugin itself, with the version, when the first resource needs it.
        return proto.GetRequiredPackagesResponse()

    def RuntimeOptionsPrompts(
        self, request: proto.RuntimeOptionsRequest, context: Context
    ) -> proto.RuntimeOptionsResponse:
        return proto.RuntimeOptionsResponse()

    def Run(self, request: proto.RunRequest, context: Context) -> proto.RunResponse:
        if request.attach_debugger:
            return proto.RunResponse(error="The stand-in language host cannot attach a debugger.")
        python = _interpreter_of(request.info, context)
        program = programs.take(python, self._engine, prepared=Path(sys.executable))
        code = self._children.run_program(
            program,
            {
                "monitor": request.monitor_address,
                "engine": self._address,
                "project": request.project,
                "stack": request.stack,
                "organization": request.organization,
                "root": request.info.root_directory,
                "dry_run": request.dryRun,
                "parallel": request.parallel,
                "config": dict(request.config),
                "secret_keys": list(request.configSecretKeys),
                "pwd": request.pwd,
                "program": os.path.join(request.info.program_directory, request.info.entry_point),
                "args": list(request.args),
            },
        )
        if code == SAID:
            return proto.RunResponse(bail=True)
        if code is None:
            return proto.RunResponse(error="Program exited unexpectedly: it was killed")
        return proto.RunResponse(error=f"Program exited with non-zero exit code: {code}" if code else "")

    def RunPlugin(self, request: proto.RunPluginRequest, context: Context) -> Iterator[proto.RunPluginResponse]:
        plugin = self._children.start_plugin(
            _interpreter_of(request.info, context),
            os.path.join(request.info.program_directory, request.info.entry_point),
            list(request.args),
            cwd=request.pwd,
            env=dict(variable.split("=", 1) for variable in request.env if "=" in variable),
        )
        # The engine ends a plugin by ending this call.
        context.add_callback(lambda: self._children.end_plugin(plugin))
        yield from _output_of(plugin)
        yield proto.RunPluginResponse(exitcode=plugin.wait())

    def InstallDependencies(
        self, request: proto.InstallDependenciesRequest, context: Context
    ) -> Iterator[proto.InstallDependenciesResponse]:
        python = _interpreter_of(request.info, context)
        yield proto.InstallDependenciesResponse(stdout=f"{python}: nothing to install, `make` has done it.\n".encode())

    def GetProgramDependencies(
        self, request: proto.GetProgramDependenciesRequest, context: Context
    ) -> proto.GetProgramDependenciesResponse:
        python = _interpreter_of(request.info, context)
        return proto.GetProgramDependenciesResponse(
            dependencies=[
                proto.DependencyInfo(name=name, version=version)
                for name, version in installed_packages(python, transitive=request.transitiveDependencies)
            ]
        )

    def About(self, request: proto.AboutRequest, context: Context) -> proto.AboutResponse:
        python = _interpreter_of(request.info, context)
        return proto.AboutResponse(
            executable=str(python), version=python_version(python), metadata={"language host": "stand-in"}
        )

    def Cancel(self, request: empty_pb2.Empty, context: Context) -> empty_pb2.Empty:
        self._children.end_all()
        return empty_pb2.Empty()

    def GenerateProgram(self, request: proto.GenerateProgramRequest, context: Context) -> NoReturn:
        refuse(context, Status.UNIMPLEMENTED, _NO_CODE)

    def GenerateProject(self, request: proto.GenerateProjectRequest, context: Context) -> NoReturn:
        refuse(context, Status.UNIMPLEMENTED, _NO_CODE)

    def GeneratePackage(self, request: proto.GeneratePackageRequest, context: Context) -> NoReturn:
        refuse(context, Status.UNIMPLEMENTED, _NO_CODE)


def _interpreter_of(info: proto.ProgramInfo, context: Context) -> Path:
    try:
        return interpreter(
            info.root_directory, {name: value.string_value for name, value in info.options.fields.items()}
        )
    except UnknownInterpreter as error:
        refuse(context, Status.FAILED_PRECONDITION, str(error))


def _output_of(plugin: Plugin) -> Iterator[proto.RunPluginResponse]:
    """What the plugin writes on stdout and stderr, as it comes, until it has closed both."""
    pieces: queue.SimpleQueue[proto.RunPluginResponse | None] = queue.SimpleQueue()

    def forward(pipe: IO[bytes], answer: Callable[[bytes], proto.RunPluginResponse]) -> None:
        for line in pipe:
            pieces.put(answer(line))
        pieces.put(None)

    pipes = (
        (plugin.stdout, lambda line: proto.RunPluginResponse(stdout=line)),
        (plugin.stderr, lambda line: proto.RunPluginResponse(stderr=line)),
    )
    for arguments in pipes:
        threading.Thread(target=forward, args=arguments, daemon=True).start()
    open_pipes = len(pipes)
    while open_pipes:
        piece = pieces.get()
        if piece is None:
            open_pipes -= 1
        else:
            yield piece
