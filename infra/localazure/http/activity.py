"""The activity log: what was written by whom, in the shape of Microsoft.Insights 2015-04-01."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import msgspec

from infra.localazure import errors, ids
from infra.localazure.entities import Activity, Json, Request
from infra.localazure.http import paging, wire
from infra.localazure.http.call import Answer, Call
from infra.localazure.world import ACTIVITIES_KEPT, Caller

_TERM = re.compile(r"\s*(?P<field>\w+)\s+(?P<how>eq|ge|le)\s+(?:'(?P<quoted>[^']*)'|(?P<bare>\S+))\s*", re.IGNORECASE)
_READS = {"GET", "HEAD"}
_STARTED, _ACCEPTED, _SUCCEEDED, _FAILED = "Started", "Accepted", "Succeeded", "Failed"


# --- taking note ---------------------------------------------------------------------------------------------------


def marked(call: Call, caller: Caller) -> Caller:
    """The caller with how it asked, where that is kept: reads are not."""
    if call.method in _READS:
        return caller
    given = call.headers.get("x-ms-correlation-request-id", "")
    request = Request(
        method=call.method,
        correlation=given if ids.GUID.fullmatch(given) else call.request_id,
        client_request=call.headers.get("x-ms-client-request-id", ""),
        address=call.peer,
    )
    return msgspec.structs.replace(caller, request=request)


@contextmanager
def told(call: Call, action: str) -> Iterator[None]:
    """Take note of a write that is refused meanwhile; what succeeds is noted by the rules themselves."""
    try:
        yield
    except errors.AzureError as error:
        if call.method not in _READS and ids.subscription_of(call.path):
            refusal = (error.status, error.code, error.message)
            call.world.record(action, call.path, call.caller, refusal=refusal)
        raise


# --- telling -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Event:
    """One entry as it is told: an operation's start, acceptance or end."""

    of: Activity
    status: str
    at: datetime

    @property
    def id(self) -> str:
        return ids.derived_guid(f"{self.of.id}/{self.status}")


def list_events(call: Call) -> Answer:
    """The entries that a $filter asks for, the newest first; $select takes fields away."""
    wanted = _filter(call)
    found = [e for a in call.world.activities.of(call.params["subscription"].lower()) for e in _events(a, call.now)]
    found = [event for event in reversed(found) if _fits(event, wanted)]
    found.sort(key=lambda event: event.at, reverse=True)
    fields = [name.strip().lower() for name in call.argument("$select").split(",") if name.strip()]

    def write(event: _Event) -> Json:
        told = _wire(event)
        return {k: v for k, v in told.items() if k.lower() in fields} if fields else told

    return paging.page(call, found, write, size=paging.CATALOGUE_PAGE)


def _events(activity: Activity, now: datetime) -> list[_Event]:
    """What is to tell of an operation by now."""
    end = _FAILED if activity.failed or activity.failed_code else _SUCCEEDED
    if activity.request is None:
        return [_Event(activity, end, activity.at)]
    events = [_Event(activity, _STARTED, activity.at)]
    if activity.ends_at is None:
        return [*events, _Event(activity, end, activity.at)]
    events.append(_Event(activity, _ACCEPTED, activity.at))
    if now >= activity.ends_at:
        events.append(_Event(activity, end, activity.ends_at))
    return events


@dataclass(frozen=True, slots=True)
class _Filter:
    """What a $filter asks for: a span of time, and fields that must be equal (names in lower case)."""

    since: datetime
    until: datetime
    equal: dict[str, str]


_FIELDS = {
    "resourcegroupname",
    "resourceuri",
    "resourceid",
    "resourceprovider",
    "resourcetype",
    "correlationid",
    "caller",
    "status",
    "operations",
    "channels",
    "eventchannels",
    "levels",
}


