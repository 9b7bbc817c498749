"""What the engine said of a run, from its log of events: what it changed, and why it failed, in one line. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

Concern = Literal["target", "network", "login", "secrets", "disk"]
"""Whom a failure concerns: this target alone, or, of the machine that all targets share, its way to the cloud,
the login to Azure, the passphrase of the stacks' secrets, or the disk."""

_SAYS_NOTHING = re.compile(r"^(update failed|preview failed|one or more .*(failed|errors)|.*: update failed)\.?$", re.I)
_LOGIN = re.compile(
    r"AADSTS\d+|\baz login\b|No login (to Azure )?(was )?found|ExpiredAuthenticationToken|InvalidAuthenticationToken|"
    r"failed to acquire a token|DefaultAzureCredential|the login in the environment",
    re.I,
)
_SECRETS = re.compile(r"incorrect passphrase|passphrase must be set", re.I)
_DISK = re.compile(r"no space left on device|disk quota exceeded", re.I)
_NETWORK = re.compile(
    r"metadata host \S+( \(ARM_METADATA_HOSTNAME\))? does not answer|login server cannot be reached|"
    r"lookup (management\.azure\.com|login\.microsoftonline\.com)",
    re.I,
)
"""What every target needs to be reached: one region that is down is none of it."""
_SHARED: dict[Concern, re.Pattern[str]] = {"disk": _DISK, "network": _NETWORK, "login": _LOGIN, "secrets": _SECRETS}
_LONGEST = 600
"""Characters of a reason: more is in the log."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run failed."""

    text: str
    """One line; empty where the engine did not say."""
    concern: Concern = "target"


@dataclass(slots=True)
class Run:
    """What one run of the engine told."""

    changes: dict[str, int] = field(default_factory=dict)
    """Operation → number of resources; those that stayed the same are left out."""
    errors: list[tuple[str, str]] = field(default_factory=list)
    """Resource's URN, which may be empty, and what went wrong with it."""
    failed: list[str] = field(default_factory=list)
    """URNs of resources that could not be written."""
    under_way: dict[str, str] = field(default_factory=dict)
    """URN → operation, of what was begun and not ended."""
    ended: bool = False
    """Whether the engine came to its own end, good or bad."""


def read(events: str) -> Run:
    """A run from the lines of its event log; a last line that a kill cut short is passed over."""
    run = Run()
    for event in _events(events):
        if (found := event.get("diagnosticEvent")) and found.get("severity") in {"error", "info#err"}:
            if found["severity"] == "error":
                run.errors.append((found.get("urn") or "", str(found.get("message", ""))))
        elif found := event.get("resourcePreEvent"):
            what = found["metadata"]
            if what["op"] not in {"same", "read"}:
                run.under_way[what["urn"]] = what["op"]
        elif found := event.get("resOutputsEvent"):
            run.under_way.pop(found["metadata"]["urn"], None)
        elif found := event.get("resOpFailedEvent"):
            run.under_way.pop(found["metadata"]["urn"], None)
            run.failed.append(found["metadata"]["urn"])
        elif found := event.get("summaryEvent"):
            run.ended = True
            run.changes = {op: n for op, n in (found.get("resourceChanges") or {}).items() if op != "same"}
    return run


def failure(run: Run, said: str) -> Failure:
    """The first thing that went wrong, told of its resource; `said` is all that the engine printed."""
    texts = [(urn, text) for urn, text in ((u, _line(t)) for u, t in run.errors) if text]
    if not texts:
        texts = [("", line) for line in map(_line, re.findall(r"^\s*error: (.*)$", said, re.M)) if line]
    whole = "\n".join(text for _, text in run.errors) + said
    concern: Concern = "target"
    for shared, telling in _SHARED.items():
        if telling.search(whole):
            concern, texts = shared, [(urn, text) for urn, text in texts if telling.search(text)] or texts
            break
    if not texts:
        return Failure("", concern)
    urn, text = texts[0]
    name = urn.rsplit("::", 1)[-1] if urn and ":pulumi:Stack::" not in urn else ""
    return Failure(f"{name}: {text}" if name and name not in text else text, concern)


def _events(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict):
            yield event


def _line(message: str) -> str:
    """What a message tells, in one line: without the engine's own words around it, and without a traceback."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", message).strip()
    if "Traceback (most recent call last)" in text:
        lines = [line for line in text.splitlines() if line.strip()]
        text = lines[-1]
    text = re.sub(r"^(error: )+", "", text)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    lines = [line for line in lines if not _SAYS_NOTHING.match(line)]
    joined = " ".join(lines)
    return joined if len(joined) <= _LONGEST else f"{joined[:_LONGEST]} …"
