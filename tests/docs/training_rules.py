"""docs/training-rules.md: every rule of training data, with who says so and since when."""

from __future__ import annotations

from collections.abc import Iterator

from infra.spec import tuning
from infra.training import rules

INTRO = """\
# The rules of training data

What `hearth data check` looks at ([the life of a tuned model](training.md)). A **fault** keeps a file from being
uploaded (exit code 2), a warning does not. The date is that of the page that says so; where it is "this project", Azure
documents no rule and this is what we found useful or necessary. Rules marked `--fix` are mended by it.
"""


def page() -> str:
    """The page."""
    return "\n".join([INTRO, *_rules(), "", *_limits(), "", *_models()]) + "\n"


def _rules() -> Iterator[str]:
    yield "| Rule | | What is asked | What to do | Who says so, and when |"
    yield "|---|---|---|---|---|"
    for rule in rules.load().values():
        kind = "**fault**" if rule.kind == "fault" else "warning"
        name = f"`{rule.id}`{' `--fix`' if rule.fixed else ''}"
        row = (name, kind, rule.asks, rule.do, f"{rule.source} ({rule.as_of})")
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |"


def _limits() -> Iterator[str]:
    known = tuning.load()
    yield "## Figures"
    yield ""
    yield "| Figure | | Source |"
    yield "|---|---|---|"
    for name, row in {
        "bytes of a file, which must have fewer (or what the account says: MaxTrainingFileSize)": known.file_bytes,
        "training examples at least": known.examples,
        "tokens of a run, epochs included": known.tokens,
        "examples with images": known.image_examples,
        "images an example": known.images_per_example,
        "bytes of an image": known.image_bytes,
        "bytes of a line that is looked into": known.line_bytes,
    }.items():
        yield f"| {name} | {row.value:,} | {row.source} ({row.as_of}) |"


def _models() -> Iterator[str]:
    known = tuning.load()
    yield "## Models"
    yield ""
    yield f"{known.models_source} ({known.models_as_of}). Prices: {known.prices.source} ({known.prices.as_of})."
    yield ""
    yield f"| Model | Methods | Tokens of an example, the rest is cut | Images | Encoding | {known.prices.currency} |"
    yield "|---|---|---|---|---|---|"
    for model in known.models.values():
        tokens = f"{model.example_tokens:,}" if model.example_tokens else "not known"
        cells = [model.name, ", ".join(model.methods), tokens, "yes" if model.vision else "no", model.encoding]
        yield f"| {' | '.join(cells)} | {_price(known.prices, model.name)} |"


def _price(prices: tuning.Prices, model: str) -> str:
    found = [f"{kind} {price:.2f} a million tokens" for kind, price in prices.per_million_tokens.get(model, {}).items()]
    if model in prices.per_hour:
        found.append(f"{prices.per_hour[model]:,} an hour")
    return ", ".join(found) or "price unknown"
