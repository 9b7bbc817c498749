"""A local Azure on a port with a deployment, as for the tests of local Azure itself."""

from __future__ import annotations

from tests.localazure.conftest import azure, served

__all__ = ["azure", "served"]
