"""Requests to Azure Resource Manager: authorized, repeated where that helps, followed to their end.

Statuses and headers are those of the ARM resource provider contract: a write is answered with 200, 201 or
202, and if it takes longer, Azure-AsyncOperation, Location or the resource's own provisioningState tell
when it is done. An answer that comes as an error is raised as ArmError.
"""

import email.utils
import json
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urljoin, urlsplit

from infra.toolchain.azure_native.cloud import Cloud, require_here
from infra.toolchain.azure_native.errors import ArmError, NotFinished, PluginError, Unreachable, arm_error
from infra.toolchain.azure_native.login import Tokens
from infra.toolchain.azure_native.patience import Patience
from infra.toolchain.azure_native.transport import Response, Transport
from infra.toolchain.versions import AZURE_NATIVE

RETRIES = 3
_RETRIED = {408, 429, 500, 502, 503, 504}
_LONGEST_RETRY_AFTER = 120.0  # seconds; more than that is an error, not a wait
_FIRST_BACKOFF = 0.5  # seconds, doubled each time
_FIRST_POLL, _POLL_SHARE, _SLOWEST_POLL = 0.1, 0.05, 5.0  # seconds; the share is of the time waited so far
_UNAUTHORIZED, _NOT_FOUND, _CONFLICT, _ACCEPTED, _NO_CONTENT, _OK = 401, 404, 409, 202, 204, 200
_FAILED = {"failed", "canceled"}
_USER_AGENT = f"pulumi-azure-native-stand-in/{AZURE_NATIVE}"


class ResourceManager:
    """The resource manager of one cloud, as seen by one login. Safe to use from any thread."""

    def __init__(self, cloud: Cloud, tokens: Tokens, transport: Transport) -> None:
        """Nothing is asked before the first request."""
        self._cloud = cloud
        self._tokens = tokens
        self._transport = transport

    def get(self, resource: str, api_version: str, patience: Patience) -> dict[str, Any]:
        """The resource with this id."""
        answer = self._send("GET", self._url(resource, api_version), None, patience)
        if answer.status != _OK:
            raise arm_error(answer.status, answer.body)
        return _object(answer)

    def exists(self, resource: str, api_version: str, patience: Patience) -> bool:
        """Whether there is one already. Some services answer 200 and nothing for what is not there."""
        answer = self._send("GET", self._url(resource, api_version), None, patience)
        if answer.status == _OK:
            return bool(_object(answer))
        if answer.status in {_NOT_FOUND, _NO_CONTENT}:
            return False
        raise arm_error(answer.status, answer.body)

    def put(
        self, resource: str, api_version: str, body: Mapping[str, Any], patience: Patience, *, long: bool
    ) -> dict[str, Any]:
        """Create or update; what Azure answered at once. Returns when it is done.

        `long` says that Azure declares this a long-running operation. Raises NotFinished for whatever goes
        wrong after Azure has accepted it.
        """
        url = self._url(resource, api_version)
        answer = self._send("PUT", url, body, patience)
        if answer.status not in {200, 201, 202}:
            raise arm_error(answer.status, answer.body)
        try:
            if long or answer.status == _ACCEPTED:
                self._follow(answer, url, api_version, patience)
            return _object(answer)
        except PluginError as error:
            raise NotFinished(str(error)) from error

    def delete(self, resource: str, api_version: str, patience: Patience, *, long: bool) -> None:
        """Delete, and wait until it is gone. What is not there is done already."""
        try:
            answer = self._send("DELETE", self._url(resource, api_version), None, patience)
            if answer.status not in {200, 202, 204}:
                raise arm_error(answer.status, answer.body)
            if long:
                self._follow(answer, None, api_version, patience)
        except ArmError as error:
            # Also while waiting: the record of a deletion may go with what it deletes.
            if error.status != _NOT_FOUND:
                raise

    def _follow(self, answer: Response, written: str | None, api_version: str, patience: Patience) -> None:
        """Wait for the end of what `answer` has begun, at the place that its headers name."""
        operation = answer.headers.get("azure-asyncoperation") or answer.headers.get("operation-location")
        location = answer.headers.get("location")
        if operation:
            self._poll(operation, answer, patience, _state_of_operation)
        elif location:
            location = _with_version(urljoin(f"{self._cloud.resource_manager}/", location), api_version)
            self._poll(location, answer, patience, _state_at_location)
        elif written:
            self._poll(written, answer, patience, _state_of_resource, first=answer)

    def _poll(
        self,
        url: str,
        answer: Response,
        patience: Patience,
        state_of: Callable[[Response], str],
        *,
        first: Response | None = None,
    ) -> None:
        """Ask until the state is a final one. `first` is looked at before asking, if it tells the state."""
        started = time.monotonic()
        while True:
            state = state_of(first).lower() if first else "inprogress"
            if first and state in _FAILED:
                raise arm_error(first.status, first.body)
            if state == "succeeded":
                return
            after = _retry_after(answer)
            waited = time.monotonic() - started
            patience.pause(min(max(_FIRST_POLL, waited * _POLL_SHARE), _SLOWEST_POLL) if after is None else after)
            first = answer = self._send("GET", url, None, patience)
            if answer.status not in {200, 201, 202, 204}:
                raise arm_error(answer.status, answer.body)

    def _send(self, method: str, url: str, body: Mapping[str, Any] | None, patience: Patience) -> Response:
        """One request, repeated when Azure asks for it, and once with a new token when it refuses ours."""
        require_here(url)  # a header of an answer may have named it
        content = None if body is None else json.dumps(body).encode()
        refused = False
        for attempt in range(RETRIES + 1):
            backoff = _FIRST_BACKOFF * 2**attempt
            try:
                answer = self._transport.send(method, url, self._headers(content), content)
            except Unreachable as error:
                if not error.transient or attempt == RETRIES:
                    raise
                patience.pause(backoff)
                continue
            if answer.status == _UNAUTHORIZED and not refused:
                refused = True
                self._tokens.forget()
                continue
            after = _retry_after(answer)
            if attempt == RETRIES or not _worth_repeating(answer) or (after or 0.0) > _LONGEST_RETRY_AFTER:
                break
            patience.pause(backoff if after is None else after)
        return answer

    def _headers(self, content: bytes | None) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": _USER_AGENT, **self._tokens.headers()}
        if content is not None:
            headers["Content-Type"] = "application/json; charset=utf-8"
        return headers

    def _url(self, resource: str, api_version: str) -> str:
        path = quote(resource, safe="/:@!$&'()*+,;=~-._")
        return f"{self._cloud.resource_manager}{path}?{urlencode({'api-version': api_version})}"


