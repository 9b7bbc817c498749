"""How this local Azure behaves where Azure's own pace varies, or where what Azure does is not known.

Every switch can be set while it runs (`PUT /.local-azure/switches`). Seconds are virtual.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Span = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
"""A length of time, in the unit that the switch names; never negative."""


class Switches(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Settings with Azure's place in their description; the defaults make a quick and still honest Azure."""

    account_create: Span = 0.3
    """Seconds an account is Creating. Azure: some 30 s to minutes."""
    account_delete: Span = 0.0
    """Seconds an account is Deleting. Azure: at once in recorded traffic."""
    deployment_create: Span = 0.3
    """Seconds a fine-tuned deployment is Creating. Azure: minutes; base models are Succeeded at once."""
    deployment_update: Span = 0.1
    """Seconds a changed deployment is Accepted."""
    deployment_delete: Span = 0.0
    """Seconds a deployment is Deleting. Azure: at once in recorded traffic."""
    readiness: Span = 0.5
    """Seconds a Succeeded deployment still answers DeploymentNotFound. Azure: up to 5 minutes."""
    role_propagation: Span = 0.3
    """Seconds until a role assignment works. Azure: up to 10 minutes."""
    purge: Span = 0.0
    """Seconds a purge takes."""
    idle_days: Span = 15.0
    """A fine-tuned deployment this old without a successful call for as long is deleted."""
    developer_hours: Span = 24.0
    """A Developer-tier deployment is deleted this long after its creation."""
    soft_delete_hours: Span = 48.0
    """A deleted account can be restored this long."""
    model_change: Literal["in_place", "gap", "refuse"] = "in_place"
    """Not known: what a PUT with another model does to a custom deployment. in_place: it serves the old one until the
    new one is ready; gap: it serves nothing meanwhile; refuse: 400."""
    failed_calls_count: bool = False
    """Not known: whether a refused call (4xx) counts against the 15 days."""
    restore_brings_deployments: bool = True
    """Not known: whether deployments that an account had when it was deleted are back after its restore. They hold
    their quota until the purge either way."""
    retirement: bool = False
    """Whether retired base models refuse new deployments and stop answering."""
