"""The command `hearth`: parse, call, render, exit code. Imports of what a command needs stand inside it: help is quick.

Exit codes: 0 done · 1 it ran and something is not as it should be · 2 the input is wrong · 3 Azure or the engine could
not be reached or refused · 130 interrupted.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line; a mistake of the user's is a sentence, not a traceback."""
    from infra.cli.app import app
    from infra.errors import HearthError
    from infra.ports import tokenfile

    try:
        with tokenfile.kept(os.environ, lambda text: print(f"warning: {text}", file=sys.stderr)):
            app(prog_name="hearth")
    except HearthError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
