"""What Azure Monitor has of the calls to the models: counted by the minute, for 93 days, and told some minutes late.

A series is what has the same dimensions. Its minutes lie packed in stretches of 64, so that years of pings stay small
and a busy deployment writes little at a time. A series is of the resource's id: an account that is made again under the
same id finds what was counted before.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

import msgspec

from infra.localazure import errors, ids
from infra.localazure.entities import Value

if TYPE_CHECKING:
    from infra.localazure.traffic import Traffic
    from infra.localazure.world import World

KEPT = timedelta(days=93)
"""How long Azure Monitor keeps platform metrics (azure-monitor-docs, data-platform-metrics)."""
STRETCH = 64
"""Most minutes of a series in one record."""
_ROW = struct.Struct("<IIQQ")
_TIMES = struct.Struct("<IIdffIdff")
_DAY = 24 * 60

Counted = Literal["calls", "prompt", "generated", "tokens"]
Measured = Literal["available", "response", "last byte"]
Unit = Literal["Count", "Percent", "MilliSeconds"]
Spread = tuple[int, float, float, float]
"""How many values there were, their sum, the least and the greatest."""
NONE: Spread = (0, 0.0, 0.0, 0.0)


class Series(Value, frozen=True):
    """A stretch of a series: its dimensions, and what was counted in each minute that had calls."""

    account: str
    """Key of the account."""
    deployment: str
    """As the deployment spells itself; empty for calls to none."""
    model: str
    model_version: str
    api: str
    operation: str
    stream: str
    status: int
    rows: bytes
    """(minute since 1970, calls, prompt tokens, generated tokens) of each minute, packed."""
    times: bytes = b""
    """(minute since 1970, spread of ms to the response, spread of ms to the last byte) of each minute, packed."""

    def minutes(self) -> Iterator[tuple[int, int, int, int]]:
        """The rows, unpacked."""
        return _ROW.iter_unpack(self.rows)

    def spreads(self, what: Measured) -> Iterator[tuple[int, Spread]]:
        """What was measured in each minute that something was."""
        if what == "available":
            share = 100.0 if self.status < 500 else 0.0
            for minute, calls, _, _ in self.minutes():
                yield minute, (calls, share * calls, share, share)
            return
        for row in _TIMES.iter_unpack(self.times):
            found: Spread = row[1:5] if what == "response" else row[5:9]
            if found[0]:
                yield row[0], found


def together(one: Spread, other: Spread) -> Spread:
    """The spread of all values of both."""
    if not one[0] or not other[0]:
        return one if one[0] else other
    return one[0] + other[0], one[1] + other[1], min(one[2], other[2]), max(one[3], other[3])


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of Microsoft.CognitiveServices/accounts (azure-monitor-docs, supported metrics, July 2026)."""

    name: str
    display: str
    about: str
    counted: Counted | Measured
    dimensions: tuple[str, ...]
    unit: Unit = "Count"

    @property
    def aggregations(self) -> tuple[str, ...]:
        """What its values can be asked for as; the first unless told."""
        return AGGREGATIONS if self.unit == "Count" else SPREADS


_OF_REQUESTS = (
    "ApiName", "OperationName", "Region", "StreamType", "ModelDeploymentName", "ModelName", "ModelVersion",
    "StatusCode", "IsSpillover", "ServiceTierRequest", "ServiceTierResponse",
)  # fmt: skip
_OF_RESPONSES = (
    "ApiName", "OperationName", "Region", "StreamType", "ModelDeploymentName", "ModelName", "ModelVersion",
    "StatusCode",
)  # fmt: skip
_OF_MODELS = ("Region", "ModelDeploymentName", "ModelName", "ModelVersion")
_OF_TOKENS = ("ApiName", "ModelDeploymentName", "FeatureName", "UsageChannel", "Region", "ModelVersion")
METRICS = (
    Metric("AzureOpenAIRequests", "Azure OpenAI Requests", "Calls to the models.", "calls", _OF_REQUESTS),
    Metric("ModelRequests", "Model Requests", "Calls to the models.", "calls", _OF_REQUESTS),
    Metric("ProcessedPromptTokens", "Processed Prompt Tokens", "Tokens that were read.", "prompt", _OF_TOKENS),
    Metric("GeneratedTokens", "Generated Completion Tokens", "Tokens that were written.", "generated", _OF_TOKENS),
    Metric("TokenTransaction", "Processed Inference Tokens", "Tokens, read and written.", "tokens", _OF_TOKENS),
    Metric(
        "AzureOpenAIAvailabilityRate", "Azure OpenAI AvailabilityRate", "Calls that met no error of the server's.",
        "available", _OF_RESPONSES[:-1], "Percent",
    ),
    Metric(
        "AzureOpenAITimeToResponse", "Time to Response", "Time until the first of an answer.",
        "response", _OF_RESPONSES, "MilliSeconds",
    ),
    Metric(
        "AzureOpenAITTLTInMS", "Time to Last Byte", "Time until the last of an answer.",
        "last byte", _OF_MODELS, "MilliSeconds",
    ),
)  # fmt: skip
"""Those that are counted here; Azure has more."""
AGGREGATIONS = ("Total", "Average", "Count")
SPREADS = ("Average", "Minimum", "Maximum")
"""The same for what is measured and not counted."""


