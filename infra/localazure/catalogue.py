"""What Azure offers where: regions, models, SKUs and quotas, from the dated data in `data/catalogue.yaml`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

CUSTOM = re.compile(r"^(?P<base>.+?)\.ft-[0-9a-zA-Z_-]+$|^(?P<checkpoint>ftchkpt-[0-9a-f]{32})$")
TUNED = "-finetune"
TUNED_DEPLOYMENTS = "OpenAI.FineTuned.Deployments"
"""Usage name under which a region counts the deployments of tuned models, whatever their capacity."""


class Retirement(msgspec.Struct, frozen=True):
    """When a model stops: as a base deployment, for training, and under tuned deployments."""

    base: date
    training: date
    deployment: date


class Model(msgspec.Struct, frozen=True, rename="camel"):
    """One row of the catalogue."""

    name: str
    version: str
    quota: str
    rate: int
    """Seconds of the window in which one request per capacity passes."""
    lifecycle: str
    default: bool = False
    tunable: bool = True
    methods: tuple[str, ...] = ("supervised",)
    """How it can be tuned: supervised, dpo, reinforcement."""
    chat: bool = True
    embeddings: bool = False
    reasoning: bool = False
    """Whether it thinks before it answers, and so takes other parameters."""
    context: int = 128_000
    """Most tokens of question and answer together."""
    output: int = 16_384
    """Most tokens of an answer."""
    dimensions: int = 0
    """Numbers of an embedding."""
    developer: bool = False
    standard: list[str] = []
    data_zone: list[str] = []
    fine_tune_maximum: int = 1000000
    fine_tune_default: int = 50
    tokens_per_example: int = 65536
    provisioned_step: int = 50
    """Least number of provisioned units, and the steps they come in."""
    provisioned_tokens: int = 2500
    """Input tokens a minute that one provisioned unit serves."""
    output_weight: int = 4
    """How many input tokens one output token counts as."""
    retires: Retirement | None = None
    recorded: bool = True

    @property
    def full_name(self) -> str:
        """Name and version in one, as tuned models carry it: gpt-4.1-mini-2025-04-14."""
        return f"{self.name}-{self.version}"


class _File(msgspec.Struct, frozen=True, rename="camel"):
    as_of: date
    regions: dict[str, tuple[str, str]]
    skus: list[str]
    models: list[Model]
    quotas: dict[str, int]
    quota_names: dict[str, str]
    account: dict[str, int]


@dataclass(frozen=True, slots=True)
class Sku:
    """A SKU of a model in a region. `tuned` tells the fine-tuned entry from the base one of the same name."""

    name: str
    usage: str
    tuned: bool
    default: int
    maximum: int
    rate: int
    hosting: bool
    """Whether an hour of it costs hosting."""
    minimum: int = 1
    step: int = 1


class Catalogue:
    """Questions about the catalogue's data."""

    def __init__(self, file: _File) -> None:
        """Index the file."""
        self.as_of = file.as_of
        self.regions = file.regions
        self.models = file.models
        self.account_limits = file.account
        self._quotas = file.quotas
        self._quota_names = file.quota_names
        self._skus = {name.lower(): name for name in file.skus}
        self._by_name = {(m.name, m.version): m for m in file.models}
        self._by_full_name = {m.full_name: m for m in file.models}
        self._entries: dict[tuple[str, str], list[Sku]] = {}

    def region(self, location: str) -> str | None:
        """The region's name for a name or display name in any spelling: 'Sweden Central' is swedencentral."""
        name = location.replace(" ", "").lower()
        return name if name in self.regions else None

    def sku_name(self, name: str) -> str | None:
        """Azure's spelling of a deployment SKU written in any case; None for one that does not exist."""
        return self._skus.get(name.lower())

    def model(self, name: str, version: str | None) -> Model | None:
        """A base model; without a version its default one."""
        if version is None:
            return next((m for m in self.models if m.name == name and m.default), None)
        return self._by_name.get((name, version))

    def base_of(self, custom: str) -> Model | None:
        """The base model of a tuned model's name; None if the name is none or the base is unknown."""
        match = CUSTOM.match(custom)
        if match is None or match["base"] is None:
            return None
        return self._by_full_name.get(match["base"])

    def named(self, full_name: str) -> Model | None:
        """The model of a full name (gpt-4.1-mini-2025-04-14)."""
        return self._by_full_name.get(full_name)

    def skus(self, model: Model, region: str) -> list[Sku]:
        """What can be deployed of a model in a region: base entries, then fine-tuned ones."""
        key = (model.full_name, region)
        if key not in self._entries:
            self._entries[key] = [*self._base_skus(model), *self._tuned_skus(model, region)]
        return self._entries[key]

    def limit(self, usage: str) -> int:
        """The quota of a usage name per subscription and region."""
        return self._quotas.get(usage, self._quotas["default"])

    def called(self, usage: str) -> str:
        """What people call a quota."""
        return self._quota_names.get(usage, usage)

    def _base_skus(self, model: Model) -> list[Sku]:
        def entry(name: str, maximum: int) -> Sku:
            return Sku(name, f"OpenAI.{name}.{model.quota}", False, 10, maximum, model.rate, False)

        step = model.provisioned_step
        provisioned = Sku(
            "ProvisionedManaged", "OpenAI.ProvisionedManaged", False, step, 30000, model.rate, True, step, step
        )
        return [entry("Standard", 1000000), entry("GlobalStandard", 1000000), provisioned]

    def _tuned_skus(self, model: Model, region: str) -> list[Sku]:
        def entry(name: str, maximum: int, default: int, *, hosting: bool = True) -> Sku:
            usage = f"OpenAI.{name}.{model.quota}{TUNED}"
            return Sku(name, usage, True, default, maximum, model.rate, hosting)

        if not model.tunable:
            return []
        most, usual = model.fine_tune_maximum, model.fine_tune_default
        found = [entry("GlobalStandard", most, usual)]
        if region in model.standard:
            found.append(entry("Standard", most, usual))
        if region in model.data_zone:
            found.append(entry("DataZoneStandard", most, usual))
        if model.developer:
            found.append(entry("DeveloperTier", 250, 50, hosting=False))
        return found


