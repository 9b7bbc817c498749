"""Data that break the rules, one case a rule at least: what lies in `broken/`, and what is made for the test."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from infra.training.dataset import Asked

HERE = Path(__file__).parent
BROKEN = sorted((HERE / "broken").glob("*.jsonl"))
SOUND = sorted((HERE / "sound").glob("*.jsonl"))
CHAT = HERE / "sound" / "chat.jsonl"


def chat(question: str, answer: str = "It left us today.", **more: Any) -> dict[str, Any]:
    """An example."""
    return {"messages": [{"role": "user", "content": question}, {"role": "assistant", "content": answer}], **more}


def write(file: Path, *examples: dict[str, Any] | bytes) -> Path:
    """Sound examples, and more behind them: from line 12 on."""
    with file.open("wb") as out:
        out.write(CHAT.read_bytes())
        for example in examples:
            out.write((example if isinstance(example, bytes) else json.dumps(example).encode()) + b"\n")
    return file


def _picture(data: str) -> dict[str, Any]:
    content = [{"type": "image_url", "image_url": {"url": data}}]
    return {"messages": [{"role": "user", "content": content}, {"role": "assistant", "content": "A lamp."}]}


def committed(file: Path) -> Asked:
    """A file of `broken/` is named for the rule that it breaks."""
    return Asked([file], model="gpt-4.1-mini" if file.stem == "image-model" else None, counting="none")


def unreadable(folder: Path) -> Asked:
    return Asked([folder])


def empty(folder: Path) -> Asked:
    (folder / "a.jsonl").touch()
    return Asked([folder / "a.jsonl"])


def too_large(folder: Path) -> Asked:
    return Asked([CHAT], file_bytes=2_000)


def compressed(folder: Path) -> Asked:
    (folder / "a.jsonl").write_bytes(gzip.compress(CHAT.read_bytes()))
    return Asked([folder / "a.jsonl"])


def encoding(folder: Path) -> Asked:
    (folder / "a.jsonl").write_text(CHAT.read_text("utf-8"), "utf-16")
    return Asked([folder / "a.jsonl"])


def carriage_returns(folder: Path) -> Asked:
    (folder / "a.jsonl").write_bytes(CHAT.read_bytes().replace(b"\n", b"\r"))
    return Asked([folder / "a.jsonl"])


def line_too_long(folder: Path) -> Asked:
    return Asked([write(folder / "a.jsonl", chat("a" * (20 << 20)), chat("Where is it?"))])


def too_deep(folder: Path) -> Asked:
    return Asked([write(folder / "a.jsonl", b'{"messages": ' + b"[" * 200_000 + b"]" * 200_000 + b"}")])


def image_size(folder: Path) -> Asked:
    return Asked([write(folder / "a.jsonl", _picture("data:image/png;base64," + "A" * 13_400_000))])


def image_examples(folder: Path) -> Asked:
    line = json.dumps(_picture("https://example.com/NUMBER.png"))
    many = (line.replace("NUMBER", str(number)).encode() for number in range(50_001))
    return Asked([write(folder / "a.jsonl", *many)], counting="none")


def overlap(folder: Path) -> Asked:
    return Asked([CHAT], [write(folder / "a.jsonl")])


def cut(folder: Path) -> Asked:
    return Asked([write(folder / "a.jsonl", chat("why " * 70_000))], model="gpt-4.1")


def too_many_tokens(folder: Path) -> Asked:
    return Asked([CHAT], epochs=10_000_000)


def model(folder: Path) -> Asked:
    return Asked([CHAT], model="gpt-4.1-mini-2025-04-41")


def model_method(folder: Path) -> Asked:
    return Asked([CHAT], model="o4-mini")


def changed(folder: Path) -> Asked:
    """The test shortens the file while it is read."""
    line = json.dumps(chat("why " * 1000)).encode()
    return Asked([write(folder / "a.jsonl", *[line.replace(b"why", b"%d" % n, 1) for n in range(1500)])], processes=1)


MADE: dict[str, Callable[[Path], Asked]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        unreadable, empty, too_large, compressed, encoding, carriage_returns, line_too_long, too_deep, image_size,
        image_examples, overlap, cut, too_many_tokens, model, model_method, changed,
    )
}  # fmt: skip


def unreadables(folder: Path) -> list[Path]:
    """What is no file that can be read."""
    locked, pipe = folder / "locked", folder / "pipe"
    locked.write_text("{}")
    locked.chmod(0)
    os.mkfifo(pipe)
    return [folder, pipe, folder / "absent", folder / "n\0l", Path("/dev/zero"), *([locked] if os.getuid() else [])]
