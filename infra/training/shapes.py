"""The shapes that an example can have, and which one a file is of."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Shape = Literal["chat", "preference", "reinforcement", "completion"]
NAMES: dict[Shape, str] = {
    "chat": "chat examples",
    "preference": "preference pairs (DPO)",
    "reinforcement": "reinforcement prompts (RFT)",
    "completion": "prompt and completion",
}
METHODS: dict[Shape, str] = {
    "chat": "supervised",
    "preference": "dpo",
    "reinforcement": "reinforcement",
    "completion": "supervised",
}


def of_example(example: dict[str, Any]) -> Shape | None:
    """The shape of one example by its keys; None: of none. Reinforcement data looks like chat that the user ends."""
    if "messages" in example:
        messages = example["messages"]
        last = messages[-1] if isinstance(messages, list) and messages else None
        return "reinforcement" if isinstance(last, dict) and last.get("role") == "user" else "chat"
    if example.keys() & {"preferred_output", "non_preferred_output"}:
        return "preference"
    if example.keys() & {"prompt", "completion"}:
        return "completion"
    return None


def recognise(head: bytes) -> Shape:
    """The shape of most of a file's first lines; chat where they tell nothing."""
    votes: dict[Shape, int] = {"chat": 0, "preference": 0, "reinforcement": 0, "completion": 0}
    for line in head.split(b"\n")[:200]:
        try:
            example = msgspec.json.decode(line)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            continue
        if isinstance(example, dict) and (shape := of_example(example)):
            votes[shape] += 1
    return max(votes, key=lambda shape: votes[shape])
