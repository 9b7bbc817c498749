"""Counting tokens without a network: the encodings ship inside the package bpe-openai.

Its ranks have the SHA-256 that OpenAI's own tiktoken demands of what it downloads (looked at on 2026-11-23, version
0.1.4), and both count alike.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib import util
from importlib.machinery import PathFinder
from typing import Any

MESSAGE, EXAMPLE = 4, 3
"""Tokens around a message (its role among them) and around an example: OpenAI cookbook, counting tokens for chat."""


@cache
def counter(encoding: str) -> Callable[[str], int] | None:
    """A function that counts the tokens of a text; None where this machine has no such encoding."""
    native = _native()
    if native is None or encoding not in native.supported_encodings():
        return None
    count: Callable[[str], int] = native.tokenizer_for_encoding(encoding).count
    count("warm")
    return count


@cache
def _native() -> Any:
    """The native part of bpe-openai alone: its Python part reads all ranks a second time, for half a second and 90 MB.

    None where there is no wheel for this platform.
    """
    package = util.find_spec("bpe_openai")
    folders = package.submodule_search_locations if package else None
    spec = PathFinder.find_spec("bpe_openai._bindings", folders) if folders else None
    if spec is None or spec.loader is None:
        return None
    module = util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
