"""Values that somebody could write: plain ones, and words that are almost right."""

from __future__ import annotations

import copy
import string
from typing import Any

from hypothesis import strategies as st

WORDS = st.sampled_from(
    [
        *("standard", "GLOBALSTANDARD", "Standart", "ping", "Off", "pong", "none", "OpenAI", "serving", "restore"),
        *("10d", "1h30m", "10", "15d", "swedencentral", "Sweden Central", "reader", "Cognitive Services OpenAI User"),
        *("203.0.113.7", "10.0.0.0/8", "::1", "/subscriptions/a/b", "/subscriptions/a", "contoso", "Contoso_1", "rg."),
        *("9f1c0a52-1111-4222-8333-444455556666", "9F1C0A52-1111-4222-8333-444455556666", "support-bot", "../x", ""),
        *("gpt-4.1-mini-2025-04-14.ft-1", "ftchkpt-" + "0" * 32, "Group", "noautoupgrade", "a" * 65, "true", "1"),
    ]
)
PRINTED = st.text(alphabet=string.ascii_letters + string.digits + string.punctuation + " ", max_size=12)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 1000)
    | st.floats(allow_nan=False, allow_infinity=False)
    | PRINTED
    | WORDS
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PRINTED | WORDS, inner, max_size=3),
    max_leaves=5,
)
"""Whatever YAML can hold, with text that fits in one line."""

Step = str | int


def places(value: Any, way: tuple[Step, ...] = ()) -> list[tuple[Step, ...]]:
    """Every place in a value, but the whole of it."""
    items: list[tuple[Step, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [place for step, item in items for place in ((*way, step), *places(item, (*way, step)))]


@st.composite
def spoilt(draw: st.DrawFn, good: dict[str, Any], *, keep: int = 0) -> dict[str, Any]:
    """A good value with something replaced, left out or added in one or two places; `keep`: levels that lose no key."""
    made = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 2))):
        *way, last = draw(st.sampled_from(places(made)))
        around: Any = made
        for step in way:
            around = around[step]
        act = draw(st.sampled_from(["replace", "replace", "drop", "add"]))
        if act == "replace" or len(way) < keep:
            around[last] = draw(VALUES)
        elif act == "drop":
            del around[last]
        elif isinstance(around, dict):
            around[draw(PRINTED | WORDS)] = draw(VALUES)
        else:
            around.append(draw(VALUES))
    return made
