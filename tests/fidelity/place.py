"""Where the clients' tests run: on a local Azure, or on real Azure when the environment names a subscription.

Real Azure: HEARTH_FIDELITY_SUBSCRIPTION, HEARTH_FIDELITY_RESOURCE_GROUP (which must exist; accounts of a random name
are made in it, deleted and purged), HEARTH_FIDELITY_REGION (default swedencentral), an ordinary login, and for tests
marked `costly` HEARTH_FIDELITY_COSTS=yes. It has not been run there.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from azure.core.credentials import TokenCredential
from azure.core.credentials_async import AsyncTokenCredential
from azure.identity import ClientSecretCredential, DefaultAzureCredential
from azure.identity import aio as identity_aio

from infra.localazure import LocalAzure, bodies, groups
from infra.localazure.world import Caller
from tests.fidelity import measured
from tests.localazure.cloud import OWNER_APP, PRODUCTION, SECRET, TENANT

ARM = "https://management.azure.com"
DATA_SCOPE = "https://cognitiveservices.azure.com/.default"


@dataclass(frozen=True)
class Place:
    """A cloud, a subscription and a resource group to work in."""

    arm: str
    """Address of the resource manager."""
    subscription: str
    group: str
    region: str
    real: bool
    polling: float
    """Seconds between two looks at a long-running operation."""
    trust: dict[str, object] = field(default_factory=dict)
    """What asynchronous clients are told of certificates: aiohttp reads the environment but once, when it is loaded."""
    account: str = field(default_factory=lambda: f"hearth-fidelity-{secrets.token_hex(4)}")
    """A name that nobody has."""

    @property
    def scope(self) -> str:
        """The id of the resource group."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.group}"

    def credential(self) -> TokenCredential:
        """Whoever is logged in; on a local Azure its owner."""
        if self.real:
            return DefaultAzureCredential()
        return ClientSecretCredential(TENANT, OWNER_APP, SECRET, authority=self.arm, disable_instance_discovery=True)

    def async_credential(self) -> AsyncTokenCredential:
        """The same for asynchronous clients."""
        if self.real:
            return identity_aio.DefaultAzureCredential()
        return identity_aio.ClientSecretCredential(
            TENANT, OWNER_APP, SECRET, authority=self.arm, disable_instance_discovery=True, **self.trust
        )

    def arguments(self) -> dict[str, object]:
        """What management clients are made with."""
        return {"base_url": self.arm, "credential_scopes": [f"{ARM}/.default"]}


def is_real() -> bool:
    """Whether the environment names a subscription of real Azure."""
    return "HEARTH_FIDELITY_SUBSCRIPTION" in os.environ


def real() -> Place:
    """The place that the environment names."""
    env = os.environ
    region = env.get("HEARTH_FIDELITY_REGION", "swedencentral")
    group = env["HEARTH_FIDELITY_RESOURCE_GROUP"]
    return Place(ARM, env["HEARTH_FIDELITY_SUBSCRIPTION"], group, region, real=True, polling=30)


@contextmanager
def local(azure: LocalAzure) -> Iterator[Place]:
    """A place on a local Azure; what clients send must be what the descriptions ask for."""
    with azure.world.lock:
        groups.put_group(azure.world, Caller("", TENANT), PRODUCTION, "rg", bodies.Group(location="swedencentral"))
    yield Place(
        azure.origin,
        PRODUCTION,
        "rg",
        "swedencentral",
        real=False,
        polling=0,
        trust={"connection_verify": str(azure.authority)},
    )
    found = sorted({str(finding) for finding in measured.REQUESTS})
    assert not found, found


def skip_what_costs(request: pytest.FixtureRequest) -> None:
    """Skip a test that costs something, unless it is told that it may."""
    if is_real() and request.node.get_closest_marker("costly") and os.environ.get("HEARTH_FIDELITY_COSTS") != "yes":
        pytest.skip("costs something on real Azure; HEARTH_FIDELITY_COSTS=yes allows it")
