"""The data plane: one call to a deployment, and what its answer means."""

from __future__ import annotations

import email.utils
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from infra.errors import NotFound, Refused, Unreachable
from infra.ports.cloud import DATA_SCOPE, Cloud, brief

Message = dict[str, str]
_CUT_SHORT = "max_tokens or model output limit was reached"
"""What the service says when a model that reasons runs out of tokens before its answer (public reports, 2025)."""


class Outcome(Enum):
    """What an answer of the data plane says about a deployment."""

    ANSWERED = "answered"
    THROTTLED = "throttled"
    """429: the deployment itself is too busy, so it is there."""
    NOT_THERE = "not there"
    """404 DeploymentNotFound: unknown to the data plane, for a while after its creation too."""
    LOCKED = "paused"
    """423."""
    DENIED = "denied"
    """401 or 403: the caller or its network is not let in."""
    CUT_SHORT = "cut short"
    """400: it answered, and the tokens it was given were spent before it was done (models that reason)."""
    FILTERED = "filtered"
    """400 content_filter: it is there, and did not like the words."""
    REFUSED = "refused"
    """Any other refusal of the request."""
    BROKEN = "broken"
    """5xx or 408: a server's error, or one in between; also an answer that is no JSON."""
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to a call."""

    outcome: Outcome
    model: str = ""
    """The model that answered."""
    text: str = ""
    """What it said, or why not."""
    code: str = ""
    retry_after: float = 0.0
    """Seconds, for a throttled call."""
    seconds: float = 0.0
    """How long the call took."""
    at: datetime | None = None
    """When it was answered, by Azure's clock; None where it was not."""
    prompt_tokens: int = 0
    """What the question was counted as, for an answered call."""


class Inference:
    """Calls to deployments, with the login of a cloud."""

    def __init__(self, cloud: Cloud, api_version: str) -> None:
        """`api_version` is the data plane's, from the limits."""
        self._cloud, self._api_version = cloud, api_version

    def chat(self, endpoint: str, deployment: str, messages: Sequence[Message], *, most_tokens: int) -> Reply:
        """One chat completion, not retried. Never raises for what Azure answers; raises LoginFailed."""
        body = {"messages": list(messages), "max_completion_tokens": most_tokens}
        return self._call(endpoint, f"deployments/{deployment}/chat/completions", body)

    def complete(self, endpoint: str, deployment: str, prompt: str, *, most_tokens: int) -> Reply:
        """One completion, for base models that do not chat."""
        return self._call(
            endpoint, f"deployments/{deployment}/completions", {"prompt": prompt, "max_tokens": most_tokens}
        )

    def model(self, endpoint: str, model: str, *, tenant: str | None = None) -> dict[str, Any]:
        """A model as an account's data plane knows it, asked with a token of `tenant` where the account is elsewhere.

        Raises NotFound, Refused, Unreachable, LoginFailed.
        """
        response = self._send("GET", endpoint, f"models/{model}", None, tenant)
        if response.status_code == 404:
            raise NotFound(f"{endpoint} knows no model {model}", code="notFound", status=404)
        if not response.ok:
            code, text = _error(response)
            raise Refused(text, code=code, status=response.status_code)
        return _object(response, endpoint)

    def models(self, endpoint: str, *, tenant: str | None = None) -> list[str]:
        """The names of the models that an account can see."""
        response = self._send("GET", endpoint, "models", None, tenant)
        if not response.ok:
            code, text = _error(response)
            raise Refused(text, code=code, status=response.status_code)
        return [str(m["id"]) for m in _object(response, endpoint).get("data", [])]

    def _call(self, endpoint: str, path: str, body: dict[str, Any]) -> Reply:
        try:
            response = self._send("POST", endpoint, path, body)
        except Unreachable as error:
            return Reply(Outcome.UNREACHABLE, text=str(error))
        seconds, at = response.elapsed.total_seconds(), _date(response.headers)
        if response.ok:
            try:
                return _said(_object(response, endpoint), seconds, at)
            except Refused as error:
                return Reply(Outcome.BROKEN, text=str(error), at=at)
        code, text = _error(response)
        outcome = _outcome(response.status_code, code, text)
        return Reply(outcome, text=text, code=code, retry_after=_wait(response.headers), seconds=seconds, at=at)

    def _send(
        self, method: str, endpoint: str, path: str, body: dict[str, Any] | None, tenant: str | None = None
    ) -> Any:
        import requests

        address = f"{endpoint.rstrip('/')}/openai/{path}"
        headers = {"Authorization": f"Bearer {self._cloud.token(DATA_SCOPE, tenant=tenant)}"}
        try:
            return self._cloud.session.request(
                method,
                address,
                params={"api-version": self._api_version},
                json=body,
                headers=headers,
                timeout=(10, 120),
            )
        except requests.RequestException as error:
            raise Unreachable(f"{endpoint} does not answer: {brief(error)}") from error


def _said(answer: dict[str, Any], seconds: float, at: datetime | None) -> Reply:
    choice = (answer.get("choices") or [{}])[0]
    text = (choice.get("message") or {}).get("content") or choice.get("text") or ""
    spent = (answer.get("usage") or {}).get("prompt_tokens") or 0
    return Reply(
        Outcome.ANSWERED,
        model=str(answer.get("model", "")),
        text=str(text),
        seconds=seconds,
        at=at,
        prompt_tokens=int(spent),
    )


def _date(headers: Mapping[str, str]) -> datetime | None:
    try:
        return email.utils.parsedate_to_datetime(headers.get("date", ""))
    except ValueError:
        return None


def _object(response: Any, endpoint: str) -> dict[str, Any]:
    """The JSON object of an answer; a page of something in between is none."""
    try:
        found = response.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Refused(
            f"{endpoint} answers, but not as Azure does: is something in between?", status=response.status_code
        )
    return found


def _wait(headers: Mapping[str, str]) -> float:
    """Seconds that an answer asks to wait; a date, which Azure OpenAI does not send, counts as none."""
    try:
        return float(headers.get("retry-after-ms", 0)) / 1000 or float(headers.get("retry-after", 0))
    except ValueError:
        return 0.0


def _outcome(status: int, code: str, text: str) -> Outcome:
    if status == 400 and _CUT_SHORT in text:
        return Outcome.CUT_SHORT
    by_code = {"DeploymentNotFound": Outcome.NOT_THERE, "content_filter": Outcome.FILTERED}
    if code in by_code:
        return by_code[code]
    if status >= 500 or status == 408:
        return Outcome.BROKEN
    by_status = {401: Outcome.DENIED, 403: Outcome.DENIED, 423: Outcome.LOCKED, 429: Outcome.THROTTLED}
    return by_status.get(status, Outcome.REFUSED)


def _error(response: Any) -> tuple[str, str]:
    try:
        error = response.json().get("error", {})
        return str(error.get("code", "")), str(error.get("message", ""))
    except (AttributeError, ValueError):
        return "", f"HTTP {response.status_code}"
