"""What `hearth data check` is measured against: a parser, a plain loop with the same checks, the encoder."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import orjson

from infra.training import tokens

PARSERS: dict[str, Callable[[bytes], Any]] = {"orjson": orjson.loads, "msgspec": msgspec.json.Decoder().decode}
_KEYS = {"role", "content", "name", "weight", "tool_calls", "tool_call_id", "function_call"}
_ROLES = {"system", "developer", "user", "assistant", "tool"}


def parse(file: Path, parser: str) -> None:
    """Parse every line, do nothing with it."""
    read = PARSERS[parser]
    with file.open("rb") as lines:
        for line in lines:
            read(line)


def plain(file: Path) -> tuple[int, dict[str, int]]:
    """The checks of chat data as one would write them down: json.loads a line, dictionaries, a set for duplicates.

    Gives the number of faults, and the characters of every role.
    """
    faults, seen, roles, sizes = 0, set(), dict.fromkeys(sorted(_ROLES), 0), []
    with file.open("rb") as lines:
        for line in lines:
            try:
                example = json.loads(line)
            except (ValueError, RecursionError):
                faults += 1
                continue
            if not isinstance(example, dict) or not isinstance(example.get("messages"), list):
                faults += 1
                continue
            faults += sum(key not in {"messages", "tools", "parallel_tool_calls"} for key in example)
            size, said, counts = 0, [], False
            for message in example["messages"]:
                if not isinstance(message, dict) or message.get("role") not in _ROLES:
                    faults += 1
                    continue
                role, content = message["role"], message.get("content")
                faults += any(key not in _KEYS for key in message)
                if not isinstance(content, str) or not content:
                    faults += 1
                    continue
                weight = message.get("weight", 1)
                faults += weight not in {0, 1} or ("weight" in message and role != "assistant")
                counts = counts or (role == "assistant" and weight == 1)
                roles[role] += len(content)
                size += len(content)
                said.append((role, content, weight))
            faults += not said or said[-1][0] != "assistant" or not counts
            digest = hashlib.blake2b(repr(said).encode(), digest_size=8).digest()
            faults += digest in seen
            seen.add(digest)
            sizes.append(size)
    return faults, roles


def _texts(file: Path, part: int, parts: int) -> list[str]:
    with file.open("rb") as lines:
        return [
            message["content"]
            for number, line in enumerate(lines)
            if number % parts == part
            for message in orjson.loads(line)["messages"]
        ]


def _count(file: Path, part: int, parts: int, barrier: Any, times: Any) -> None:
    texts, count = _texts(file, part, parts), tokens.counter("o200k_base")
    assert count  # noqa: S101
    barrier.wait()
    started = time.perf_counter()
    total = sum(map(count, texts))
    times.put((time.perf_counter() - started, total))


def encode(file: Path, processes: int) -> float:
    """Seconds to count the tokens of all texts, which are in memory already, on so many cores."""
    context = multiprocessing.get_context("fork")
    barrier, times = context.Barrier(processes), context.Queue()
    workers = [
        context.Process(target=_count, args=(file, part, processes, barrier, times)) for part in range(processes)
    ]
    for worker in workers:
        worker.start()
    found = [times.get() for _ in workers]
    for worker in workers:
        worker.join()
    return max(seconds for seconds, _ in found)


if __name__ == "__main__":
    what, path = sys.argv[1], Path(sys.argv[2])
    started = time.perf_counter()
    if what in PARSERS:
        parse(path, what)
    elif what == "plain":
        assert plain(path)[0] == 0  # noqa: S101
    seconds = encode(path, int(sys.argv[3])) if what == "encode" else time.perf_counter() - started
    sys.stdout.write(f"{seconds}\n")
