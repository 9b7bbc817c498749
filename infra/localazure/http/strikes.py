"""Where faults meet requests: what a call is about, and what a client sees when one strikes.

Nothing here runs while no fault stands.
"""

from __future__ import annotations

from dataclasses import replace

import msgspec

from infra.localazure import blobs, deployments, errors, faults, generic, ids, inference
from infra.localazure.directory import DATA_AUDIENCES, bearer
from infra.localazure.entities import Deployment
from infra.localazure.faults import Fault, Target, When
from infra.localazure.http import arm, data_plane, entra, monitor, storage
from infra.localazure.http.call import Call

DELETED_ACCOUNT = "microsoft.cognitiveservices/locations/resourcegroups/deletedaccounts/delete"
_DEPLOYMENT_WRITES = {f"{ids.DEPLOYMENTS}/{verb}".lower() for verb in ("write", "delete")}


class Reset(Exception):
    """The connection is to be reset: nobody gets an answer."""


def aim(call: Call, segments: list[str]) -> Target:
    """What a call is about; as much of it as is there."""
    if call.plane == "arm":
        return _of_the_resource_manager(call, segments)
    if call.plane == "data":
        return _of_the_data_plane(call, segments)
    if call.plane == "metrics":
        about = "/" + "/".join(segments[1:3])
        return Target(call.path, call.method, monitor.READ, about, monitor.region_of(call, segments) or "")
    if call.plane == "blob":
        return _of_blobs(call, segments)
    return Target(call.path, call.method)


def delay(call: Call) -> float:
    """How many real seconds the call has to wait."""
    slow = _struck(call, "slow")
    return slow.seconds or 0.0 if slow is not None else 0.0


def arrive(call: Call) -> None:
    """Strike a call that nobody has looked at yet; raises AzureError or Reset."""
    if _struck(call, "reset-connection"):
        raise Reset
    down = _struck(call, "region-down") if _target(call).region else None
    if down is None and faults.METRICS.search(call.path):
        down = _struck(call, "metrics-down")
    if down is not None:
        raise errors.FAULT_503(_retry_after(down))
    busy = _struck(call, "throttle")
    if busy is not None:
        raise _throttled(call, busy)
    if _struck(call, "server-error"):
        raise _server_error(call)


def show_token(call: Call) -> None:
    """Strike a token that was found good; raises AzureError."""
    refused, expired = _struck(call, "token-refused"), _struck(call, "token-expired")
    if refused is None and expired is None:
        return
    if call.plane == "data":
        raise errors.BAD_DATA_TOKEN()
    if refused is not None:
        raise errors.BAD_TOKEN()
    now = f"{call.world.clock.real_now():%m/%d/%Y %I:%M:%S %p}"
    raise errors.EXPIRED_TOKEN(expiry=now, now=now)


def show_data_token(call: Call) -> None:
    """Strike a token for the data plane, if the call has one that is good; raises AzureError."""
    token = bearer(call.headers.get("authorization"))
    if token is None or "api-key" in call.headers:
        return
    try:
        call.app.directory.caller(token, DATA_AUDIENCES)
    except errors.AzureError:
        return  # it is refused for what it is
    show_token(call)


def give_token(call: Call) -> None:
    """Strike a login; raises AzureError."""
    if call.params.get("tenant") and call.method == "POST" and _struck(call, "token-refused"):
        raise errors.FAULT_SECRET(client=entra.client_of(call))


def work(call: Call) -> None:
    """Strike a call that is allowed, before its work is begun; raises AzureError."""
    target = _target(call)
    operation = target.operation.lower()
    if operation in _DEPLOYMENT_WRITES and _struck(call, "sibling-busy"):
        raise errors.SIBLING_BUSY(account=target.resource.rpartition("/deployments/")[0])
    if operation == DELETED_ACCOUNT and _struck(call, "purge-busy"):
        raise errors.PURGE_BUSY(account=target.resource)
    for deployment in _deployments(call):
        at = replace(target, resource=deployment.id)
        fault = faults.struck(call.world, "vanish", at)
        if fault is not None:
            call.faults += (fault.id,)
            deployments.vanish(call.world, deployment)
    if call.plane == "data" and _deployments(call) and _struck(call, "succeeded-but-not-serving"):
        raise errors.NO_DEPLOYMENT()


def answer(call: Call) -> None:
    """Strike a call whose work is done; raises AzureError or Reset."""
    if _struck(call, "reset-connection", "after"):
        raise Reset
    if _struck(call, "server-error", "after"):
        raise _server_error(call)


# --- what a call is about ------------------------------------------------------------------------------------------


