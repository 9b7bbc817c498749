"""Azure Monitor: when the deployments of an account had calls that succeeded, and how many tokens those read; and how
the calls to one deployment went.

One account at a time by the resource manager (a role at the account is enough), or up to fifty of one subscription and
region in a call (that needs a role at the subscription). Nothing is tried again here but a broken answer, twice, within
seconds: who asks knows better what can wait.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from infra.errors import Busy, HearthError, LoginFailed, NotFound, Refused, Unreachable
from infra.ports.cloud import IMPORTING, Cloud, brief, login_error

if TYPE_CHECKING:
    from azure.core import PipelineClient
    from azure.core.rest import HttpRequest, HttpResponse

T = TypeVar("T")

KEPT = timedelta(days=93)
"""How long Azure keeps metrics (Learn, data-platform-metrics, as of 2026); nothing older is asked for."""
MOST_IN_BATCH = 50
"""Resources a batch may name (Learn, migrate-to-batch-api)."""
MOST_POINTS = 200
"""Points of a series in one answer, which chooses the grain: hours for 8 days, six of them for 50, else twelve. Azure
names no limit, and for large answers advises several questions (Learn, Q&A 6005145). Hours of 16 days for a thousand
deployments took three times the time and 100 MB more than stretches of six hours."""
MOST_FINE_POINTS = 1440
"""The same where one deployment's means are asked for: a day of minutes, five days of fives. A mean hides what is
shorter than its point, so they are as fine as may be."""
FINE_GRAINS = {
    timedelta(minutes=1): "PT1M",
    timedelta(minutes=5): "PT5M",
    timedelta(minutes=15): "PT15M",
    timedelta(minutes=30): "PT30M",
}
GRAINS = {
    timedelta(hours=1): "PT1H",
    timedelta(hours=6): "PT6H",
    timedelta(hours=12): "PT12H",
    timedelta(days=1): "P1D",
}
WAITS = (0.5, 2.0)
"""Seconds before a question is asked again to which the answer was broken."""
CALLS, TOKENS = "AzureOpenAIRequests", "ProcessedPromptTokens"
RESPONSE, LAST_BYTE = "AzureOpenAITimeToResponse", "AzureOpenAITTLTInMS"
"""Both are means in ms. Whether the first is measured of deployments paid by the token, two pages of Azure's tell
differently (supported metrics, July 2026; monitoring data reference of Azure OpenAI, 2026); the second is."""
_NAMESPACE = "microsoft.cognitiveservices/accounts"
_DEPLOYMENT = "modeldeploymentname"
_BY_DEPLOYMENT = "ModelDeploymentName eq '*'"
_SUCCESSFUL = f"{_BY_DEPLOYMENT} and StatusCode eq '200'"
_TOP = 10_000
"""Series of one account: the usual ten would leave out whole deployments without a word."""
_VERSION = "2024-02-01"
_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Bucket:
    """A stretch of time in which a deployment had calls that succeeded."""

    start: datetime
    length: timedelta
    calls: int
    """Successful ones (200) alone."""
    prompt_tokens: int


@dataclass(frozen=True, slots=True)
class Readings:
    """What the metrics of one account say."""

    account: str
    """Its id, in lower case."""
    buckets: Mapping[str, tuple[Bucket, ...]]
    """By deployment in lower case, oldest first. One that is absent had no calls, as far as is known yet."""


@dataclass(frozen=True, slots=True)
class Window:
    """How the calls to one deployment went in a stretch of time, as far as metrics tell yet. All callers' calls."""

    start: datetime
    end: datetime
    calls: int
    """All of them, failed and throttled ones too."""
    failed: int
    """Answered with 400 or more, but 429."""
    throttled: int
    """Answered with 429."""
    grain: timedelta
    latencies: tuple[timedelta, ...] = ()
    """The mean of each grain that had calls, oldest first; empty where Azure tells none."""
    measure: str = ""
    """Which of Azure's metrics the latencies are: the time to the response, or to the last byte where that is not told
    (it is never shorter)."""

    @property
    def latency(self) -> timedelta | None:
        """The greatest mean; None where none is told."""
        return max(self.latencies, default=None)


