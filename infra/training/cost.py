"""What training on data costs, by dated prices; where no price is known, only tokens."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from infra.spec import tuning


class Sizes(NamedTuple):
    """How long the examples are."""

    counts: dict[int, int]
    """Tokens of an example (characters where it is an estimate) → examples."""
    estimated: bool


class Price(msgspec.Struct, frozen=True):
    """What a run costs, from the fewest to the most epochs."""

    training_type: str
    least: float
    most: float


class Bill(msgspec.Struct, frozen=True):
    """Tokens of a run, and what they cost where a price is known."""

    tokens: int
    """Of the training data, once; what is cut is not counted."""
    epochs: tuple[int, int]
    """The fewest and the most to reckon with; the same where they were given."""
    currency: str
    as_of: str
    source: str
    prices: list[Price] = []
    """Empty: no price is known."""
    per_hour: float | None = None
    """Reinforcement is paid by the hour."""


def bill(
    known: tuning.Tuning, model: tuning.Tunable | None, sizes: Sizes, epochs: int | None, *, reinforcement: bool
) -> Bill:
    """The tokens and what they cost."""
    examples = sum(sizes.counts.values())
    per_token = known.characters_per_token.value if sizes.estimated else 1
    most = model.example_tokens * per_token if model and model.example_tokens else None
    total = sum((min(size, most) if most else size) * times for size, times in sizes.counts.items())
    tokens = -(-total // per_token)
    least, usual = (epochs, epochs) if epochs else known.epochs.value.range(examples)
    prices, name = known.prices, model.name if model else ""
    found = [] if reinforcement else prices.per_million_tokens.get(name, {}).items()
    return Bill(
        tokens=tokens,
        epochs=(least, usual),
        currency=prices.currency,
        as_of=prices.as_of.isoformat(),
        source=prices.source,
        prices=[Price(kind, tokens * least * price / 1e6, tokens * usual * price / 1e6) for kind, price in found],
        per_hour=prices.per_hour.get(name) if reinforcement else None,
    )
