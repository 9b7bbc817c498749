"""What of Pulumi is installed: looked at, never made, fetched or changed."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from infra.toolchain import cli
from infra.toolchain.versions import AZURE_NATIVE, PULUMI

_PROVIDER, _HOST = "resource-azure-native", "language-python"
_MARK = b"infra.toolchain."
"""What tells a stand-in's one-line program from an official plugin, which is a binary."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A plugin: the one that the engine would take."""

    kind: Literal["official", "stand-in", "missing"]
    needed: str
    """The version that the engine asks for."""
    others: tuple[str, ...] = ()
    """Other versions that are there."""


def engine(env: Mapping[str, str] = os.environ) -> tuple[Path | None, str]:
    """The `pulumi` on PATH and its version; None without one, "" for one that does not tell."""
    command = shutil.which("pulumi", path=env.get("PATH", os.defpath))
    if command is None:
        return None, ""
    return Path(command), ".".join(map(str, cli.version_of(command, env)))


def new_enough(version: str) -> bool:
    """Whether a CLI of this version will do."""
    return cli.numbers(version) >= cli.numbers(PULUMI)


def provider(env: Mapping[str, str] = os.environ) -> Installed:
    """The azure-native plugin of the engine's home."""
    return _in_home(_PROVIDER, AZURE_NATIVE, env)


def language_host(engine_path: Path | None, env: Mapping[str, str] = os.environ) -> Installed:
    """The Python language host: the one beside the engine comes first, then that of its home, then PATH."""
    name = "pulumi-language-python"
    if engine_path is not None and os.access(engine_path.resolve().parent / name, os.X_OK):
        return Installed("official", PULUMI)
    found = _in_home(_HOST, PULUMI, env)
    ambient = env.get("PULUMI_IGNORE_AMBIENT_PLUGINS", "").lower() not in {"1", "true"}
    if found.kind == "missing" and ambient and shutil.which(name, path=env.get("PATH", os.defpath)):
        return Installed("official", PULUMI)
    return found


def is_fetched(env: Mapping[str, str] = os.environ) -> bool:
    """Whether the engine would fetch a missing plugin by itself."""
    return env.get("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "").lower() not in {"1", "true"}


def _in_home(plugin: str, version: str, env: Mapping[str, str]) -> Installed:
    folder = Path(env.get("PULUMI_HOME") or Path(env.get("HOME") or Path.home()) / ".pulumi") / "plugins"
    prefix = f"{plugin}-v"
    there = {p.name.removeprefix(prefix) for p in folder.glob(f"{prefix}*") if p.is_dir()}
    others = tuple(sorted(there - {version}))
    executable = folder / f"{prefix}{version}" / f"pulumi-{plugin}"
    # While a download is under way, the engine keeps a file beside the folder that says so.
    unfinished = executable.parent.with_name(f"{executable.parent.name}.partial")
    if not os.access(executable, os.X_OK) or unfinished.exists():
        return Installed("missing", version, others)
    with executable.open("rb") as file:
        return Installed("stand-in" if _MARK in file.read(4096) else "official", version, others)