@cache
def load() -> Catalogue:
    """The catalogue of the data file beside this module."""
    text = (Path(__file__).parent / "data" / "catalogue.yaml").read_bytes()
    return Catalogue(msgspec.yaml.decode(text, type=_File))


def is_custom(model_name: str) -> bool:
    """Whether a deployment's model name is a tuned model or a checkpoint rather than a base model."""
    return CUSTOM.match(model_name) is not None


def midnight(day: date) -> datetime:
    """The start of a day, UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def model_wire(catalogue: Catalogue, model: Model, region: str) -> dict[str, Any]:
    """The `model` object of a location's model list (CS 2024-10-01 `Model`, and what live answers add)."""
    area = catalogue.regions[region][1]
    capabilities: dict[str, str] = {}
    if area:
        capabilities["area"] = area
    if model.chat:
        capabilities |= {"chatCompletion": "true", "completion": "true", "responses": "true", "assistants": "true"}
    elif not model.embeddings:
        capabilities["completion"] = "true"
    if model.embeddings:
        capabilities["embeddings"] = "true"
    if model.tunable:
        if region in model.standard:
            capabilities["fineTune"] = "true"
        capabilities["globalFineTune"] = "true"
        if model.developer:
            capabilities["devTierFineTune"] = "true"
        capabilities["FineTuneTokensMaxValue"] = "2000000000"
        capabilities["FineTuneTokensMaxValuePerExample"] = str(model.tokens_per_example)
    wire: dict[str, Any] = {
        "format": "OpenAI",
        "name": model.name,
        "version": model.version,
        "isDefaultVersion": model.default,
        "skus": [_sku_wire(model, sku) for sku in catalogue.skus(model, region)],
        "maxCapacity": 3,
        "capabilities": capabilities,
        "lifecycleStatus": model.lifecycle,
        "systemData": {
            "createdBy": "Microsoft",
            "createdByType": "Application",
            "createdAt": "2025-04-11T00:00:00Z",
            "lastModifiedBy": "Microsoft",
            "lastModifiedByType": "Application",
            "lastModifiedAt": "2025-04-11T00:00:00Z",
        },
    }
    if model.tunable:
        wire["finetuneCapabilities"] = capabilities
    if model.retires is not None:
        wire["deprecation"] = {
            "fineTune": f"{model.retires.base}T00:00:00Z",
            "inference": f"{model.retires.base}T00:00:00Z",
        }
    return wire


def rate_limits(sku: Sku | None, capacity: int, rate: int) -> list[dict[str, Any]]:
    """What passes in which window, per capacity: one request in `rate` seconds, 1,000 tokens in a minute."""
    window = sku.rate if sku else rate
    return [
        {"key": "request", "renewalPeriod": window, "count": capacity},
        {"key": "token", "renewalPeriod": 60, "count": capacity * 1000},
    ]


def _capacity_wire(sku: Sku) -> dict[str, int]:
    """Live answers name a least number and steps only where they are not 1."""
    if sku.step == 1:
        return {"maximum": sku.maximum, "default": sku.default}
    return {"minimum": sku.minimum, "maximum": sku.maximum, "step": sku.step}


def _sku_wire(model: Model, sku: Sku) -> dict[str, Any]:
    costs = ["Hosting"] if sku.tuned and sku.hosting else []
    costs += ["NoCachedContextToken", "CachedContextToken", "GeneratedToken"]
    wire: dict[str, Any] = {
        "name": sku.name,
        "usageName": sku.usage,
        "capacity": _capacity_wire(sku),
        "rateLimits": rate_limits(sku, 1, sku.rate),
        "costs": [
            {"name": name, "meterId": "", "unit": "1 Hour" if name == "Hosting" else "1K Tokens"} for name in costs
        ],
    }
    if model.retires is not None:
        last = model.retires.deployment if sku.tuned else model.retires.base
        wire["deprecationDate"] = f"{last}T00:00:00Z"
    return wire