class Metrics:
    """Questions to the Azure Monitor of one cloud."""

    def __init__(self, cloud: Cloud) -> None:
        """Nothing is asked before the first call."""
        self._cloud = cloud

    def of_account(self, account_id: str, *, since: datetime, now: datetime, fine: bool = False) -> Readings:
        """What the metrics of an account say of the time from `since` to `now`, by the resource manager's clock.

        `fine`: from the minute of `since`, by minutes for a day and somewhat longer stretches for more.
        Raises Refused, NotFound, Busy, Unreachable, LoginFailed.
        """
        span = (_Span.fine if fine else _Span.between)(since, now)
        found = self._asked(account_id, f"{CALLS},{TOKENS}", _SUCCESSFUL, "total", span)
        return Readings(account_id.lower(), span.buckets(found, account_id))

    def of_deployment(self, account_id: str, deployment: str, *, since: datetime, now: datetime) -> Window:
        """How the calls to a deployment went from the minute of `since` to `now`, by the resource manager's clock.

        Raises Refused, NotFound, Busy, Unreachable, LoginFailed.
        """
        span, where = _Span.fine(since, now), f"{account_id}/deployments/{deployment}"
        one = f"ModelDeploymentName eq '{deployment}'"
        (counted,) = self._asked(account_id, CALLS, f"{one} and StatusCode eq '*'", "total", span)
        if counted.error_code not in {None, "Success"}:
            raise Refused(f"{where}: no {CALLS}: {counted.error_message} ({counted.error_code})")
        by_status: dict[str, int] = {}
        for series in counted.timeseries:
            status = next((v.value for v in series.metadatavalues if v.name.value.lower() == "statuscode"), "")
            by_status[status] = by_status.get(status, 0) + int(sum(p.total or 0 for p in _points(series)))
        timed = self._asked(account_id, f"{RESPONSE},{LAST_BYTE}", f"{one} and StatusCode eq '200'", "average", span)
        measure, means = _latencies(timed)
        return Window(
            start=span.start,
            end=span.end,
            calls=sum(by_status.values()),
            failed=sum(n for status, n in by_status.items() if not status.startswith("2") and status != "429"),
            throttled=by_status.get("429", 0),
            grain=span.grain,
            latencies=tuple(timedelta(milliseconds=ms) for ms in means),
            measure=measure,
        )

    def _asked(self, account_id: str, names: str, wanted: str, aggregation: str, span: _Span) -> list[_Metric]:
        from azure.core.rest import HttpRequest

        request = HttpRequest(
            "GET",
            f"{self._cloud.endpoints.resource_manager}{account_id}/providers/Microsoft.Insights/metrics",
            params={
                "api-version": _VERSION,
                "metricnames": names,
                "timespan": f"{_iso(span.start)}/{_iso(span.end)}",
                "$filter": wanted,
                # Some are not told apart by status, and the filter is not to be refused for that.
                "ValidateDimensions": "false",
                **span.parameters(aggregation),
            },
        )
        answer = _send(lambda: self._resource_manager.send_request(request), account_id)
        return _read(answer, _Resource, account_id).value

    def of_region(
        self,
        subscription: str,
        location: str,
        account_ids: Sequence[str],
        *,
        since: datetime,
        now: datetime,
        tokens: bool = True,
    ) -> dict[str, Readings | HearthError]:
        """The same for any number of accounts of one subscription and region, in batches; by the ids as given.

        Without `tokens` none are told, and one question a batch is enough instead of two: a batch refuses a filter by
        status for the metric of tokens. What goes wrong with a batch stands with each of its accounts; an account
        that the whole batch was refused for stands alone. Raises LoginFailed, and Refused for a cloud whose batches
        are not known where to ask for.
        """
        span = _Span.between(since, now)
        endpoint = self._endpoint(location)
        batches = [account_ids[at : at + MOST_IN_BATCH] for at in range(0, len(account_ids), MOST_IN_BATCH)]

        def ask(batch: Sequence[str]) -> dict[str, Readings | HearthError]:
            return self._batch(endpoint, subscription, batch, span, tokens=tokens)

        found: dict[str, Readings | HearthError] = {}
        if len(batches) == 1:
            return ask(batches[0])
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for told in pool.map(ask, batches):
                found |= told
        return found

    def _batch(
        self, endpoint: str, subscription: str, batch: Sequence[str], span: _Span, *, tokens: bool
    ) -> dict[str, Readings | HearthError]:
        try:
            told = self._ask(endpoint, subscription, batch, span, CALLS, _SUCCESSFUL)
            if tokens:
                for account, read in self._ask(endpoint, subscription, batch, span, TOKENS, _BY_DEPLOYMENT).items():
                    told.setdefault(account, []).extend(read)
        except LoginFailed:
            raise
        except Refused as error:
            if error.status not in {400, 404} or len(batch) == 1:
                return dict.fromkeys(batch, error)
            half = len(batch) // 2
            return self._batch(endpoint, subscription, batch[:half], span, tokens=tokens) | self._batch(
                endpoint, subscription, batch[half:], span, tokens=tokens
            )
        except HearthError as error:
            return dict.fromkeys(batch, error)
        found: dict[str, Readings | HearthError] = {}
        for account in batch:
            if account.lower() not in told:
                found[account] = Refused(f"{account}: the answer to a batch of metrics leaves it out")
                continue
            try:
                found[account] = Readings(account.lower(), span.buckets(told[account.lower()], account))
            except HearthError as error:
                found[account] = error
            except (msgspec.MsgspecError, ValueError) as error:
                found[account] = Refused(f"{account}: metrics unreadable: {error}")
        return found

    def _ask(
        self, endpoint: str, subscription: str, batch: Sequence[str], span: _Span, metric: str, wanted: str
    ) -> dict[str, list[_Metric]]:
        """What a batch says of one metric, by account in lower case.

        Asked through azure-core alone: the client of azure-monitor-querymetrics reads every answer twice, which for the
        points of a thousand deployments takes as long as half of all the calls.
        """
        from azure.core.rest import HttpRequest

        request = HttpRequest(
            "POST",
            f"{endpoint}/subscriptions/{subscription}/metrics:getBatch",
            params={
                "api-version": _VERSION,
                "metricnamespace": _NAMESPACE,
                "metricnames": metric,
                "starttime": _iso(span.start),
                "endtime": _iso(span.end),
                "filter": wanted,
                **span.parameters(),
            },
            json={"resourceids": list(batch)},
        )
        answer = _send(lambda: self._batches.send_request(request), f"metrics of {subscription}")
        return {one.resourceid.lower(): one.value for one in _read(answer, _Batch, f"metrics of {subscription}").values}

    # --- clients ---------------------------------------------------------------------------------------------------

    def _endpoint(self, location: str) -> str:
        endpoints = self._cloud.endpoints
        if not endpoints.metrics:
            raise Refused(
                f"Where the cloud {endpoints.name} is asked for metrics in batches is not known: its metadata names no "
                "metricsEndpoint. Read them account by account instead."
            )
        return endpoints.metrics.replace("{region}", location.replace(" ", "").lower())

    @cached_property
    def _resource_manager(self) -> PipelineClient[HttpRequest, HttpResponse]:
        return self._client(self._cloud.endpoints.scope)

    @cached_property
    def _batches(self) -> PipelineClient[HttpRequest, HttpResponse]:
        """For the endpoints of all regions, which take one token."""
        service = self._cloud.endpoints.metrics.partition("{region}.")[2]
        return self._client(f"https://{service}/.default")

    def _client(self, scope: str) -> PipelineClient[HttpRequest, HttpResponse]:
        with IMPORTING:
            from azure.core import PipelineClient
            from azure.core.pipeline.policies import BearerTokenCredentialPolicy

        login = BearerTokenCredentialPolicy(self._cloud.credential, scope)
        return PipelineClient("", policies=[login], transport=self._cloud.transport())


