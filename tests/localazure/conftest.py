"""Fixtures: the application alone (`cloud`), and a local Azure on a port for real clients (`azure`)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from infra.localazure import LocalAzure, VirtualClock
from tests.localazure.clients import Served, serve
from tests.localazure.cloud import SEED, START, Cloud


@pytest.fixture
def cloud() -> Cloud:
    """The application, planted, on a clock that stands still until it is moved."""
    return Cloud()


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAzure]:
    """A local Azure on a port with its clock frozen and everything done at once, trusted by real clients."""
    with LocalAzure(clock=VirtualClock(START, 0)) as started:
        started.plant(SEED)
        started.switch(account_create=0.0, deployment_create=0.0, deployment_update=0.0, readiness=0.0)
        started.switch(role_propagation=0.0, group_delete=0.0, registration=0.0, job_run=0.0)
        for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
            monkeypatch.setenv(name, str(started.authority))
        monkeypatch.setenv("NO_PROXY", "localhost")
        monkeypatch.delenv("SSL_CERT_DIR", raising=False)
        yield started


@pytest.fixture
def served(azure: LocalAzure) -> Served:
    """An account on the port with a tuned deployment `bot`, and its clients."""
    return serve(azure)
