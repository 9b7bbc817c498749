"""What a fine-tuning job takes and costs, as dated data (`training` of `limits.yaml`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any, Literal

from infra.spec import documents
from infra.spec.limits import FILE, Dated

Method = Literal["supervised", "dpo", "reinforcement"]


@dataclass(frozen=True, slots=True)
class Tunable:
    """A base model, as training data must suit it."""

    name: str
    methods: tuple[Method, ...]
    encoding: str
    example_tokens: int | None
    """What is longer is cut; None: not known."""
    vision: bool
    completion: bool
    """Whether it takes prompt and completion instead of messages."""


@dataclass(frozen=True, slots=True)
class Epochs:
    """How often a run goes over the data while Azure chooses."""

    least: int
    usual: int
    most: int
    examples: int
    """With fewer examples than this, as many epochs as make up for it."""

    def range(self, examples: int) -> tuple[int, int]:
        """The fewest and the most epochs to reckon with."""
        return self.least, min(self.most, max(self.usual, -(-self.examples // max(examples, 1))))


@dataclass(frozen=True, slots=True)
class Prices:
    """What training costs, by model."""

    per_million_tokens: Mapping[str, Mapping[str, float]]
    """Model → training type → price."""
    per_hour: Mapping[str, float]
    currency: str
    as_of: date
    source: str


@dataclass(frozen=True, slots=True)
class Tuning:
    """Everything under `training`."""

    file_bytes: Dated[int]
    files: Dated[int]
    files_bytes: Dated[int]
    jobs: Dated[int]
    queued_jobs: Dated[int]
    examples: Dated[int]
    tokens: Dated[int]
    image_examples: Dated[int]
    images_per_example: Dated[int]
    image_bytes: Dated[int]
    line_bytes: Dated[int]
    epochs: Dated[Epochs]
    characters_per_token: Dated[int]
    models: Mapping[str, Tunable]
    models_as_of: date
    models_source: str
    prices: Prices

    def model(self, name: str) -> Tunable | None:
        """The base of a model by its name: full, without its date, or of a tuned model (`<base>.ft-…`)."""
        base = name.lower().partition(".ft-")[0]
        if base in self.models:
            return self.models[base]
        undated = [m for key, m in self.models.items() if re.sub(r"-\d{4}(-\d\d-\d\d)?$", "", key) == base]
        return undated[0] if len(undated) == 1 else None


@cache
def load() -> Tuning:
    """The section of the file."""
    data = documents.parse(FILE.read_text("utf-8"), str(FILE)).value["training"]

    def dated(key: str) -> Dated[Any]:
        row = data[key]
        return Dated(row["value"], date.fromisoformat(row["asOf"]), row["source"])

    epochs = dated("epochs")
    models, prices = data["models"], data["prices"]
    return Tuning(
        file_bytes=dated("fileBytes"),
        files=dated("files"),
        files_bytes=dated("filesBytes"),
        jobs=dated("jobs"),
        queued_jobs=dated("queuedJobs"),
        examples=dated("examples"),
        tokens=dated("tokens"),
        image_examples=dated("imageExamples"),
        images_per_example=dated("imagesPerExample"),
        image_bytes=dated("imageBytes"),
        line_bytes=dated("lineBytes"),
        epochs=Dated(Epochs(**epochs.value), epochs.as_of, epochs.source),
        characters_per_token=dated("charactersPerToken"),
        models={name: _model(name, row) for name, row in models["table"].items()},
        models_as_of=date.fromisoformat(models["asOf"]),
        models_source=models["source"],
        prices=Prices(
            prices["perMillionTokens"],
            prices["perHour"],
            prices["currency"],
            date.fromisoformat(prices["asOf"]),
            prices["source"],
        ),
    )


def _model(name: str, row: dict[str, Any]) -> Tunable:
    return Tunable(
        name=name,
        methods=tuple(row["methods"]),
        encoding=row["encoding"],
        example_tokens=row.get("exampleTokens"),
        vision=row.get("vision", False),
        completion=row.get("completion", False),
    )
