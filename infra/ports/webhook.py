"""Notices to people over a webhook. Its address opens to whoever knows it, so no message and no error holds it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from infra.errors import Refused, Unreachable
from infra.ports.cloud import brief

TRIES = 4
_TIMEOUT = (5, 15)
"""Seconds to connect and to wait for an answer."""
_LONGEST_WAIT = 30.0
_PASSING = {408, 425, 429, 500, 502, 503, 504}


def send(address: str, body: dict[str, Any], *, wait: Callable[[float], None] = time.sleep) -> None:
    """Post a notice; tried again where that may help. Raises Refused or Unreachable, which name the host alone."""
    import requests

    host = _host(address)
    problem: Exception = Unreachable(f"The webhook at {host} was not asked")
    for number in range(TRIES):
        pause = 2.0**number
        try:
            # A redirect would take the notice to somebody who was not named.
            answer = requests.post(address, json=body, timeout=_TIMEOUT, allow_redirects=False)
        except (requests.RequestException, ValueError) as error:
            problem = Unreachable(f"The webhook at {host} does not answer: {_fact(error)}")
        else:
            if answer.status_code // 100 == 2:
                return
            problem = Refused(f"The webhook at {host} did not take the notice: HTTP {answer.status_code}")
            if answer.status_code not in _PASSING:
                break
            pause = _asked(answer.headers.get("Retry-After", ""), pause)
        if number < TRIES - 1:
            wait(pause)
    raise problem from None


def _host(address: str) -> str:
    try:
        return urlsplit(address).hostname or "an address without a host"
    except ValueError:
        return "an address that is none"


def _fact(error: Exception) -> str:
    """What went wrong in words of ours; the library's own text may hold the address."""
    fact = brief(error)
    return type(error).__name__ if fact in " ".join(str(error).split()) else fact


def _asked(said: str, otherwise: float) -> float:
    """Seconds that the host asks for, within reason."""
    return min(float(said), _LONGEST_WAIT) if said.isdigit() else otherwise
