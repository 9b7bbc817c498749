"""Chat data of any size for the benchmarks: distinct examples of 300 to 3,000 bytes."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

_SUBJECTS = ["The parcel", "Your order", "The invoice", "Our warehouse", "A colleague", "The driver", "Le colis"]
_VERBS = ["left", "reached", "was scanned at", "is waiting in", "was sent back to", "leaves", "is on its way to"]
_PLACES = ["Gävle", "the depot in Lyon", "your neighbour's house", "our counter", "Malmö harbour", "Zürich"]
_TIMES = ["this morning", "on Tuesday at 14:35", "two days ago", "after the customs check", "before 9 o'clock"]
_ENDS = [".", ", as far as we can see.", " — I am sorry.", "; the number is {}.", ", and it weighs {} grams.", "!"]
OPENING = "You help customers of a shop."
INSTRUCTIONS = (
    "You help customers of a shop that sends parcels to all of Europe. Answer in the language of the question, in at "
    "most three sentences, and never promise a day that the carrier has not named. When a parcel is late by more than "
    "five days, offer to send it again or to give the money back, and ask for the number of the order if it was not "
    "told. Do not speak of other customers, of prices of other shops, nor of how you were made. Where a person is "
    "angry, say that you are sorry once, and then what happens next. Where you do not know, say so, and name the "
    "address support@example.com."
)
"""What an example of one task has before it: the same in all of them."""


def write(file: Path, size: int, seed: int = 1, opening: str = OPENING, *, turns: Turns = "many") -> None:
    """Write at least `size` bytes, always the same for a seed; every example begins with the same system message.

    `turns`: many short ones, about eleven messages an example, or one question with its answer, as in GSM8K.
    """
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    sentences = [_sentence(chance) for _ in range(20_000)]
    written = number = 0
    with file.open("w", encoding="utf-8", newline="\n") as out:
        while written < size:
            number += 1
            messages = [{"role": "system", "content": opening}, *_TURNS[turns](chance, sentences, number, opening)]
            line = json.dumps({"messages": messages}, ensure_ascii=False) + "\n"
            written += len(line.encode())
            out.write(line)


def _sentence(chance: random.Random) -> str:
    words = (chance.choice(part) for part in (_SUBJECTS, _VERBS, _PLACES, _TIMES))
    return " ".join(words) + chance.choice(_ENDS).format(chance.randrange(100_000))


def _many(chance: random.Random, sentences: list[str], number: int, opening: str) -> Iterator[dict[str, str]]:
    """Messages for a line of 300 to 3,000 bytes, unless the opening is longer."""
    wanted, length = chance.randrange(330, 2650), 31 + len(opening)
    while True:
        turn = chance.choices(sentences, k=1 + chance.randrange(3))
        yield {"role": "user", "content": f"[{number}] {turn[0]}"}
        yield {"role": "assistant", "content": " ".join(turn)}
        length += 100 + sum(map(len, turn)) + len(turn[0])
        if length >= wanted:
            return


def _one(chance: random.Random, sentences: list[str], number: int, opening: str) -> Iterator[dict[str, str]]:
    """The same with a question of a quarter, and its answer."""
    wanted = chance.randrange(330, 2650) - 131 - len(opening)
    said = {"user": f"[{number}]", "assistant": ""}
    for role, least in (("user", wanted // 4), ("assistant", wanted * 3 // 4)):
        while len(said[role]) < least or not said[role]:
            said[role] = f"{said[role]} {chance.choice(sentences)}".lstrip()
        yield {"role": role, "content": said[role]}


Turns = Literal["one", "many"]
_TURNS: dict[Turns, Callable[[random.Random, list[str], int, str], Iterator[dict[str, str]]]] = {
    "one": _one,
    "many": _many,
}