def _worth_repeating(answer: Response) -> bool:
    if answer.status == _CONFLICT:
        return arm_error(answer.status, answer.body).code == "AnotherOperationInProgress"
    return answer.status in _RETRIED


def _retry_after(answer: Response) -> float | None:
    """The seconds that Azure wants us to wait, in whichever of its forms; None when it does not say."""
    for header, unit in (("retry-after-ms", 0.001), ("x-ms-retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = answer.headers.get(header, "")
        if value.isdigit():
            return int(value) * unit
    date = email.utils.parsedate_tz(answer.headers.get("retry-after", ""))
    return max(email.utils.mktime_tz(date) - time.time(), 0.0) if date else None


def _state_of_operation(answer: Response) -> str:
    return str(_object(answer).get("status", "InProgress"))


def _state_at_location(answer: Response) -> str:
    return "InProgress" if answer.status == _ACCEPTED else "Succeeded"


def _state_of_resource(answer: Response) -> str:
    properties = _object(answer).get("properties")
    state = properties.get("provisioningState") if isinstance(properties, dict) else None
    return str(state or ("InProgress" if answer.status == _ACCEPTED else "Succeeded"))


def _with_version(url: str, api_version: str) -> str:
    query = urlsplit(url).query
    if "api-version=" in query:
        return url
    return f"{url}{'&' if query else '?'}{urlencode({'api-version': api_version})}"


def _object(answer: Response) -> dict[str, Any]:
    """The JSON object in an answer; {} for an empty one."""
    if not answer.body.strip():
        return {}
    try:
        content = json.loads(answer.body)
    except ValueError:
        raise arm_error(answer.status, answer.body) from None
    return content if isinstance(content, dict) else {}
