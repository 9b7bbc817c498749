"""What all tests share: every local Azure inside a test's own process is measured against Azure's descriptions."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from infra.localazure import server
from tests.fidelity import coverage, measured
from tests.localazure import cloud

server.App = measured.Measured  # type: ignore[misc]
cloud.App = measured.Measured  # type: ignore[misc]
_REACHED = coverage.Reached()
_PROOF = 45 * 60
"""Seconds that a proof may take; others have what pyproject.toml says."""


def pytest_configure() -> None:
    """Ctrl-C means something to what tests start, also where a shell in the background took that away from us."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Proofs may take long, but not for ever."""
    for item in items:
        if item.get_closest_marker("proof"):
            item.add_marker(pytest.mark.timeout(_PROOF))


@pytest.fixture(autouse=True)
def _measured() -> Iterator[None]:
    """A test fails when local Azure answered it otherwise than Azure's own descriptions say."""
    measured.FINDINGS.clear()
    measured.REQUESTS.clear()
    yield
    found = sorted({str(finding) for finding in measured.FINDINGS})
    measured.FINDINGS.clear()
    assert not found, "\n".join(found)


# A run of all tests fails where a route of local Azure was called by none of them. With several processes each tells
# at its end what it reached.


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A process of the run has ended."""
    _REACHED.add(getattr(node, "workeroutput", {}))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """The end of a process, or of the whole run."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput.update(coverage.output())
        return
    _REACHED.add(coverage.output())
    if _is_whole(session.config) and session.exitstatus == pytest.ExitCode.OK and _REACHED.missing():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """What a whole run did not reach."""
    if _is_whole(config) and (missing := _REACHED.missing()):
        terminalreporter.section("not reached", red=True)
        terminalreporter.write_line("\n".join(missing))


def _is_whole(config: pytest.Config) -> bool:
    """Whether the run is one of all tests but the long ones."""
    option = config.option
    return (
        config.args == config.getini("testpaths")
        and not option.keyword
        and option.markexpr == "not proof"
        and not option.collectonly
        and not getattr(option, "lf", False)
    )
