"""Azure's limits as dated data (`limits.yaml`): no such number stands in code."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Generic, TypeVar

from infra.spec import documents, duration

T = TypeVar("T")
FILE = Path(__file__).with_name("limits.yaml")


@dataclass(frozen=True, slots=True)
class Dated(Generic[T]):
    """A value with the day it was read and where."""

    value: T
    as_of: date
    source: str


@dataclass(frozen=True, slots=True)
class NameRule:
    """How a name must look."""

    pattern: re.Pattern[str]
    must: str

    def holds(self, name: str) -> bool:
        """Whether Azure takes the name."""
        return self.pattern.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Hosting:
    """What a deployment costs an hour for standing there, called or not."""

    per_hour: dict[str, float]
    """By SKU. One that is not here: not known."""
    currency: str
    as_of: date
    source: str


@dataclass(frozen=True, slots=True)
class BaseModel:
    """A model that can be tuned. Days: when base deployments, training and tuned deployments stop; None: not known."""

    name: str
    standard: tuple[str, ...]
    developer: bool
    base_until: date | None
    training_until: date | None
    deployment_until: date | None
    retired: bool

    def is_retired(self, today: date) -> bool:
        """Whether tuned deployments of it have stopped by `today`."""
        return self.retired or (self.deployment_until is not None and self.deployment_until <= today)


@dataclass(frozen=True, slots=True)
class Limits:
    """Everything in `limits.yaml`."""

    idle_deletion: Dated[timedelta]
    developer_lifetime: Dated[timedelta]
    keep_alive_margin: Dated[timedelta]
    metrics_kept: Dated[timedelta]
    activity_log_kept: Dated[timedelta]
    ping_tokens: Dated[tuple[int, ...]]
    """Prompt tokens that a ping is counted as, by whichever tokenizer."""
    hosting: Hosting
    readiness: Dated[timedelta]
    role_propagation: Dated[timedelta]
    sibling_wait: Dated[timedelta]
    fine_tuned_deployments: Dated[int]
    inference_api_version: Dated[str]
    names: dict[str, NameRule]
    regions: dict[str, str]
    regions_as_of: date
    skus: dict[str, str]
    """Name in lower case → Azure's spelling."""
    developer_skus: frozenset[str]
    models: dict[str, BaseModel]
    models_as_of: date
    roles: dict[str, str]
    """Name → id. A role may have two names."""
    role_names: dict[str, str]
    """Id → name, the first of two."""
    roles_without_calls: frozenset[str]
    """Ids of those that do not let their holder call a model."""

    @property
    def activity_log_read(self) -> timedelta:
        """How far back the activity log is asked: a day less than it is kept, for clocks that differ."""
        return self.activity_log_kept.value - timedelta(days=1)


@cache
def load() -> Limits:
    """The limits of the file beside this module."""
    data = documents.parse(FILE.read_text("utf-8"), str(FILE)).value

    def span(key: str) -> Dated[timedelta]:
        row = data[key]
        return Dated(duration.parse(row["value"]), date.fromisoformat(row["asOf"]), row["source"])

    def plain(key: str) -> Dated[Any]:
        row = data[key]
        return Dated(row["value"], date.fromisoformat(row["asOf"]), row["source"])

    roles, hosting = data["roles"]["names"], data["hosting"]
    tokens: Dated[Any] = plain("pingTokens")
    return Limits(
        idle_deletion=span("idleDeletion"),
        developer_lifetime=span("developerLifetime"),
        keep_alive_margin=span("keepAliveMargin"),
        metrics_kept=span("metricsKept"),
        activity_log_kept=span("activityLogKept"),
        ping_tokens=Dated(tuple(tokens.value), tokens.as_of, tokens.source),
        hosting=Hosting(
            {name: float(price) for name, price in hosting["perHour"].items()},
            hosting["currency"],
            date.fromisoformat(hosting["asOf"]),
            hosting["source"],
        ),
        readiness=span("readiness"),
        role_propagation=span("rolePropagation"),
        sibling_wait=span("siblingWait"),
        fine_tuned_deployments=plain("fineTunedDeployments"),
        inference_api_version=plain("inferenceApiVersion"),
        names={key: NameRule(re.compile(row["pattern"]), row["must"]) for key, row in data["names"].items()},
        regions=data["regions"]["names"],
        regions_as_of=date.fromisoformat(data["regions"]["asOf"]),
        skus={name.lower(): name for name in data["skus"]["names"]},
        developer_skus=frozenset(data["skus"]["developer"]),
        models={name: _model(name, row) for name, row in data["models"]["table"].items()},
        models_as_of=date.fromisoformat(data["models"]["asOf"]),
        roles=roles,
        role_names={role: name for name, role in reversed(roles.items())},
        roles_without_calls=frozenset(roles[name] for name in data["roles"]["withoutCalls"]),
    )


def _model(name: str, row: dict[str, Any]) -> BaseModel:
    days = [date.fromisoformat(day) for day in row.get("retires", ())]
    base, training, deployment = days if days else (None, None, None)
    return BaseModel(
        name=name,
        standard=tuple(row["standard"]),
        developer=row.get("developer", True),
        base_until=base,
        training_until=training,
        deployment_until=deployment,
        retired=row.get("retired", False),
    )


def did_you_mean(word: str, known: Sequence[str]) -> str:
    """A question to put behind a message when a known word is near; empty when none is."""
    lowered = {k.lower(): k for k in known}
    near = difflib.get_close_matches(word[:100].lower(), lowered, n=1, cutoff=0.6)
    return f'; did you mean "{lowered[near[0]]}"?' if near else ""