def _filter(call: Call) -> _Filter:
    """The $filter; the log takes terms joined by `and`, and a start no earlier than what it keeps."""
    given = call.argument("$filter")
    times: dict[str, datetime] = {}
    equal: dict[str, str] = {}
    for term in re.split(r"\s+and\s+", given.strip(), flags=re.IGNORECASE):
        match = _TERM.fullmatch(term)
        name, how = (match["field"].lower(), match["how"].lower()) if match else ("", "")
        value = (match["quoted"] if match["quoted"] is not None else match["bare"]) if match else ""
        if name == "eventtimestamp" and how in {"ge", "le"}:
            times[how] = _moment(value)
        elif name in _FIELDS and how == "eq":
            equal[name] = value
        else:
            raise errors.BAD_LOG_FILTER(filter=given)
    if "ge" not in times:
        raise errors.BAD_LOG_FILTER(filter=given)
    if times["ge"] < call.now - ACTIVITIES_KEPT:
        raise errors.LOG_TOO_OLD()
    return _Filter(times["ge"], times.get("le", call.now), equal)


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise errors.BAD_LOG_FILTER(filter=text) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _fits(event: _Event, wanted: _Filter) -> bool:
    if not wanted.since <= event.at <= wanted.until:
        return False
    of = event.of
    return all(_equal(event, of, name, value.lower()) for name, value in wanted.equal.items())


def _equal(event: _Event, of: Activity, name: str, value: str) -> bool:
    if name in {"resourceuri", "resourceid"}:
        return ids.key(of.resource) == ids.key(value)
    if name == "levels":
        return _level(event).lower() in [level.strip() for level in value.split(",")]
    if name in {"channels", "eventchannels"}:
        return bool({"admin", "operation"} & {channel.strip() for channel in value.split(",")})
    found = {
        "resourcegroupname": _group(of.resource),
        "resourceprovider": of.operation.split("/", 1)[0],
        "resourcetype": _type(of),
        "correlationid": of.correlation,
        "caller": of.caller,
        "status": event.status,
        "operations": of.operation,
    }[name]
    return found.lower() == value


def _wire(event: _Event) -> Json:
    of = event.of
    status, name = _outcome(event)
    begins = event.status == _STARTED
    subscription = ids.subscription_of(of.resource) or ""
    ticks = (event.at - datetime(1, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 10
    told: Json = {
        "authorization": {"action": of.operation, "scope": of.resource},
        "caller": of.caller,
        "channels": "Operation",
        "claims": of.claims,
        "correlationId": of.correlation,
        "description": "",
        "eventDataId": event.id,
        "eventName": _both("BeginRequest", "Begin request") if begins else _both("EndRequest", "End request"),
        "category": _both("Administrative"),
        "id": f"{of.resource}/events/{event.id}/ticks/{ticks}",
        "level": _level(event),
        "resourceGroupName": _group(of.resource),
        "resourceProviderName": _both(of.operation.split("/", 1)[0]),
        "resourceId": of.resource,
        "resourceType": _both(_type(of)),
        "operationId": of.correlation,
        "operationName": _both(of.operation),
        "properties": _properties(of, begins, name),
        "status": _both(event.status),
        "subStatus": _both("") if begins else _both(name, f"{HTTPStatus(status).phrase} (HTTP Status Code: {status})"),
        "eventTimestamp": wire.moment(event.at),
        "submissionTimestamp": wire.moment(event.at),
        "subscriptionId": subscription,
        "tenantId": of.tenant,
    }
    if of.request is not None:
        told["httpRequest"] = {
            "clientRequestId": of.request.client_request or of.request.correlation,
            "clientIpAddress": of.request.address,
            "method": of.request.method,
        }
    return told


def _both(value: str, told: str | None = None) -> Json:
    return {"value": value, "localizedValue": value if told is None else told}


def _level(event: _Event) -> str:
    return "Error" if event.status == _FAILED else "Informational"


def _outcome(event: _Event) -> tuple[int, str]:
    """Status and name of the answer that an entry stands for."""
    if event.status == _FAILED:
        status = event.of.failed or HTTPStatus.CONFLICT
    elif event.status == _ACCEPTED:
        status = HTTPStatus.ACCEPTED
    else:
        status = HTTPStatus.OK
    return int(status), HTTPStatus(status).phrase.replace(" ", "")


def _properties(of: Activity, begins: bool, name: str) -> dict[str, str]:
    found: dict[str, Any] = {"eventCategory": "Administrative", "entity": of.resource, "message": of.operation}
    if not begins:
        found["statusCode"] = name
    if not begins and of.failed_code:
        body = {"error": {"code": of.failed_code, "message": of.failed_message}}
        found["statusMessage"] = msgspec.json.encode(body).decode()
    return found


def _group(resource: str) -> str:
    parts = resource.strip("/").split("/")
    return parts[3] if len(parts) > 3 and parts[2].lower() == "resourcegroups" else ""


def _type(of: Activity) -> str:
    """The resource's type: what the action's name has before its verb."""
    name = of.operation.removesuffix("/action")
    return name.rsplit("/", 1)[0]