# --- what is asked and answered ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Span:
    """The time that is asked about: from a full hour, in points of one length."""

    start: datetime
    end: datetime
    grain: timedelta

    @classmethod
    def between(cls, since: datetime, now: datetime) -> _Span:
        """The span from `since` (or from when metrics are kept) to `now`."""
        start = max(since, now - KEPT).astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        end = max(now.astimezone(UTC), start + timedelta(minutes=1))
        grain = next((g for g in GRAINS if (end - start) / g <= MOST_POINTS), timedelta(days=1))
        return cls(start, end, grain)

    @classmethod
    def fine(cls, since: datetime, now: datetime) -> _Span:
        """The same from a full minute, in points as short as may be."""
        start = max(since, now - KEPT).astimezone(UTC).replace(second=0, microsecond=0)
        end = max(now.astimezone(UTC), start + timedelta(minutes=1))
        fits = (g for g in (FINE_GRAINS | GRAINS) if (end - start) / g <= MOST_FINE_POINTS)
        return cls(start, end, next(fits, timedelta(days=1)))

    def parameters(self, aggregation: str = "total") -> dict[str, Any]:
        """What every question says of it."""
        return {"interval": (FINE_GRAINS | GRAINS)[self.grain], "aggregation": aggregation, "top": _TOP}

    def buckets(self, read: Sequence[_Metric], where: str) -> dict[str, tuple[Bucket, ...]]:
        """The buckets of an account, by deployment in lower case; raises Refused where a metric has no answer."""
        calls: dict[tuple[str, datetime], float] = {}
        prompt: dict[tuple[str, datetime], float] = {}
        for metric in read:
            if metric.error_code not in {None, "Success"}:
                raise Refused(f"{where}: no {metric.name.value}: {metric.error_message} ({metric.error_code})")
            found = calls if metric.name.value.lower() == CALLS.lower() else prompt
            for series in metric.timeseries:
                name = next((v.value for v in series.metadatavalues if v.name.value.lower() == _DEPLOYMENT), "")
                for point in _points(series) if name else ():
                    if point.total:
                        at = name.lower(), _moment(point.at)
                        found[at] = found.get(at, 0) + point.total
        buckets: dict[str, list[Bucket]] = {}
        for (name, begin), number in sorted(calls.items()):
            one = Bucket(begin, self.grain, int(number), int(prompt.get((name, begin), 0)))
            buckets.setdefault(name, []).append(one)
        return {name: tuple(found) for name, found in buckets.items()}


