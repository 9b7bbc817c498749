"""What a rollout asks of one `pulumi up`: HEARTH_ROLLOUT, the only thing that moves a model of a stack it names.

It says how every deployment that it moves is to stand after this run, so running it twice does nothing more. It goes
through the environment, never through `-c` or `config set`, which write the stack's file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

from infra.errors import Mistake, SpecError

VARIABLE = "HEARTH_ROLLOUT"


class Served(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A tuned model, by what Azure needs to serve it."""

    model: str
    version: str = "1"
    source: str | None = None
    """Id of the account that owns it; None: the deployment's own account."""
    tenant: str | None = None
    """Tenant of that account, where it is another one."""


class Placed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How one deployment of the stack's YAML is to stand."""

    active: str
    """The Azure name that callers are to use."""
    slots: dict[str, Served]
    """Every Azure deployment behind the name, and what it serves: the active one, and at most one beside it."""

    def __post_init__(self) -> None:
        """Refuse what names no model for the active one."""
        if self.active not in self.slots or len(self.slots) > 2:
            raise ValueError(f"slots must hold {self.active} and at most one more")


class Promotion(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One step of a rollout at one stack."""

    rollout: str
    """Its id, which goes into the outputs."""
    deployments: dict[str, Placed]
    """By the name in YAML. One that is not named stays as it is."""


def encode(promotion: Promotion) -> str:
    """The value of HEARTH_ROLLOUT."""
    return msgspec.json.encode(promotion).decode()


def read(environment: Mapping[str, str] = os.environ) -> Promotion | None:
    """The promotion that this run was given; None where it is a plain one. Raises SpecError."""
    text = environment.get(VARIABLE)
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=Promotion)
    except (msgspec.DecodeError, ValueError) as error:
        raise SpecError([Mistake(VARIABLE, 0, "", f"is not what `hearth rollout` writes: {error}")]) from None
