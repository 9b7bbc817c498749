"""What can go wrong in the plugin. Each text is what the user reads; none holds a token or a secret.

PluginError
├── NotHere        the resource manager is not on this machine, and the stand-in stays here
├── Misconfigured  the provider's configuration lacks something
├── Unreachable    no answer: name, network, certificate
├── LoginFailed    nobody to act as, or the authority refused
├── ArmError       the resource manager answered with an error
└── Interrupted    the engine said stop, or the resource's time was up
"""

import json
from typing import Any


class PluginError(Exception):
    """The plugin cannot do what it was asked."""


class NotHere(PluginError):
    """The stand-in refuses this resource manager."""


class Misconfigured(PluginError):
    """The provider's configuration cannot be used."""


class Unreachable(PluginError):
    """There was no answer. `transient` tells whether there may be one in a moment."""

    def __init__(self, text: str, *, transient: bool) -> None:
        """`text` names the host and says why."""
        super().__init__(text)
        self.transient = transient


class LoginFailed(PluginError):
    """There is no token for the resource manager."""


class Interrupted(PluginError):
    """The operation was given up before Azure had finished it."""


class ArmError(PluginError):
    """Azure answered with an error. The text is that of the official plugin, byte for byte.

    Error hooks look for codes in it, such as `Code="RequestConflict"`.
    """

    def __init__(self, status: int, code: str, message: str) -> None:
        """`code` is "" where Azure gave none."""
        shown_code = f' Code="{code}"' if code else ""
        super().__init__(f'Status={status}{shown_code} Message="{message}"')
        self.status = status
        self.code = code


class NotFinished(PluginError):
    """A write was accepted and then did not come to a good end. The text is that of its cause."""


class AlreadyExists(PluginError):
    """Create was asked for a resource that is there. Taking it over needs an import, not an accident."""


class HalfDone(PluginError):
    """Azure has the resource, but not in the state that was asked for. `outputs` are {} if it cannot be read."""

    def __init__(self, resource: str, outputs: dict[str, Any], reason: str) -> None:
        """`resource` is its id."""
        super().__init__(reason)
        self.resource = resource
        self.outputs = outputs


def arm_error(status: int, body: bytes) -> ArmError:
    """The error in an answer: Azure's envelope, or, where there is none, the body as it is."""
    text = body.decode(errors="replace")
    try:
        envelope = json.loads(text)
    except ValueError:
        return ArmError(status, "", text)
    error: Any = envelope.get("error", envelope) if isinstance(envelope, dict) else {}
    if not isinstance(error, dict):
        return ArmError(status, "", text)
    return ArmError(status, str(error.get("code") or ""), str(error.get("message") or text))
