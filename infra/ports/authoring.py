"""Calls of the data plane about files and fine-tuning jobs: one account, refusals as our errors, what may be retried.

Of the v1 paths (`{endpoint}/openai/v1/…`, no api-version), which alone have pause and resume. What makes something is
sent once: an answer that does not come leaves open whether it was made, and who asked must look before asking again.
"""

from __future__ import annotations

import email.utils
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from infra.errors import Busy, LoginFailed, NotFound, Refused, Unreachable
from infra.ports.cloud import DATA_SCOPE, LONGEST_WAIT, Cloud, brief

if TYPE_CHECKING:
    import requests

T = TypeVar("T")
WAITS = (0.5, 2.0, 8.0)
"""Seconds before a question is asked again that got no answer, or a broken one."""
TIMEOUT = (10, 600)
"""Seconds for a connection and between two pieces of an answer: a form of many megabytes is answered when it is in."""
PAGE = 100
"""Most items of a page (openai 3.54 names no limit; the description 100)."""
_CHUNK = 1 << 20


class Authoring:
    """Calls to one account's data plane."""

    def __init__(self, cloud: Cloud, endpoint: str, *, tenant: str | None = None) -> None:
        """`tenant` is the account's, where it is another one than the login's own."""
        self._cloud, self.endpoint, self._tenant = cloud, endpoint.rstrip("/"), tenant
        self.at: datetime | None = None
        """When the last answer came, by Azure's clock."""

    def get(self, path: str, kind: type[T], **query: Any) -> T:
        """What a GET answers; asked again where the answer is broken.

        Raises NotFound, Refused, Busy, Unreachable, LoginFailed.
        """
        return self._read(self._patiently("GET", path, params=query), kind, path)

    def post(self, path: str, kind: type[T], body: Any = None) -> T:
        """What a POST answers, sent once. Raises as `get`: after Unreachable it may have been done or not."""
        return self._read(self._send("POST", path, json={} if body is None else body), kind, path)

    def form(self, path: str, kind: type[T], fields: dict[str, str], files: dict[str, Any]) -> T:
        """What a form answers, sent once; as `post`. A file is a name and its bytes."""
        return self._read(self._send("POST", path, data=fields, files=files), kind, path)

    def delete(self, path: str, *, classic: str | None = None) -> None:
        """Delete something. `classic` is the api-version where only the classic path has this call."""
        self._patiently("DELETE", path, classic=classic, params={"api-version": classic} if classic else {})

    def pages(self, path: str, kind: type[T], **query: Any) -> Iterator[list[T]]:
        """The pages of a list that has any."""
        after: dict[str, str] = {}
        while True:
            page = self.get(path, _Page, limit=PAGE, **query, **after)
            try:
                items = msgspec.convert(page.data, list[kind])  # type: ignore[valid-type]
            except msgspec.ValidationError as error:
                raise self._strange(path, error) from error
            yield items
            last = page.data[-1].get("id") if page.data else None
            if not page.has_more or not last or after == {"after": last}:
                return
            after = {"after": str(last)}

    @contextmanager
    def stream(self, path: str) -> Iterator[Iterator[bytes]]:
        """The pieces of an answer that may be large. Raises as `get`, and Unreachable where it breaks off."""
        import requests

        answer = self._patiently("GET", path, stream=True)
        try:
            yield answer.iter_content(_CHUNK)
        except requests.RequestException as error:
            raise Unreachable(f"{self.endpoint}: {path} broke off: {brief(error)}") from error
        finally:
            answer.close()

    # --- sending ---------------------------------------------------------------------------------------------------

    def _patiently(self, method: str, path: str, **how: Any) -> requests.Response:
        """Send what may be sent twice, and once more where that could help."""
        for wait in WAITS:
            try:
                return self._send(method, path, **how)
            except Unreachable:
                time.sleep(wait)
            except Busy as error:
                if error.retry_after > LONGEST_WAIT:
                    raise
                time.sleep(max(error.retry_after, wait))
        return self._send(method, path, **how)

    def _send(self, method: str, path: str, classic: str | None = None, **how: Any) -> requests.Response:
        import requests

        address = f"{self.endpoint}/openai/{path}" if classic else f"{self.endpoint}/openai/v1/{path}"
        headers = {"Authorization": f"Bearer {self._cloud.token(DATA_SCOPE, tenant=self._tenant)}"}
        try:
            answer = self._cloud.session.request(method, address, headers=headers, timeout=TIMEOUT, **how)
        except requests.RequestException as error:
            raise Unreachable(f"{self.endpoint} does not answer: {brief(error)}") from error
        self.at = _date(answer.headers.get("date", "")) or self.at
        if not answer.ok:
            raise self._meaning(answer, path)
        return answer

    def _read(self, answer: requests.Response, kind: type[T], path: str) -> T:
        try:
            return msgspec.json.decode(answer.content, type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._strange(path, error) from error

    def _strange(self, path: str, error: Exception) -> Refused:
        return Refused(f"{self.endpoint} answers {path} otherwise than Azure does ({error}); is something in between?")

    def _meaning(self, answer: requests.Response, path: str) -> Exception:
        status, (code, text) = answer.status_code, _told(answer)
        where = f"{self.endpoint}: {text or f'HTTP {status}'}"
        if status == 429 or (status == 503 and "retry-after" in answer.headers):
            return Busy(where, retry_after=_seconds(answer.headers.get("retry-after", "")), code=code)
        if status >= 500 or status == 408:
            return Unreachable(f"{where} ({status})")
        if status == 401 and code == "PermissionDenied":
            text = (
                "It takes the role Cognitive Services OpenAI Contributor at the account to train, OpenAI User to read"
            )
            return Refused(f"{where} {text}", code=code, status=status)
        if status == 401:
            return LoginFailed(where)
        kind = NotFound if status == 404 else Refused
        return kind(f"{where}{f' ({code})' if code else f' ({path})'}", code=code, status=status)


class _Page(msgspec.Struct):
    data: list[dict[str, Any]]
    has_more: bool = False


def _told(answer: requests.Response) -> tuple[str, str]:
    """Azure's code and words: the authoring API has both below `error`, its front door may have them at the top."""
    try:
        body = answer.json()
        error = body.get("error", body)
        return str(error.get("code") or ""), str(error.get("message") or "")
    except (ValueError, AttributeError):
        return "", ""


def _date(text: str) -> datetime | None:
    try:
        return email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None


def _seconds(text: str) -> float:
    return float(text) if text.replace(".", "", 1).isdigit() else 1.0
