"""The data plane: one call to a deployment, and what its answer means."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from infra.errors import NotFound, Refused, Unreachable
from infra.ports.cloud import DATA_SCOPE, Cloud, brief

Message = dict[str, str]


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
    FILTERED = "filtered"
    """400 content_filter: it is there, and did not like the words."""
    REFUSED = "refused"
    """Any other refusal of the request."""
    BROKEN = "broken"
    """5xx: a server's error."""
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


class Inference:
    """Calls to deployments, with the login of a cloud."""

    def __init__(self, cloud: Cloud, api_version: str) -> None:
        """`api_version` is the data plane's, from the limits."""
        self._cloud, self._api_version = cloud, api_version
        self._session: Any = None

    def chat(self, endpoint: str, deployment: str, messages: Sequence[Message], *, most_tokens: int) -> Reply:
        """One chat completion, not retried. Never raises for what Azure answers; raises LoginFailed."""
        body = {"messages": list(messages), "max_completion_tokens": most_tokens}
        return self._call(endpoint, f"deployments/{deployment}/chat/completions", body)

    def complete(self, endpoint: str, deployment: str, prompt: str, *, most_tokens: int) -> Reply:
        """One completion, for base models that do not chat."""
        return self._call(
            endpoint, f"deployments/{deployment}/completions", {"prompt": prompt, "max_tokens": most_tokens}
        )

    def model(self, endpoint: str, model: str) -> dict[str, Any]:
        """A model as an account's data plane knows it; raises NotFound, Refused, Unreachable, LoginFailed."""
        response = self._send("GET", endpoint, f"models/{model}", None)
        if response.status_code == 404:
            raise NotFound(f"{endpoint} knows no model {model}", code="notFound", status=404)
        if not response.ok:
            code, text = _error(response)
            raise Refused(text, code=code, status=response.status_code)
        found: dict[str, Any] = response.json()
        return found

    def models(self, endpoint: str) -> list[str]:
        """The names of the models that an account can see."""
        response = self._send("GET", endpoint, "models", None)
        if not response.ok:
            code, text = _error(response)
            raise Refused(text, code=code, status=response.status_code)
        return [str(m["id"]) for m in response.json().get("data", [])]

    def _call(self, endpoint: str, path: str, body: dict[str, Any]) -> Reply:
        try:
            response = self._send("POST", endpoint, path, body)
        except Unreachable as error:
            return Reply(Outcome.UNREACHABLE, text=str(error))
        seconds = response.elapsed.total_seconds()
        if response.ok:
            return _said(response.json(), seconds)
        code, text = _error(response)
        wait = float(response.headers.get("retry-after-ms", 0)) / 1000 or float(response.headers.get("retry-after", 0))
        return Reply(_outcome(response.status_code, code), text=text, code=code, retry_after=wait, seconds=seconds)

    def _send(self, method: str, endpoint: str, path: str, body: dict[str, Any] | None) -> Any:
        import requests

        if self._session is None:
            self._session = requests.Session()
        address = f"{endpoint.rstrip('/')}/openai/{path}"
        headers = {"Authorization": f"Bearer {self._cloud.token(DATA_SCOPE)}"}
        try:
            return self._session.request(
                method,
                address,
                params={"api-version": self._api_version},
                json=body,
                headers=headers,
                timeout=(10, 120),
            )
        except requests.RequestException as error:
            raise Unreachable(f"{endpoint} does not answer: {brief(error)}") from error


def _said(answer: dict[str, Any], seconds: float) -> Reply:
    choice = (answer.get("choices") or [{}])[0]
    text = (choice.get("message") or {}).get("content") or choice.get("text") or ""
    return Reply(Outcome.ANSWERED, model=str(answer.get("model", "")), text=str(text), seconds=seconds)


def _outcome(status: int, code: str) -> Outcome:
    by_code = {"DeploymentNotFound": Outcome.NOT_THERE, "content_filter": Outcome.FILTERED}
    if code in by_code:
        return by_code[code]
    if status >= 500:
        return Outcome.BROKEN
    by_status = {401: Outcome.DENIED, 403: Outcome.DENIED, 423: Outcome.LOCKED, 429: Outcome.THROTTLED}
    return by_status.get(status, Outcome.REFUSED)


def _error(response: Any) -> tuple[str, str]:
    try:
        error = response.json().get("error", {})
        return str(error.get("code", "")), str(error.get("message", ""))
    except (json.JSONDecodeError, AttributeError, ValueError):
        return "", f"HTTP {response.status_code}"
