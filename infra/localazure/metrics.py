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
_DAY = 24 * 60

Counted = Literal["calls", "prompt", "generated", "tokens"]


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

    def minutes(self) -> Iterator[tuple[int, int, int, int]]:
        """The rows, unpacked."""
        return _ROW.iter_unpack(self.rows)


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of Microsoft.CognitiveServices/accounts (azure-monitor-docs, supported metrics, July 2026)."""

    name: str
    display: str
    about: str
    counted: Counted
    dimensions: tuple[str, ...]


_OF_REQUESTS = (
    "ApiName", "OperationName", "Region", "StreamType", "ModelDeploymentName", "ModelName", "ModelVersion",
    "StatusCode", "IsSpillover", "ServiceTierRequest", "ServiceTierResponse",
)  # fmt: skip
_OF_TOKENS = ("ApiName", "ModelDeploymentName", "FeatureName", "UsageChannel", "Region", "ModelVersion")
METRICS = (
    Metric("AzureOpenAIRequests", "Azure OpenAI Requests", "Calls to the models.", "calls", _OF_REQUESTS),
    Metric("ModelRequests", "Model Requests", "Calls to the models.", "calls", _OF_REQUESTS),
    Metric("ProcessedPromptTokens", "Processed Prompt Tokens", "Tokens that were read.", "prompt", _OF_TOKENS),
    Metric("GeneratedTokens", "Generated Completion Tokens", "Tokens that were written.", "generated", _OF_TOKENS),
    Metric("TokenTransaction", "Processed Inference Tokens", "Tokens, read and written.", "tokens", _OF_TOKENS),
)
"""Those that are counted here; Azure has more."""
AGGREGATIONS = ("Total", "Average", "Count")


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
        if rows and _ROW.unpack_from(rows, len(rows) - _ROW.size)[0] == minute:
            _, calls, prompt, generated = _ROW.unpack_from(rows, len(rows) - _ROW.size)
            row = (minute, calls + 1, prompt + row[2], generated + row[3])
            rows = rows[: -_ROW.size]
        elif held is not None and len(rows) >= STRETCH * _ROW.size:
            measured.put(f"{key}|{_ROW.unpack_from(rows)[0]}", held)
            rows = b""
        measured.put(key, msgspec.structs.replace(series, rows=rows + _ROW.pack(*row)))

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
