"""A Pulumi home of our own, with the two stand-ins laid out as the plugins they stand for.

The engine asks, in this order: a plugin beside its own executable (so the official language host beside
an official CLI wins by itself), then the plugins of its home, of exactly the version that is asked for.
Neither Pulumi.yaml nor the program nor the user's own Pulumi home knows of any of this.
"""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path

from infra.toolchain.versions import AZURE_NATIVE, PULUMI

_PROVIDER = Path(f"plugins/resource-azure-native-v{AZURE_NATIVE}/pulumi-resource-azure-native")
_LANGUAGE_HOST = Path(f"plugins/language-python-v{PULUMI}/pulumi-language-python")


def prepare(home: Path, python: Path, *, env: Mapping[str, str] = os.environ) -> None:
    """Lay out `home`, so that its plugins run on the interpreter `python` (that of the venv).

    Where the user's own Pulumi home has the official azure-native of exactly our version, that one is
    put in place of the stand-in. Writes only what is not as it should be, and nothing half.
    """
    official = _official_provider(home, env)
    provider = shlex.quote(str(official)) if official else _stand_in("azure_native", python)
    _put_executable(home / _PROVIDER, provider)
    _put_executable(home / _LANGUAGE_HOST, _stand_in("host", python))


def _stand_in(module: str, python: Path) -> str:
    """-P keeps the project's folder off sys.path. The shell's parent is the engine, which a watchdog looks after."""
    return f"{shlex.quote(str(python))} -P -m infra.toolchain.{module} $PPID"


def environment(home: Path, state: Path) -> dict[str, str]:
    """The variables for a `pulumi` that uses `home` and keeps its stacks in the folder `state`.

    Creates that folder, which the engine wants to find. Nothing is downloaded, nobody is asked to log in.
    """
    state = state.absolute()
    state.mkdir(parents=True, exist_ok=True)
    return {
        "PULUMI_HOME": str(home.absolute()),
        # Without metadata: the backend rewrites its sidecar files in place, and a stack that reads its own outputs
        # while the engine saves (a StackReference to itself) then meets an empty one: "failed to load checkpoint: EOF".
        "PULUMI_BACKEND_URL": f"file://{state}?metadata=skip",
        "PULUMI_CONFIG_PASSPHRASE": "",  # counts as set
        "PULUMI_IGNORE_AMBIENT_PLUGINS": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_DISABLE_REGISTRY_RESOLVE": "true",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_LOG_ROTATION_MAX_TOTAL_MB": "20",  # the engine keeps a log of every run, by default up to 500 MB
        # Without the program there are no error hooks on destroy, and a busy sibling fails it.
        "PULUMI_OPTION_RUN_PROGRAM": "true",
    }


def _official_provider(home: Path, env: Mapping[str, str]) -> Path | None:
    """The official plugin in the user's own Pulumi home, if it is there and complete."""
    named = env.get("PULUMI_HOME")
    users = Path(named) if named and Path(named).absolute() != home.absolute() else Path.home() / ".pulumi"
    executable = users.absolute() / _PROVIDER
    # While a download is under way, the engine keeps a file beside the folder that says so.
    unfinished = executable.parent.with_name(f"{executable.parent.name}.partial")
    return executable if os.access(executable, os.X_OK) and not unfinished.exists() else None


def _put_executable(path: Path, command: str) -> None:
    """A one-line program that becomes `command`: same process, so its parent stays the engine."""
    text = f'#!/bin/sh\nexec {command} "$@"\n'
    if _holds(path, text):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}-{os.getpid()}")
    partial.write_text(text)
    partial.chmod(0o755)
    partial.replace(path)


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_text() == text and os.access(path, os.X_OK)
    except OSError:
        return False
