"""What a tuned model says: the answer to that question of its training data which is nearest to what it is asked.

No model runs here; but a person who tunes one shall see that it says something else afterwards, and that what it says
comes from the data. Questions are compared by their words, rare ones counting more.
"""

from __future__ import annotations

import math
import re
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from itertools import islice

import msgspec

from infra.localazure.world import World

MOST = 20_000
"""Lessons that a model keeps; of more, the first ones."""
NEAR = 0.2
"""How alike two questions must be, 0 to 1, for the one's answer to be that of the other."""
_KEPT = 4
"""Models whose lessons are held in memory at a time."""
_WORD = re.compile(r"\w+")
_LONGEST = 4000
_Lesson = tuple[str, str]


def keep(world: World, lessons: Iterable[_Lesson]) -> str | None:
    """Keep lessons as a content; None where there are none."""
    taken = list(islice(lessons, MOST))
    return world.contents.write(msgspec.json.encode(one) + b"\n" for one in taken) if taken else None


def kept(world: World, piece: str) -> Iterator[_Lesson]:
    """The lessons of a content."""
    return (msgspec.json.decode(line, type=_Lesson) for line in world.contents.lines([piece]))


class Memory:
    """The lessons of the models that were asked last."""

    def __init__(self, world: World) -> None:
        """Remember nothing yet."""
        self._world = world
        self._held: OrderedDict[str, _Index] = OrderedDict()

    def answer(self, owner: str | None, model: str, question: str) -> str | None:
        """What the tuned model of an account says to a question; None where it learned nothing like it."""
        found = self._world.models.get(f"{owner}|{model}") if owner is not None else None
        if found is None or found.lessons is None:
            return None
        index = self._held.get(found.lessons)
        if index is None:
            index = _Index(list(kept(self._world, found.lessons)))
            self._held[found.lessons] = index
            if len(self._held) > _KEPT:
                self._held.popitem(last=False)
        self._held.move_to_end(found.lessons)
        return index.nearest(question)


class _Index:
    """Lessons, to be found by the words of their questions."""

    def __init__(self, lessons: list[_Lesson]) -> None:
        self._answers = [answer for _, answer in lessons]
        counted = [Counter(_words(question)) for question, _ in lessons]
        spread = Counter(word for words in counted for word in words)
        self._rarity = {word: math.log(1 + len(lessons) / (1 + number)) + 0.1 for word, number in spread.items()}
        self._with: dict[str, list[tuple[int, float]]] = {}
        for at, words in enumerate(counted):
            length = math.sqrt(sum((n * self._rarity[word]) ** 2 for word, n in words.items())) or 1.0
            for word, n in words.items():
                self._with.setdefault(word, []).append((at, n * self._rarity[word] / length))

    def nearest(self, question: str) -> str | None:
        """The answer to the question that is most like this one; the first of those that are equally so."""
        words = Counter(_words(question))
        usual = max(self._rarity.values(), default=1.0)
        weights = {word: n * self._rarity.get(word, usual) for word, n in words.items()}
        length = math.sqrt(sum(weight**2 for weight in weights.values())) or 1.0
        alike: dict[int, float] = {}
        for word, weight in weights.items():
            for at, share in self._with.get(word, ()):
                alike[at] = alike.get(at, 0.0) + share * weight / length
        best = min(alike, key=lambda at: (-round(alike[at], 9), at), default=None)
        return self._answers[best] if best is not None and alike[best] >= NEAR else None


def _words(text: str) -> list[str]:
    return _WORD.findall(text[:_LONGEST].lower())
