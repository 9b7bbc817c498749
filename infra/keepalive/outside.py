"""What tending asks of the outside world; the ports fit these shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from infra.errors import HearthError
from infra.ports.activity import Entry
from infra.ports.arm import AccountView, DeploymentBody, DeploymentView, Listing
from infra.ports.metrics import Readings
from infra.proofs.ready import Calls


class ResourceManager(Protocol):
    """What is asked of the resource manager: the port `Arm`."""

    def listing(self, account_id: str) -> Listing:
        """The deployments of an account and the moment."""

    def account(self, account_id: str, *, tenant: str | None = None) -> AccountView:
        """An account."""

    def deployment(self, account_id: str, deployment: str) -> DeploymentView:
        """One deployment."""

    def create_deployment(self, account_id: str, deployment: str, body: DeploymentBody, *, tenant: str | None) -> bool:
        """Make one that does not exist."""

    def delete_deployment(self, account_id: str, deployment: str) -> None:
        """Delete one."""


class DataPlane(Calls, Protocol):
    """What is asked of the data plane: the port `Inference`."""

    def model(self, endpoint: str, model: str, *, tenant: str | None = None) -> dict[str, object]:
        """A model as an account's data plane knows it."""


class MetricsPort(Protocol):
    """What is asked of Azure Monitor: the port `Metrics`."""

    def of_account(self, account_id: str, *, since: datetime, now: datetime) -> Readings:
        """One account's."""

    def of_region(
        self,
        subscription: str,
        location: str,
        account_ids: Sequence[str],
        *,
        since: datetime,
        now: datetime,
        tokens: bool = True,
    ) -> dict[str, Readings | HearthError]:
        """Those of accounts of one subscription and region."""


class Log(Protocol):
    """What is asked of the activity log: the port `ActivityLog`."""

    def of_deployments(self, subscription: str, *, since: datetime, now: datetime) -> tuple[Entry, ...]:
        """What succeeded on deployments and their accounts, the newest first."""

    def of_groups(self, subscription: str, *, since: datetime, now: datetime) -> tuple[Entry, ...]:
        """The resource groups that were deleted, the newest first."""


@dataclass(frozen=True, slots=True)
class Ports:
    """The outside world."""

    arm: ResourceManager
    inference: DataPlane
    metrics: MetricsPort
    log: Log
