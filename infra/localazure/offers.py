"""What the service tells of an account by its kind: capabilities, endpoints, call rates (`data/accounts.yaml`)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import msgspec

from infra.localazure.entities import Json


class _File(msgspec.Struct, frozen=True, rename="camel"):
    capabilities: dict[str, list[dict[str, str]]]
    endpoints: dict[str, dict[str, list[str]]]
    api_properties: dict[str, dict[str, str | None]]
    call_rates: list[tuple[str, int, int, list[tuple[str, str]]]]


@cache
def _file() -> _File:
    text = (Path(__file__).parent / "data" / "accounts.yaml").read_bytes()
    return msgspec.yaml.decode(text, type=_File)


def capabilities(kind: str) -> list[dict[str, str]]:
    """What an account of a kind can do, as `{name, value?}`."""
    return _file().capabilities[kind]


def endpoints(kind: str, address: str) -> dict[str, str]:
    """Label → address of an account's endpoints; `address` has `{host}` where the host's domain belongs."""
    found = _file().endpoints[kind]
    return {label: address.format(host=host) for host, labels in found.items() for label in labels}


def api_properties(kind: str) -> dict[str, str | None]:
    """Settings of single services that an account of a kind shows."""
    return _file().api_properties.get(kind, {})


@cache
def call_rates() -> list[Json]:
    """The rules of callRateLimit."""
    return [
        {
            "key": key,
            "renewalPeriod": seconds,
            "count": count,
            "matchPatterns": [{"path": path, "method": method} for path, method in patterns],
        }
        for key, seconds, count, patterns in _file().call_rates
    ]
