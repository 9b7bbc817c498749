"""The watch list: what to tend, as data. A stack's tender makes it from the stack; the job is fed with it.

Written in camelCase JSON. `watch-list.json` beside this module is its schema, made from these types by `make docs`.
"""

from __future__ import annotations

import json
import re
import sys
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from infra.errors import Mistake, SpecError
from infra.spec import duration, limits
from infra.spec.model import Policy

SCHEMA = Path(__file__).with_name("watch-list.json")
_DURATION = Meta(pattern=f"^(?:{duration.PATTERN.pattern})$|^P", description="10d, 12h; or P10D as ISO 8601 writes it.")
Span = Annotated[str, _DURATION]
_ACCOUNT = re.compile(
    r"/subscriptions/[^/\s]+/resourceGroups/[^/\s]+/providers/Microsoft\.CognitiveServices/accounts/[^/\s]+",
    re.IGNORECASE,
)


class Listed(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True):
    """A mapping of the list."""


class Sku(Listed, frozen=True):
    """SKU and capacity."""

    name: str
    capacity: Annotated[int, Meta(ge=1)]


class Retire(Listed, frozen=True):
    """When to let go of a deployment that nobody uses, and how many a run may delete."""

    after: Span
    limit: Annotated[int, Meta(ge=1)] = 1


class KeepAlive(Listed, frozen=True):
    """What to do about the idle clock."""

    policy: Policy
    after: Span
    revive: bool
    retire: Retire | None = None


class Deployment(Listed, frozen=True):
    """A deployment as the stack last put it there."""

    name: str
    """Its name in the stack."""
    active: str
    """Its name in Azure."""
    model: str
    version: str
    sku: Sku
    keep_alive: KeepAlive
    standby: bool = False
    """Callers are led to another one of the same name: this one is kept for going back, or is on its way in."""
    source: str | None = None
    """Id of the account that owns the model, where it is another one."""
    source_tenant: str | None = None
    """Tenant of that account, where it is another one."""
    rai_policy: str | None = None
    version_upgrade_option: str | None = None
    tags: dict[str, str] = {}
    base: str | None = None
    """The base model, for its retirement; None where it is not known."""
    created: datetime | None = None

    @property
    def shown(self) -> str:
        """How people call it."""
        return f"{self.name} (standby)" if self.standby else self.name


class Account(Listed, frozen=True):
    """An account with the deployments to watch in it."""

    id: str
    location: str
    endpoint: str
    stack: str
    deployments: list[Deployment]


class Overrides(Listed, frozen=True):
    """What is known better than the dated limits."""

    idle_deletion: Span | None = None
    developer_lifetime: Span | None = None
    hosting: dict[str, float] = {}
    """Price an hour by SKU."""


class Notify(Listed, frozen=True):
    """Whom to tell."""

    webhook: str
    shape: Literal["generic", "slack", "teams"] = "generic"


class WatchList(Listed, frozen=True):
    """Everything that one tender watches."""

    version: Literal[1]
    accounts: list[Account]
    limits: Overrides = Overrides()
    notify: Notify | None = None


def read(path: Path) -> WatchList:
    """A watch list from its file; raises SpecError."""
    try:
        return decode(path.read_bytes())
    except OSError as error:
        text = f"cannot be read: {error.strerror or type(error).__name__}"
    except ValueError as error:
        text = f"is no watch list: {error}"
    raise SpecError([Mistake(str(path), 0, "", text)])


def decode(text: bytes) -> WatchList:
    """A watch list from its JSON; raises ValueError."""
    try:
        found = msgspec.json.decode(text, type=WatchList)
    except msgspec.MsgspecError as error:
        raise ValueError(str(error)) from error
    idle = _some(found.limits.idle_deletion, "limits/idleDeletion") or limits.load().idle_deletion.value
    _some(found.limits.developer_lifetime, "limits/developerLifetime")
    most = idle - limits.load().keep_alive_margin.value
    for account in found.accounts:
        account_id(account.id)
        for one in account.deployments:
            _check(one.keep_alive, most, f"{account.stack}/{one.name}")
    return found


def account_id(text: str) -> str:
    """The id of an account as it is given; raises ValueError for anything else."""
    if _ACCOUNT.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not the id of an Azure OpenAI account (/subscriptions/…/accounts/…)")
    return text


def _check(keep: KeepAlive, most: timedelta, where: str) -> None:
    after = _some(keep.after, f"{where}: after")
    if after is not None and after > most and keep.policy != "off":
        raise ValueError(
            f"{where}: after: {keep.after} is too close to the idle limit (metrics are late, a run may be missed): "
            f"at most {duration.show(most)}"
        )
    if keep.retire is not None:
        _some(keep.retire.after, f"{where}: retire/after")


def _some(text: str | None, where: str) -> timedelta | None:
    """A duration that is longer than nothing, where there is one; raises ValueError."""
    if text is None:
        return None
    found = span(text)
    if found <= timedelta():
        raise ValueError(f"{where}: {text} must be longer than nothing")
    return found


def encode(what: WatchList) -> str:
    """A watch list as JSON; what is as by default is left out."""
    return msgspec.json.encode(what, order="deterministic").decode()


@cache
def span(text: str) -> timedelta:
    """A duration of the list, in either way of writing; raises ValueError."""
    if text.startswith("P"):
        try:
            return msgspec.convert(text, timedelta)
        except msgspec.ValidationError as error:
            raise ValueError(f"{text}: {error}") from error
    return duration.parse(text)


def schema() -> dict[str, Any]:
    """The schema, from the types."""
    made = msgspec.json.schema(WatchList)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A watch list of hearth", **made}


def schema_text() -> str:
    """The file to commit."""
    return json.dumps(schema(), indent=1) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(schema_text(), "utf-8")
    sys.stdout.write(f"wrote {SCHEMA}\n")
