"""A file of prompts: JSONL, a prompt a line with what its answer must be. Every mistake is told at once, with its line.

{"prompt": "Where is my parcel?", "expect": {"contains": "tracking number"}}
{"name": "json", "messages": [{"role": "system", "content": "…"}, …], "expect": {"jsonSchema": {…}}, "maxTokens": 99}
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from infra.errors import Mistake, SpecError
from infra.proofs.expectations import Expect, cut, rules
from infra.spec.documents import show
from infra.spec.model import Count, Written, check
from infra.spec.reading import BAD, Reader, Rule, describe

MOST_PROMPTS = 2_000
LARGEST = 10_000_000
"""Bytes of a file."""
USUAL_TOKENS = 800
"""Most tokens of an answer, unless a prompt says otherwise."""


class _Message(Written, frozen=True):
    """One message of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, check("said")]


class _Line(Written, frozen=True):
    """One line of the file."""

    expect: Expect
    prompt: Annotated[str, check("said")] | None = None
    messages: list[_Message] | None = None
    name: str | None = None
    max_tokens: Count = USUAL_TOKENS


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt with what its answer must be."""

    line: int
    name: str
    messages: tuple[dict[str, str], ...]
    expect: Expect
    most_tokens: int = USUAL_TOKENS

    @property
    def title(self) -> str:
        """What messages call it."""
        return f"line {self.line}{f' ({cut(self.name, 40)})' if self.name else ''}"


@dataclass(frozen=True, slots=True)
class PromptFile:
    """The prompts of a file, and what tells this text of it from any other."""

    prompts: tuple[Prompt, ...]
    sha256: str
    """Of its bytes, in hexadecimal."""


def read(path: Path, shown: str = "") -> PromptFile:
    """A file of prompts, which messages call `shown`. Raises SpecError with every mistake."""
    shown = shown or str(path)
    raw = _bytes(path, shown)
    lines, mistakes = _lines(raw, shown)
    known = {**rules(), "said": Rule(_said, {})}
    found = [_prompt(number, text, shown, known, mistakes) for number, text in lines]
    prompts = [one for one in found if one is not None]
    if not mistakes and not prompts:
        mistakes.append(Mistake(shown, 0, "", "has no prompts; write one a line"))
    if len(found) > MOST_PROMPTS:
        mistakes.append(Mistake(shown, 0, "", f"has {len(found):,} prompts, and {MOST_PROMPTS:,} are the most"))
    if mistakes:
        raise SpecError(mistakes)
    return PromptFile(tuple(prompts), hashlib.sha256(raw).hexdigest())


def _bytes(path: Path, shown: str) -> bytes:
    try:
        if path.stat().st_size <= LARGEST:
            return path.read_bytes()
        wrong = f"is larger than {LARGEST // 1_000_000} MB"
    except FileNotFoundError:
        wrong = "does not exist"
    except OSError as error:
        wrong = f"cannot be read: {error.strerror or type(error).__name__}"
    raise SpecError([Mistake(shown, 0, "", wrong)])


def _lines(raw: bytes, shown: str) -> tuple[list[tuple[int, str]], list[Mistake]]:
    """The lines that are not blank, by number."""
    lines, mistakes = list[tuple[int, str]](), list[Mistake]()
    for number, line in enumerate(raw.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            mistakes.append(Mistake(shown, number, "", "is not UTF-8 text; save the file as UTF-8"))
            continue
        if text.strip():
            lines.append((number, text))
    return lines, mistakes


def _prompt(number: int, text: str, shown: str, known: dict[str, Rule], mistakes: list[Mistake]) -> Prompt | None:
    """The prompt of a line; None where something in it is wrong, which is noted."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        fact = f"column {error.colno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else "it is too deep"
        mistakes.append(Mistake(shown, number, "", f"is no JSON ({fact}); each line is a prompt of its own"))
        return None
    if not isinstance(value, dict):
        mistakes.append(Mistake(shown, number, "", f'must be a mapping such as {{"prompt": …}}, not {describe(value)}'))
        return None
    reader = Reader(known)
    line = reader.read(value, _Line, ())
    wrong = [*reader.mistakes, *_sense(value)]
    mistakes += [Mistake(shown, number, show(at), text) for at, text in wrong]
    if wrong or line is BAD:
        return None
    told = line.messages or [_Message(role="user", content=line.prompt)]
    messages = tuple({"role": m.role, "content": m.content} for m in told)
    return Prompt(number, line.name or "", messages, line.expect, line.max_tokens)


def _sense(value: dict[str, Any]) -> list[tuple[tuple[str | int, ...], str]]:
    """What is wrong beyond each key of a line."""
    found: list[tuple[tuple[str | int, ...], str]] = []
    if (value.get("prompt") is None) == (value.get("messages") is None):
        found.append(((), "must have exactly one of prompt and messages"))
    if value.get("messages") == []:
        found.append((("messages",), "must hold a message at least"))
    expect = value.get("expect")
    if isinstance(expect, dict) and not any(item is not None for item in expect.values()):
        found.append((("expect",), "expects nothing; add text, contains, regex, jsonSchema or similar"))
    return found


def _said(value: str) -> str:
    """Something that can be sent."""
    if not value.strip():
        raise ValueError("is empty; write what to ask")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("holds half a character (a lone surrogate), which cannot be sent") from None
    return value
