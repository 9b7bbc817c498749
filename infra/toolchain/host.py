"""The stand-in language host: `pulumi-language-python`, which the engine starts once or twice a command.

This file is only the way in: `python -m infra.toolchain.host <engine's process id> [flags] <engine's address>`.
The first thing it does is to have a Python prepared for the program, which has the longest way to go.
"""

import sys
from pathlib import Path

from infra.toolchain import programs, stubs
from infra.toolchain.children import Children
from infra.toolchain.watchdog import end_with_parent


def main() -> None:
    """Serve the language runtime protocol until the engine says stop, or is gone."""
    engine, address = int(sys.argv[1]), sys.argv[-1]  # between the two the engine may have put flags
    children = Children()
    end_with_parent(engine, children.end_all)
    programs.prepare(Path(sys.executable), engine)
    stubs.without_sdk()
    from infra.toolchain.language import LanguageHost  # noqa: PLC0415 -- the bare stubs come first
    from infra.toolchain.serving import serve  # noqa: PLC0415 -- so does what gRPC reads from the environment

    host = LanguageHost(engine, address, children)
    serve(host.register, threads=8, on_stop=children.end_all)


if __name__ == "__main__":
    main()
