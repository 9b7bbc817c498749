"""One request, as handlers see it, and the answer they give."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from infra.localazure import bodies
from infra.localazure.entities import Account, Json
from infra.localazure.faults import Target
from infra.localazure.traffic import Draft
from infra.localazure.world import Caller, World

if TYPE_CHECKING:
    from infra.localazure.http.app import App
    from infra.localazure.http.forms import Sent
    from infra.localazure.http.router import Route

T = TypeVar("T")
Plane = Literal["arm", "data", "blob", "metrics", "login", "control"]


@dataclass(slots=True)
class Call:
    """A request with what routing and authentication found out about it. Header names are in lower case."""

    app: App
    method: str
    path: str
    """As sent, percent-decoded segment by segment."""
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    peer: str
    sent: Sent | None = None
    """What was sent in a body that is too large for memory; then `body` is empty."""
    params: dict[str, str] = field(default_factory=dict)
    caller: Caller = field(default_factory=lambda: Caller(principal="", tenant=""))
    account: Account | None = None
    """The account that a call to the data plane is for."""
    api_version: str = ""
    request_id: str = ""
    plane: Plane = "login"
    route: Route | None = None
    """The row of the route table that answers; for the log."""
    target: Target | None = None
    """What faults see of the call; None while none stands."""
    faults: tuple[str, ...] = ()
    """Ids of the faults that struck it."""
    draft: Draft = field(default_factory=Draft)
    """What a call to the data plane comes to, as far as it is known."""
    notes: dict[str, str] = field(default_factory=dict)
    """Headers that the answer carries whatever it is."""

    def argument(self, name: str) -> str:
        """A query parameter, its name in any case; empty where it is not given."""
        found = self.query.get(name)
        return found if found is not None else next((v for k, v in self.query.items() if k.lower() == name.lower()), "")

    @property
    def world(self) -> World:
        """The state."""
        return self.app.world

    @property
    def now(self) -> datetime:
        """The virtual moment."""
        return self.app.world.now()

    def read(self, kind: type[T]) -> T:
        """The body as `kind`, or the refusal of a body of another shape."""
        return bodies.read(self.body, kind)

    def url(self, path: str) -> str:
        """An absolute address on this local Azure."""
        return f"{self.world.origin}{path}"


@dataclass(slots=True)
class Answer:
    """What a handler gives back. `body` None is an empty answer; `raw` one that is no JSON, `stream` one in pieces."""

    status: int = 200
    body: Json | list[Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json; charset=utf-8"
    stream: AsyncIterator[bytes] | None = None
    raw: bytes | None = None
