"""The stand-in plugin: `python -m infra.toolchain.azure_native <engine's process id> [flags] <its address>`."""

import sys
from importlib import import_module

from infra.toolchain import stubs
from infra.toolchain.watchdog import end_with_parent

_THREADS = 64  # each resource under way holds one, most of the time waiting for Azure


def main() -> None:
    """Serve until the engine says stop, or is gone."""
    end_with_parent(int(sys.argv[1]))
    stubs.without_sdk()
    from infra.toolchain.azure_native.provider import AzureNative  # noqa: PLC0415 -- the bare stubs come first
    from infra.toolchain.serving import serve  # noqa: PLC0415

    plugin = AzureNative()
    serve(
        plugin.register,
        threads=_THREADS,
        on_stop=plugin.stop,
        # HTTP and TLS take their time, and the engine needs some as well before it configures us.
        meanwhile=lambda: import_module("infra.toolchain.azure_native.session"),
    )


if __name__ == "__main__":
    main()