class _Name(msgspec.Struct):
    value: str


class _Label(msgspec.Struct):
    name: _Name
    value: str = ""


class _Point(msgspec.Struct, gc=False):
    at: str = msgspec.field(name="timeStamp")
    total: float | None = None
    average: float | None = None


class _Series(msgspec.Struct):
    metadatavalues: list[_Label] = []
    data: msgspec.Raw = msgspec.Raw(b"[]")


class _Metric(msgspec.Struct, rename="camel"):
    name: _Name
    timeseries: list[_Series] = []
    error_code: str | None = None
    error_message: str | None = None


class _Resource(msgspec.Struct):
    value: list[_Metric]


class _InBatch(msgspec.Struct):
    resourceid: str
    value: list[_Metric]


class _Batch(msgspec.Struct):
    values: list[_InBatch]


def _read(answer: HttpResponse, kind: type[T], where: str) -> T:
    try:
        return msgspec.json.decode(answer.content, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refused(f"{where}: not an answer of Azure Monitor's ({error}); is something in between?") from error


def _points(series: _Series) -> list[_Point]:
    try:
        return msgspec.json.decode(series.data, type=list[_Point])
    except msgspec.MsgspecError as error:
        raise Refused(f"metrics unreadable: {error}") from error


def _latencies(timed: Sequence[_Metric]) -> tuple[str, list[float]]:
    """The means by the grain of the first metric that has some, with its name. One that is refused has none."""
    by_name = {metric.name.value.lower(): metric for metric in timed}
    for name in (RESPONSE, LAST_BYTE):
        metric = by_name.get(name.lower())
        means: dict[str, float] = {}
        for series in metric.timeseries if metric else ():
            for point in _points(series):
                if point.average is not None and point.average > 0:  # a stretch without calls may be told as 0
                    means[point.at] = max(means.get(point.at, 0.0), point.average)
        if means:
            return name, [means[at] for at in sorted(means)]
    return "", []


def _iso(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _send(send: Callable[[], HttpResponse], where: str) -> HttpResponse:
    """An answer with what was asked for; a broken one is asked for again, twice."""
    for wait in WAITS:
        answer, error = _sent(send, where)
        if error is None and answer is not None:
            return answer
        if isinstance(error, Unreachable):
            time.sleep(wait)
        elif error is not None:
            raise error
    answer, error = _sent(send, where)
    if answer is None or error is not None:
        raise error or Unreachable(f"{where}: no answer")
    return answer


def _sent(send: Callable[[], HttpResponse], where: str) -> tuple[HttpResponse | None, HearthError | None]:
    from azure.core import exceptions as azure

    try:
        answer = send()
    except azure.ClientAuthenticationError as error:
        return None, login_error(error)
    except azure.AzureError as error:
        return None, Unreachable(f"{where}: Azure Monitor does not answer: {brief(error)}")
    return answer, None if answer.status_code == 200 else _meaning(answer, where)


def _meaning(answer: HttpResponse, where: str) -> HearthError:
    """What a refusal means: the resource manager's have `error` around them, Monitor's own have not."""
    status = answer.status_code
    try:
        body = answer.json()
        told = body.get("error", body)
        code, text = str(told.get("code", "")), str(told.get("message", ""))
    except (ValueError, AttributeError):
        code, text = "", f"HTTP {status}"
    wait = answer.headers.get("Retry-After", "")
    if status == 429 or (status == 503 and wait):
        return Busy(
            f"{where}: {text}", retry_after=float(wait) if wait.replace(".", "", 1).isdigit() else 1.0, code=code
        )
    if status >= 500 or status == 408:
        return Unreachable(f"{where}: Azure Monitor is broken: {text} ({status})")
    if status == 401:
        return LoginFailed(f"{where}: Azure Monitor refused the login: {text} ({code})")
    kind = NotFound if status == 404 else Refused
    return kind(f"{where}: {text} ({code})", code=code, status=status)
