"""A local Azure on a port with a deployment, as for the tests of local Azure itself."""

from __future__ import annotations

import pytest

from infra.ports.cloud import Cloud
from tests.localazure.clients import Served
from tests.localazure.cloud import OWNER_APP, SECRET, TENANT
from tests.localazure.conftest import azure, served

__all__ = ["azure", "here", "served"]


@pytest.fixture
def here(served: Served, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    """The cloud that local Azure is, with the login of the owner."""
    environment = {
        "ARM_METADATA_HOSTNAME": served.azure.origin.removeprefix("https://"),
        "AZURE_AUTHORITY_HOST": served.azure.origin,
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": OWNER_APP,
        "AZURE_CLIENT_SECRET": SECRET,
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Cloud()
