"""What is in a file of training data, found out once, when the file is processed.

What is no JSON Lines is refused there, as the service refuses it; of what form the examples are is kept for the job
that is to learn from them.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from infra.localazure import answers
from infra.localazure.entities import Facts, Json

CHAT, COMPLETION, PREFERENCE, REINFORCEMENT, NONE = "chat", "completion", "preference", "reinforcement", "none"
SKETCH = 256
"""How many of the smallest digests of its lines a sketch holds."""
_SAMPLE = 256 * 1024
"""Bytes of answers whose variety stands for all of them."""
_BOM = b"\xef\xbb\xbf"
_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
_decode = msgspec.json.Decoder(Json).decode


class BadData(Exception):
    """The file is no JSON Lines; the text says why."""


def examine(lines: Iterable[bytes]) -> Facts:
    """The facts of a file of training data; raises BadData."""
    examples = tokens = strange = 0
    form = NONE
    seen: set[int] = set()
    sample = bytearray()
    for number, example in _examples(lines):
        examples += 1
        of = form_of(example[0])
        if examples == 1:
            form = of
        elif of != form and not strange:
            strange = number
        tokens += _tokens(example[0])
        seen.add(int.from_bytes(hashlib.blake2b(example[1], digest_size=8).digest()))
        if len(sample) < _SAMPLE:
            sample += "\n".join(answer for _, answer in lessons(example[0])).encode("utf-8", "surrogatepass")
    if not examples:
        raise BadData("No valid json line found in file.")
    return Facts(
        examples=examples,
        unique=len(seen),
        tokens=tokens,
        variety=_variety(bytes(sample)),
        form=form,
        strange_line=strange,
        sketch=sorted(seen)[:SKETCH],
    )


def in_common(part: list[int], whole: list[int]) -> float:
    """Which share of one file's lines is in another one too, by their sketches."""
    if not part or not whole:
        return 0.0
    reach = max(whole) if len(whole) == SKETCH else float("inf")
    told = [digest for digest in part if digest <= reach]
    held = set(whole)
    return sum(digest in held for digest in told) / len(told) if told else 0.0


def form_of(example: Json) -> str:
    """Of what form an example is."""
    if {"input", "preferred_output", "non_preferred_output"} <= example.keys():
        asked = example["input"]
        sides = (example["preferred_output"], example["non_preferred_output"])
        sound = isinstance(asked, dict) and _is_talk(asked.get("messages")) and all(_is_talk(side) for side in sides)
        return PREFERENCE if sound else NONE
    if "messages" in example:
        talk = example["messages"]
        if not _is_talk(talk):
            return NONE
        return CHAT if talk[-1]["role"] == "assistant" else REINFORCEMENT
    pair = (example.get("prompt"), example.get("completion"))
    return COMPLETION if all(isinstance(side, str) for side in pair) else NONE


def lessons(example: Json) -> Iterator[tuple[str, str]]:
    """Question and answer, as often as an example has them: what a model that learned from it says to what."""
    form = form_of(example)
    if form == COMPLETION:
        yield example["prompt"], example["completion"]
    elif form == PREFERENCE:
        question = next((text(m) for m in reversed(example["input"]["messages"]) if m["role"] == "user"), "")
        yield question, text(example["preferred_output"][-1])
    elif form == CHAT:
        question = ""
        for message in example["messages"]:
            if message["role"] == "user":
                question = text(message)
            elif message["role"] == "assistant" and message.get("weight", 1) and text(message):
                yield question, text(message)


def text(message: Json) -> str:
    """The text of a message, its parts included."""
    content = message.get("content")
    if isinstance(content, list):
        return "\n".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def decoded(lines: Iterable[bytes]) -> Iterator[Json]:
    """The examples of a file that was processed."""
    return (example for _, (example, _) in _examples(lines))


def _examples(lines: Iterable[bytes]) -> Iterator[tuple[int, tuple[Json, bytes]]]:
    """Each example with its line and the line's number; raises BadData."""
    for number, line in enumerate(lines, 1):
        whole = (line.removeprefix(_BOM) if number == 1 else line).strip()
        if not whole:
            continue
        try:
            yield number, (_decode(whole), whole)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise BadData(f"Line {number} is not a valid json object: {error}") from error


def _is_talk(found: Any) -> bool:
    return (
        isinstance(found, list)
        and bool(found)
        and all(isinstance(m, dict) and isinstance(m.get("role"), str) and m["role"] in _ROLES for m in found)
    )


def _tokens(example: Json) -> int:
    """Tokens of an example by the same steady estimate that answers are counted with."""
    if "messages" in example or "input" in example:
        asked = example.get("input")
        talks = [example.get("messages"), asked.get("messages") if isinstance(asked, dict) else None]
        talks += [example.get("preferred_output"), example.get("non_preferred_output")]
        messages = [m for talk in talks if isinstance(talk, list) for m in talk if isinstance(m, dict)]
        return sum(answers.PER_MESSAGE + 1 + answers.count_tokens(text(m)) for m in messages) + answers.PER_ANSWER
    return sum(answers.count_tokens(value) for value in example.values() if isinstance(value, str))


def _variety(sample: bytes) -> float:
    return min(1.0, len(zlib.compress(sample, 1)) / len(sample)) if sample else 0.5