def _of_the_resource_manager(call: Call, segments: list[str]) -> Target:
    operation = ""
    try:
        route, _ = arm.ROUTER.find(call.method, segments)
        operation = route.action or ""
    except errors.AzureError:
        if call.method in arm.GENERIC:
            operation = f"{_type(call)}/{arm.GENERIC[call.method][1]}"
    return Target(call.path, call.method, operation, call.path, _region(call, segments))


def _type(call: Call) -> str:
    try:
        return generic.type_of(call.path, call.api_version)
    except errors.AzureError:
        return ""


def _region(call: Call, segments: list[str]) -> str:
    """The region of the account that a path is at or below, of the location that it names, or of a new account."""
    names = [segment.lower() for segment in segments]
    if names[4:7] == ["providers", "microsoft.cognitiveservices", "accounts"] and len(names) > 7:
        account = call.world.accounts.get("/" + "/".join(names[:8]))
        return account.location if account is not None else _region_of_body(call)
    if "locations" in names[:-1]:
        return call.world.catalogue.region(names[names.index("locations") + 1]) or ""
    return ""


def _region_of_body(call: Call) -> str:
    location = _field(call.body, "location")
    return call.world.catalogue.region(location) or "" if location else ""


def _of_the_data_plane(call: Call, segments: list[str]) -> Target:
    try:
        account = data_plane._named(call, segments[0].lower())
        route, params = data_plane.ROUTER.find(call.method, segments)
    except errors.AzureError:
        return Target(call.path, call.method)
    named = params.get("deployment") or ("" if "fine_tuning" in call.path else _field(call.body, "model"))
    resource = f"{account.id}/deployments/{named}" if named else account.id
    return Target(call.path, call.method, inference.ACTION + (route.action or ""), resource, account.location)


def _of_blobs(call: Call, segments: list[str]) -> Target:
    try:
        account = blobs.storage(call.world, segments[0])
        route, _ = storage.ROUTER.find(call.method, storage.folded(segments))
    except errors.AzureError:
        return Target(call.path, call.method)
    region = call.world.catalogue.region(str(account.body.get("location", ""))) or ""
    return Target(call.path, call.method, route.action or "", account.id, region)


def _field(body: bytes, name: str) -> str:
    """A text of a JSON object, if it is one and has it."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return ""
    value = found.get(name) if isinstance(found, dict) else None
    return value if isinstance(value, str) else ""


def _deployments(call: Call) -> list[Deployment]:
    """The deployments that a call names, or lists."""
    target = _target(call)
    parts = ids.key(target.resource).split("/")
    if len(parts) < 10 or parts[9] != "deployments":
        return []
    if len(parts) == 10:
        return call.world.deployments.of("/".join(parts[:9]))
    found = call.world.deployments.get("/".join(parts[:11]))
    return [found] if found is not None else []


# --- what the client sees ------------------------------------------------------------------------------------------


def _target(call: Call) -> Target:
    if call.target is None:
        raise AssertionError("a call is aimed at before it is struck")
    return call.target


def _struck(call: Call, name: str, when: When = "before") -> Fault | None:
    fault = faults.struck(call.world, name, _target(call), when)
    if fault is not None:
        call.faults += (fault.id,)
    return fault


def _retry_after(fault: Fault) -> dict[str, str]:
    return {"retry-after": str(max(int(fault.seconds or 0), 0))}


def _throttled(call: Call, fault: Fault) -> errors.AzureError:
    target, seconds = _target(call), max(int(fault.seconds or 0), 0)
    headers = _retry_after(fault)
    if call.plane == "login":
        return errors.FAULT_429_LOGIN(headers)
    if call.plane == "data":
        headers["retry-after-ms"] = str(int((fault.seconds or 0) * 1000))
        operation = "ChatCompletions_Create" if target.operation.endswith("/chat/completions/action") else "API"
        return errors.RATE_LIMITED(
            headers, operation=operation, version=call.query.get("api-version", "v1"), what="call", seconds=seconds
        )
    where = (target.resource or call.path).strip("/").split("/")
    return errors.FAULT_429(
        headers,
        subscription=where[1] if len(where) > 1 else "",
        operation=f"{call.method}/{target.operation or call.path.strip('/')}".upper(),
        seconds=seconds,
    )


def _server_error(call: Call) -> errors.AzureError:
    if call.plane == "login":
        return errors.FAULT_500_LOGIN()
    if call.plane == "data":
        return errors.FAULT_500_DATA(request=call.request_id)
    return errors.FAULT_500(at=f"{call.now:%Y-%m-%dT%H:%M:%SZ}", request=call.request_id)
