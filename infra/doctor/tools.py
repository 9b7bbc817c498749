"""Checks of this machine: the engine and its plugins. Whoever asks tells what is installed; nothing is started here."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from infra.doctor.examine import Found
from infra.doctor.findings import State


@dataclass(frozen=True, slots=True)
class Engine:
    """The `pulumi` on PATH; no path where there is none."""

    path: str | None
    version: str
    needed: str
    new_enough: bool


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin that the engine would take."""

    kind: Literal["official", "stand-in", "missing"]
    needed: str
    others: tuple[str, ...]
    fetched: bool
    """Whether the engine fetches a missing one by itself."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What is installed."""

    engine: Engine
    provider: Plugin
    host: Plugin


def engine(found: Engine) -> list[Found]:
    """The CLI: there, and new enough."""
    if found.path is None:
        move = (
            'Install it (https://www.pulumi.com/docs/install/); for local Azure: eval "$(.venv/bin/hearth local env)"'
        )
        return [(State.FAILS, "no `pulumi` is on PATH", move)]
    if not found.new_enough:
        said = f"is {found.version}" if found.version else "does not tell its version"
        return [(State.FAILS, f"{found.path} {said}; {found.needed} or newer is needed", "Put a newer one on PATH")]
    return [(State.OK, f"{found.version} ({found.path})")]


def provider(found: Plugin, environment: Mapping[str, str]) -> list[Found]:
    """The azure-native plugin: of the pinned version, and fit for the cloud that the environment names."""
    install = f"pulumi plugin install resource azure-native {found.needed}"
    if found.kind == "missing":
        return _missing(found, install)
    if found.kind == "stand-in" and not _stays_at_home(environment):
        fact = f"the stand-in for {found.needed} is installed, and it writes to a cloud on this machine only"
        return [(State.FAILS, fact, install)]
    return [(State.OK, f"{found.kind} {found.needed}")]


def host(found: Plugin) -> list[Found]:
    """The Python language host."""
    if found.kind == "missing":
        return _missing(found, "Install the official Pulumi CLI, which brings it along")
    return [(State.OK, f"{found.kind} {found.needed}" if found.kind == "stand-in" else found.kind)]


def plugin_login(environment: Mapping[str, str]) -> list[Found]:
    """The azure-native plugin logs in with ARM_ variables of its own: they should name whom AZURE_ names."""
    names = ("TENANT_ID", "CLIENT_ID", "CLIENT_SECRET")
    ours = {name: environment.get(f"AZURE_{name}", "") for name in names}
    its = {name: environment.get(f"ARM_{name}", "") for name in names}
    differs = [name for name in names if ours[name] != its[name]]
    if not differs:
        return [(State.OK, "the plugin logs in as the program does")]
    lines = "\n".join(f'export ARM_{name}="$AZURE_{name}"' for name in differs)
    fact = f"AZURE_{differs[0]} and ARM_{differs[0]} differ: the plugin logs in otherwise than the program"
    return [(State.WARNING, fact, lines if ours["CLIENT_ID"] else "Set both or neither")]


def certificates(environment: Mapping[str, str], shown: Callable[[Path], str]) -> list[Found]:
    """Python's libraries and the plugin read the bundle of trusted authorities from two variables."""
    ours, its = environment.get("REQUESTS_CA_BUNDLE", ""), environment.get("SSL_CERT_FILE", "")
    if ours == its:
        return [(State.OK, shown(Path(ours)) if ours else "the system's")]
    fact = (
        f"REQUESTS_CA_BUNDLE is {ours or 'not set'} and SSL_CERT_FILE {its or 'not set'}: the plugin reads the latter"
    )
    return [(State.WARNING, fact, "Set both to one bundle")]


def _missing(found: Plugin, install: str) -> list[Found]:
    others = f"; there is {', '.join(found.others)}" if found.others else ""
    fact = f"{found.needed} is not installed{others}"
    if found.fetched:
        return [(State.WARNING, f"{fact}; the engine fetches it when it first needs it", install)]
    return [(State.FAILS, fact, install)]


def _stays_at_home(environment: Mapping[str, str]) -> bool:
    """Whether the cloud is on this machine; without a metadata host it is public Azure."""
    named = environment.get("ARM_METADATA_HOSTNAME", "").rpartition("://")[2].split("/")[0]
    name = named.rpartition(":")[0] if named.count(":") == 1 else named.strip("[]").partition("]")[0]
    name = name or named
    try:
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
