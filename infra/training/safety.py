"""Safety evaluations that a job did not pass: what Azure found, and what to do about it.

Azure looks at the data before it trains, and at the model after it; neither run is billed when it fails so (Learn,
"Customize a model with fine-tuning", safety evaluation, as of October 2026; the words are those of its examples).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_DATA = re.compile(r"failed RAI checks for harm types: \[(?P<types>[^\]]*)\]", re.IGNORECASE)
_MODEL = re.compile(r"scores above acceptable thresholds for \[(?P<types>[^\]]*)\]", re.IGNORECASE)
_LOOK = {
    "hate": "slurs and scorn at groups of people",
    "self": "talk of hurting oneself",
    "sexual": "sexual content",
    "violence": "threats, and how to hurt or kill",
    "jailbreak": "attempts to have the model forget its rules",
    "protected": "text or code under somebody's copyright",
}
"""What a harm type is about, by the beginning of its name."""


@dataclass(frozen=True, slots=True)
class Harm:
    """What a safety evaluation found."""

    of: Literal["data", "model"]
    """Of the training data, before training; or of the tuned model, after it."""
    types: tuple[str, ...]
    """As Azure names them."""

    @property
    def advice(self) -> str:
        """What to do."""
        about = "; ".join(f"{name}: {_about(name)}" for name in self.types)
        if self.of == "data":
            return (
                f"Nothing was trained and nothing is billed. Look for examples with {about}. Take them out, or let the "
                "assistant refuse in them; then train again with --again. Content that your case needs (such as "
                "moderation) takes an exception from Microsoft, by a support request."
            )
        return (
            f"The model cannot be deployed, and nothing is billed. What it says too often: {about}. Add examples in "
            "which the assistant refuses such requests, take out those that invite them, or train fewer epochs; then "
            "train again with --again."
        )


def read(message: str | None) -> Harm | None:
    """What the words of a failed job tell of harm; None where they tell of something else."""
    for of, pattern in (("data", _DATA), ("model", _MODEL)):
        found = pattern.search(message or "")
        if found is not None:
            types = tuple(name.strip() for name in found["types"].split(",") if name.strip())
            return Harm("data" if of == "data" else "model", types)
    return None


def _about(name: str) -> str:
    key = name.lower().replace(" ", "_")
    return next((text for start, text in _LOOK.items() if key.startswith(start)), "content of this type")
