"""Azure's activity log: who wrote or deleted what, and when. Reads only."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec

from infra.errors import Busy, LoginFailed, NotFound, Refused, Unreachable
from infra.ports.cloud import Cloud, brief

_API = "2015-04-01"
_TIMEOUT = (5, 30)
_TRIES, _LONGEST_WAIT = 3, 60.0
"""How often a page is asked for, and how many seconds are waited for it at most."""
MOST_PAGES = 500
"""Pages of an answer that are read; the token goes with each, and to no other host."""
_OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
_WRITES = {"microsoft.cognitiveservices/accounts/deployments/write"}
_DELETIONS = {
    "microsoft.cognitiveservices/accounts/deployments/delete",
    "microsoft.cognitiveservices/accounts/delete",
    "microsoft.resources/subscriptions/resourcegroups/delete",
}
_RESOURCES, _TAGS = "microsoft.resources", "/providers/microsoft.resources/tags/default"
_FIELDS = "caller,claims,eventTimestamp,httpRequest,operationName,resourceId,status"


@dataclass(frozen=True, slots=True)
class Entry:
    """A write or a deletion that succeeded."""

    at: datetime
    resource: str
    """Id in lower case."""
    deletion: bool
    caller: str
    """Who asked: a user name or an id; empty where the log does not say."""
    identity: str
    """Object id of who asked; empty for the service itself, and where the log does not say."""

    @property
    def by_service(self) -> bool:
        """Whether the service itself did it.

        What Azure writes there is not documented; an entry of a request bears an object id or an address, a user name
        or a GUID, and one of the service's own names it.
        """
        return not self.identity and self.caller.lower().startswith("microsoft.")


class ActivityLog:
    """Questions to the activity log of one cloud's subscriptions."""

    def __init__(self, cloud: Cloud, sleep: Callable[[float], None] = time.sleep) -> None:
        """Nothing is asked before the first question. `sleep` waits for seconds."""
        self._cloud, self._sleep = cloud, sleep

    def of_deployments(self, subscription: str, *, since: datetime, now: datetime) -> tuple[Entry, ...]:
        """What succeeded on deployments and their accounts, the newest first; the log reaches back 90 days.

        Raises Refused, Busy (throttled, or a server's error), Unreachable, LoginFailed.
        """
        return self._entries("Microsoft.CognitiveServices", subscription, since, now)

    def of_groups(self, subscription: str, *, since: datetime, now: datetime) -> tuple[Entry, ...]:
        """The resource groups of a subscription that were deleted, the newest first; raises as `of_deployments`.

        A question of its own: the log takes one provider's name, and a group's is another.
        """
        return self._entries("Microsoft.Resources", subscription, since, now)

    def of_resources(
        self, subscription: str, ids: Iterable[str], *, since: datetime, now: datetime
    ) -> dict[str, tuple[Entry, ...]]:
        """What was written or deleted of each resource, the newest first; by its id in lower case.

        Ids of any provider of one subscription; a question each provider, and one for tags, which have their own.
        Raises as `of_deployments`.
        """
        wanted = {one.lower() for one in ids}
        found: dict[str, list[Entry]] = {one: [] for one in wanted}
        for provider in sorted({provider_of(one) for one in wanted} | {_RESOURCES}):
            for entry in self._entries(provider, subscription, since, now, any_write=True):
                of = entry.resource.removesuffix(_TAGS)
                if of in wanted:
                    found[of].append(entry)
        return {one: tuple(sorted(entries, key=lambda e: e.at, reverse=True)) for one, entries in found.items()}

    def _entries(
        self, provider: str, subscription: str, since: datetime, now: datetime, *, any_write: bool = False
    ) -> tuple[Entry, ...]:
        start, end = (f"{moment:%Y-%m-%dT%H:%M:%SZ}" for moment in (since, now))
        wanted = f"eventTimestamp ge '{start}' and eventTimestamp le '{end}'"
        query = {"api-version": _API, "$filter": f"{wanted} and resourceProvider eq '{provider}'"}
        path = f"/subscriptions/{subscription}/providers/Microsoft.Insights/eventtypes/management/values"
        address = f"{self._cloud.endpoints.resource_manager}{path}"
        items = self._items(address, query | {"$select": _FIELDS})
        found = [entry for item in items if (entry := _entry(item, any_write=any_write))]
        return tuple(sorted(found, key=lambda entry: entry.at, reverse=True))

    def _items(self, address: str, query: dict[str, str]) -> Iterator[dict[str, Any]]:
        host = urlsplit(address)[:2]
        for _ in range(MOST_PAGES):
            page = self._had(address, query)
            yield from page.get("value") or []
            address, query = str(page.get("nextLink") or ""), {}
            if not address:
                return
            if urlsplit(address)[:2] != host:
                raise Refused(
                    f"the activity log: its next page is elsewhere ({urlsplit(address).netloc}); not followed"
                )
        raise Refused(f"the activity log has more than {MOST_PAGES} pages; the rest is not read")

    def _had(self, address: str, query: dict[str, str]) -> dict[str, Any]:
        """A page, asked for again where the answer says so: else a long answer would never be had whole."""
        for _ in range(_TRIES - 1):
            try:
                return self._page(address, query)
            except Busy as busy:
                if busy.retry_after > _LONGEST_WAIT:
                    raise
                self._sleep(busy.retry_after)
        return self._page(address, query)

    def _page(self, address: str, query: dict[str, str]) -> dict[str, Any]:
        import requests

        headers = {"Authorization": f"Bearer {self._cloud.token(self._cloud.endpoints.scope)}"}
        try:
            answer = self._cloud.session.get(address, params=query, headers=headers, timeout=_TIMEOUT)
        except requests.RequestException as error:
            raise Unreachable(f"Azure's activity log does not answer: {brief(error)}") from error
        try:
            body = msgspec.json.decode(answer.content)
        except msgspec.DecodeError:
            body = {}
        if answer.ok and isinstance(body, dict):
            return body
        error_of = body.get("error") or {} if isinstance(body, dict) else {}
        code, text = str(error_of.get("code", "")), str(error_of.get("message", f"HTTP {answer.status_code}"))
        raise _meaning(answer.status_code, code, f"the activity log: {text} ({code})", answer.headers)


