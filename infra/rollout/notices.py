"""What a rollout tells: the user's own commands around a wave, and notices to people by a webhook."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Literal

import msgspec

from infra.errors import HearthError
from infra.keepalive.notify import message
from infra.ports import webhook
from infra.rollout.commands import Commands
from infra.rollout.values import Event, Wave
from infra.spec.model import Notify
from infra.spec.rollout import Commands as Hooks

NEWS: Mapping[str, str] = {
    "started": "has started",
    "waveStarted": "begins wave {wave}",
    "waveDone": "has passed wave {wave}",
    "waveFailed": "has failed in wave {wave}",
    "approvalAsked": "waits for a yes in wave {wave}",
    "paused": "is paused",
    "stepFailed": "has failed at {target}",
    "gateFailed": "was refused by gate {gate} at {target}",
    "hookFailed": "has a command that failed around wave {wave}",
    "rollbackStarted": "is being rolled back",
    "rollbackDone": "is rolled back",
    "ended": "has ended: {outcome}",
}
"""What people hear of; everything else stands in the audit trail."""
_NEXT: Mapping[str, str] = {
    "paused": "hearth rollout resume {rollout} goes on; hearth rollout show {rollout} tells more",
    "approvalAsked": "hearth rollout approve {rollout} says yes",
    "ended": "hearth rollout show {rollout} tells all",
}
_MOST_LINES = 5
"""As many lines of a text as a notice repeats."""
_log = logging.getLogger(__name__)


class HookFailed(HearthError):
    """A command of the user's around a wave did not end with exit code 0."""


def run_hook(
    commands: Commands, hooks: Hooks, rollout: str, wave: Wave, when: Literal["before", "after"], limit: timedelta
) -> str:
    """Run the commands before or after a wave, one after the other; what they said. Each may take `limit`.

    Raises HookFailed for the first that does not end with exit code 0; those after it are not run.
    """
    environment = {
        "HEARTH_ROLLOUT_ID": rollout,
        "HEARTH_WAVE": wave.name,
        "HEARTH_WHEN": when,
        "HEARTH_TARGETS": " ".join(target.stack for target in wave.targets),
    }
    said = []
    for command in hooks.before_wave if when == "before" else hooks.after_wave:
        ended = commands.run(command, environment, limit)
        if ended.code != 0:
            raise HookFailed(ended.why)
        said.append(ended.why)
    return "; ".join(said)


def notify(
    told: Notify | None, fleet: str, event: Event, *, send: Callable[[str, dict[str, Any]], None] = webhook.send
) -> None:
    """Tell people of an event that is news, where somebody is named. Never raises: a notice stops no rollout."""
    if told is None or event.kind not in NEWS:
        return
    try:
        send(told.webhook, body(told.shape, fleet, event))
    except HearthError as error:  # it names the host alone
        _log.warning("%s", error)
    except Exception as error:
        _log.warning("a notice could not be sent: %s", type(error).__name__)


def body(shape: str, fleet: str, event: Event) -> dict[str, Any]:
    """The notice as JSON: generic for programs, or a message of Slack or Teams."""
    title = _title(fleet, event)
    if shape in {"slack", "teams"}:
        after = _NEXT.get(event.kind, "").format(rollout=event.rollout)
        lines = [*event.text.splitlines()[:_MOST_LINES], _asked(event), after]
        return message(shape, title, [line for line in lines if line.strip()])
    return {"version": 1, "title": title, "summary": event.text, "fleet": fleet, "event": msgspec.to_builtins(event)}


def _title(fleet: str, event: Event) -> str:
    outcome = event.data.get("outcome", "")
    said = NEWS[event.kind].format(wave=event.wave, target=event.target, gate=event.gate, outcome=outcome)
    return f"hearth rollout {event.rollout} of {fleet} {said}"


def _asked(event: Event) -> str:
    """Who is asked."""
    by = event.data.get("by")
    return f"asked: {', '.join(map(str, by))}" if event.kind == "approvalAsked" and isinstance(by, list) and by else ""
