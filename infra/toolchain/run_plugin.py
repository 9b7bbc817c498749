"""Run a Pulumi plugin written in Python: `python run_plugin.py <host's process id> <its folder> <arguments>`.

The same as `python <its folder> <arguments>`, but for one thing: it ends with the language host.
"""

import runpy
import sys
from pathlib import Path


def main() -> None:
    """Become the plugin."""
    watchdog = runpy.run_path(str(Path(__file__).with_name("watchdog.py")))
    watchdog["end_with_parent"](int(sys.argv[1]))
    sys.argv = sys.argv[2:]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main()