def _meaning(status: int, code: str, text: str, headers: Any) -> Exception:
    if status == 429 or status >= 500:
        wait = headers.get("retry-after", "1")
        return Busy(text, retry_after=float(wait) if wait.isdigit() else 1.0, code=code)
    if status == 401:
        return LoginFailed(text)
    kind = NotFound if status == 404 else Refused
    return kind(text, code=code, status=status)


def provider_of(resource: str) -> str:
    """The resource provider that a resource is of; of a group or a subscription it is the resource manager itself."""
    below = resource.lower().rpartition("/providers/")[2] if "/providers/" in resource.lower() else ""
    return below.partition("/")[0] or _RESOURCES


def _entry(item: dict[str, Any], *, any_write: bool) -> Entry | None:
    """What the log says of a deployment or what holds it; None for anything else, and for what did not succeed."""
    operation = str((item.get("operationName") or {}).get("value", "")).lower()
    status = str((item.get("status") or {}).get("value", "")).lower()
    wanted = operation.endswith(("/write", "/delete")) if any_write else operation in _WRITES | _DELETIONS
    if not wanted or status != "succeeded":
        return None
    claims = item.get("claims") or {}
    at = msgspec.convert(item["eventTimestamp"], datetime)
    return Entry(
        at=at,
        resource=str(item.get("resourceId", "")).lower(),
        deletion=operation.endswith("/delete"),
        caller=str(item.get("caller") or ""),
        identity=str(claims.get(_OBJECT_ID) or ("request" if item.get("httpRequest") else "")),
    )
