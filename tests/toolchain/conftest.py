"""A resource manager, a plugin that talks to it, and the real engine: new for each test."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.toolchain.azure_native import transport
from infra.toolchain.cli import find_or_build
from infra.toolchain.progress import silent
from tests.toolchain.arm import Arm, serving
from tests.toolchain.engine import Engine
from tests.toolchain.plugin import Plugin, login_of, running


@pytest.fixture
def arm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Arm]:
    """The resource manager; its CA is trusted in this test."""
    server = Arm()
    with serving(server, tmp_path) as bundle:
        monkeypatch.setenv("SSL_CERT_FILE", str(bundle))
        monkeypatch.delenv("SSL_CERT_DIR", raising=False)
        transport._tls.cache_clear()
        yield server
        transport._tls.cache_clear()


@pytest.fixture
def plugin(arm: Arm) -> Iterator[Plugin]:
    """A plugin, configured for that resource manager and logged in."""
    with running(login_of(arm)) as started:
        started.configure()
        yield started


@pytest.fixture(scope="session")
def pulumi() -> Path:
    """The CLI: the one that HEARTH_PULUMI names, else that of this machine, else one that is built now."""
    named = os.environ.get("HEARTH_PULUMI")
    return Path(named) if named else find_or_build(silent)


@pytest.fixture
def engine(pulumi: Path, tmp_path: Path) -> Engine:
    """A project with a stack and an empty program."""
    started = Engine(pulumi, tmp_path, {})
    started.write("import pulumi\n")
    started.run("stack", "init", "dev")
    return started


@pytest.fixture
def azure(pulumi: Path, tmp_path: Path, arm: Arm) -> Engine:
    """A project with a stack, whose provider talks to the resource manager `arm`."""
    started = Engine(pulumi, tmp_path, login_of(arm))
    started.run("stack", "init", "dev")
    return started
