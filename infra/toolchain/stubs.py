"""The gRPC stubs of the Pulumi protocol without the Pulumi SDK.

`import pulumi.runtime.proto.provider_pb2` runs `pulumi/__init__`, which pulls in the whole SDK: a fifth
of a second on a fast machine, for nothing a plugin needs. Bare packages of the same names, registered
first, let Python find the stub files and run nothing else.
"""

import importlib.machinery
import os
import sys
from types import ModuleType

_PACKAGES = ("pulumi", "pulumi.runtime", "pulumi.runtime.proto")


def without_sdk() -> None:
    """Make `pulumi.runtime.proto` importable on its own. Call it before the first stub is imported.

    For a process of its own only: whoever imports `pulumi` afterwards gets the bare package. Where the
    real SDK is loaded already (a test), nothing is changed.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # gRPC's C core writes to stderr, which people see
    if "pulumi" in sys.modules:
        return
    parent = None
    for name in _PACKAGES:
        spec = importlib.machinery.PathFinder.find_spec(name, parent)
        if spec is None or spec.submodule_search_locations is None:
            raise ModuleNotFoundError(f"no package {name}", name=name)
        bare = ModuleType(name)
        bare.__path__ = list(spec.submodule_search_locations)
        sys.modules[name] = bare
        parent = bare.__path__
