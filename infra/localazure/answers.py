"""What a model says: made up but not arbitrary.

The same question to the same model gets the same answer, and the answer names the model, so that a person sees which
one is behind a deployment. A model that was tuned here says what it learned (`recall`).
"""

from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import dataclass

import msgspec

from infra.localazure import contentfilter, errors, schemas
from infra.localazure.entities import Json

LONGEST_ECHO = 200
PER_MESSAGE, PER_ANSWER = 3, 3
"""Tokens that the models count for the frame of each message, and for the start of the answer."""
THINKING = {"none": 0, "minimal": 0, "low": 32, "medium": 64, "high": 128}
"""Tokens that a reasoning model spends before it answers, by effort; figures of ours."""
_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model is made to call."""

    name: str
    parameters: object = None
    """The JSON schema of its arguments."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of a model."""

    model: str
    question: str
    """The text of the last message: what the answer repeats."""
    prompt: str
    """The text of the whole conversation: what the content filter looks at."""
    most: int | None = None
    """Most tokens of the answer, thinking included."""
    stop: tuple[str, ...] = ()
    form: object = None
    """The JSON schema of the answer; an empty one for any object; None for plain text."""
    form_name: str = ""
    tool: Tool | None = None
    thinking: int = 0
    learned: str | None = None
    """What the model learned to say to such a question; None where it learned nothing like it."""


@dataclass(frozen=True, slots=True)
class Said:
    """An answer: text, or the arguments of a call."""

    text: str
    finish: str
    """stop, length, tool_calls or content_filter."""
    tokens: int
    """Tokens of the answer, thinking included."""
    thinking: int
    verdict: Json
    """What the content filter says of the answer."""
    tool: str | None = None
    """The function to call with `text` as its arguments."""


def answer(wish: Wish) -> Said:
    """What a model says; raises the refusal of a schema that local Azure cannot make a value for."""
    verdict, filtered = contentfilter.of_answer(wish.prompt)
    thinking = wish.thinking if wish.most is None else min(wish.thinking, wish.most)
    if filtered:
        return Said("", "content_filter", thinking, thinking, verdict)
    text, finish = _text(wish), "tool_calls" if wish.tool else "stop"
    if wish.tool is None:
        text = _until(text, wish.stop)
    room = None if wish.most is None else wish.most - thinking
    if room is not None and count_tokens(text) > room:
        text, finish = text[: _TOKEN * room], "length"
    return Said(text, finish, thinking + count_tokens(text), thinking, verdict, wish.tool.name if wish.tool else None)


def _text(wish: Wish) -> str:
    echo = wish.question
    if len(echo) > LONGEST_ECHO:
        echo = echo[: LONGEST_ECHO - 1] + "…"
    if wish.tool is not None:
        return _made(wish.tool.parameters or {"type": "object"}, echo, wish.tool.name)
    if wish.form is None and wish.learned is not None:
        return wish.learned
    if wish.form is None:
        return f"{wish.model} here. You asked: {echo}"
    if not wish.form:
        return _json({"model": wish.model, "asked": echo})
    return _made(wish.form, f"{wish.model} here. You asked: {echo}", wish.form_name)


def _made(schema: object, text: str, name: str) -> str:
    try:
        return _json(schemas.example(schema, text))
    except schemas.Unsupported as error:
        raise errors.SCHEMA_NOT_MADE(name=name, fact=error) from error


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _until(text: str, stops: tuple[str, ...]) -> str:
    found = [at for at in (text.find(stop) for stop in stops if stop) if at >= 0]
    return text[: min(found)] if found else text


def count_tokens(text: str) -> int:
    """A steady estimate of tokens: one for every four characters."""
    return math.ceil(len(text) / _TOKEN)


def pieces(text: str) -> list[str]:
    """The text cut into its tokens."""
    return [text[at : at + _TOKEN] for at in range(0, len(text), _TOKEN)]


def fingerprint(model: str) -> str:
    """A steady fingerprint of a model."""
    return "fp_" + hashlib.sha256(model.encode()).hexdigest()[:10]


def embedding(model: str, text: str, dimensions: int) -> list[float]:
    """A vector of length 1 that is always the same for a text, and another for another."""
    raw = hashlib.shake_256(f"{model}\n{text}".encode("utf-8", "surrogatepass")).digest(4 * dimensions)
    numbers = [n / 2**31 for n in struct.unpack(f"<{dimensions}i", raw)]
    length = math.sqrt(sum(n * n for n in numbers)) or 1.0
    return [n / length for n in numbers]