def dimensions(series: Series, region: str) -> dict[str, str]:
    """What a series is, by dimension in lower case. What local Azure has no word for is what Azure calls unknown."""
    return {
        "apiname": series.api,
        "operationname": series.operation,
        "region": region,
        "streamtype": series.stream,
        "modeldeploymentname": series.deployment,
        "modelname": series.model,
        "modelversion": series.model_version,
        "statuscode": str(series.status),
        "isspillover": "False",
        "servicetierrequest": "default",
        "servicetierresponse": "default",
        "featurename": "Unknown",
        "usagechannel": "Unknown",
    }


def last_minute(world: World) -> int:
    """The last minute that has arrived: it is over, and as long ago as the switch says; with none, all has."""
    late = world.switches.metrics_delay
    return int(world.now().timestamp() - late) // 60 - (1 if late else 0)


def first_minute(world: World) -> int:
    """The oldest minute that is still kept."""
    return int((world.now() - KEPT).timestamp()) // 60


class Monitor:
    """Azure Monitor: counts calls, forgets old ones, and limits how often it is asked."""

    def __init__(self, world: World) -> None:
        """Count into this world."""
        self._world = world
        self._swept = 0
        self._left: dict[tuple[str, str], tuple[float, float]] = {}

    def note(self, traffic: Traffic) -> None:
        """Count a call, if it was of an operation."""
        if not traffic.operation:
            return
        measured = self._world.measured
        minute = int(traffic.at.timestamp()) // 60
        self._sweep(minute)
        series = self._series(traffic)
        key = _key(series)
        held = measured.get(key)
        row = (minute, 1, traffic.prompt_tokens, traffic.generated_tokens)
        rows = b"" if held is None else held.rows
        times = b"" if held is None else held.times
        if rows and _ROW.unpack_from(rows, len(rows) - _ROW.size)[0] == minute:
            _, calls, prompt, generated = _ROW.unpack_from(rows, len(rows) - _ROW.size)
            row = (minute, calls + 1, prompt + row[2], generated + row[3])
            rows = rows[: -_ROW.size]
        elif held is not None and len(rows) >= STRETCH * _ROW.size:
            measured.put(f"{key}|{_ROW.unpack_from(rows)[0]}", held)
            rows = times = b""
        times = self._timed(times, minute, traffic)
        measured.put(key, msgspec.structs.replace(series, rows=rows + _ROW.pack(*row), times=times))

    def admit(self, subscription: str, kind: Literal["resource", "batch"]) -> None:
        """Count a question about a subscription's metrics, or refuse it with 429 and how long to wait."""
        switches, now = self._world.switches, self._world.now().timestamp()
        most = switches.metrics_calls_per_hour if kind == "resource" else switches.metrics_batch_calls_per_hour
        frozen = self._world.clock.factor == 0
        if not most or switches.throttling == "off" or (switches.throttling == "running" and frozen):
            return
        left, at = self._left.get((subscription, kind), (most, now))
        left = min(left + (now - at) * most / 3600, most)
        self._left[subscription, kind] = (max(left - 1, 0) if left >= 1 else left, now)
        if left < 1:
            seconds = math.ceil((1 - left) * 3600 / most)
            raise errors.METRICS_THROTTLED({"retry-after": str(seconds)}, subscription=subscription, seconds=seconds)

    def _series(self, traffic: Traffic) -> Series:
        """The series of a call. A name that is of no deployment makes none: anybody could make as many as they like."""
        found = self._world.deployments.get(f"{traffic.account}/deployments/{traffic.deployment.lower()}")
        return Series(
            account=ids.key(traffic.account),
            deployment=found.name if found is not None else "",
            model=traffic.model,
            model_version=traffic.model_version,
            api=traffic.api,
            operation=traffic.operation,
            stream=traffic.stream,
            status=traffic.status,
            rows=b"",
        )

    def _timed(self, times: bytes, minute: int, traffic: Traffic) -> bytes:
        """The times with those of a call; what was not answered by a model has no last byte of an answer."""
        response = (1, traffic.response_ms, traffic.response_ms, traffic.response_ms) if self._tells(traffic) else NONE
        whole = traffic.model and traffic.status < 400
        last = (1, traffic.latency_ms, traffic.latency_ms, traffic.latency_ms) if whole else NONE
        if not response[0] and not last[0]:
            return times
        held = _TIMES.unpack_from(times, len(times) - _TIMES.size) if times else (0,)
        if held[0] == minute:
            response, last = together(held[1:5], response), together(held[5:9], last)
            times = times[: -_TIMES.size]
        return times + _TIMES.pack(minute, *response, *last)

    def _tells(self, traffic: Traffic) -> bool:
        """Whether the time to the response is told of the deployment that was called."""
        if self._world.switches.metrics_response_time == "all":
            return True
        found = self._world.deployments.get(f"{traffic.account}/deployments/{traffic.deployment.lower()}")
        return found is not None and "provisioned" in found.sku_name.lower()

    def _sweep(self, minute: int) -> None:
        """Once a day forget the stretches that are too old to be asked for."""
        if self._swept == minute // _DAY:
            return
        self._swept = minute // _DAY
        oldest = first_minute(self._world)
        for series in self._world.measured:
            minutes = [row[0] for row in series.minutes()]
            if minutes[-1] < oldest:
                self._world.measured.drop(self._key_of(series, minutes[0]))

    def _key_of(self, series: Series, first: int) -> str:
        key = _key(series)
        return key if self._world.measured.get(key) is series else f"{key}|{first}"


def _key(series: Series) -> str:
    """Where the youngest stretch of a series is kept; older ones have their first minute behind it."""
    return "|".join((
        series.account, series.deployment.lower(), series.model, series.model_version,
        series.api, series.operation, series.stream, str(series.status),
    ))  # fmt: skip
