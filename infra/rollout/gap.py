"""How long callers got no answer while a deployment's model was changed under them.

Asked by a ping, now and then, as long as the engine runs. A ping draws on the rate limit that the callers share, so it
takes a tenth of it at most: with the smallest capacity one in nineteen seconds, with twenty and more one a second. A
gap shorter than that may be missed, and one that was seen is known to within it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

from infra.errors import HearthError
from infra.ports.inference import Outcome
from infra.proofs import Calls, ping
from infra.proofs.ready import PING_TOKENS

_ANSWERED = {Outcome.ANSWERED, Outcome.THROTTLED, Outcome.FILTERED, Outcome.CUT_SHORT}
_NO_ANSWER = {Outcome.NOT_THERE, Outcome.BROKEN, Outcome.LOCKED}
_SHARE, _TOKENS = 0.1, PING_TOKENS + 15
"""Of the rate limit; what a ping counts as (its question and what it may answer)."""
_LEAST_PAUSE = 1.0


def pause(capacity: int) -> float:
    """Seconds between pings for a capacity in thousands of tokens a minute."""
    return max(_LEAST_PAUSE, 60 * _TOKENS / (_SHARE * 1000 * max(capacity, 1)))


class Gap:
    """Measures from `with` to its end."""

    def __init__(
        self, calls: Calls, endpoint: str, deployment: str, seconds: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        """Ask every so many `seconds`."""
        self._calls, self._endpoint, self._deployment = calls, endpoint, deployment
        self._every, self._now = seconds, now
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name=f"gap of {deployment}", daemon=True)
        self._since: float | None = None
        self._seen, self._seconds = False, 0.0

    def __enter__(self) -> Gap:
        """Begin."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End; one more ping, so that a gap that has just ended is known to have."""
        self._over.set()
        self._thread.join()
        if self._since is not None and kind is None:
            self.look()

    @property
    def seconds(self) -> float | None:
        """How long there was no answer, in all; None where no answer was ever got, so that nothing is known."""
        if not self._seen:
            return None
        return self._seconds + (self._now() - self._since if self._since is not None else 0.0)

    def look(self) -> None:
        """Ask once."""
        asked = self._now()
        try:
            outcome = ping(self._calls, self._endpoint, self._deployment).outcome
        except HearthError:
            return  # no login: nothing is learnt of the deployment
        if outcome in _ANSWERED:
            self._seen = True
            if self._since is not None:
                self._seconds += self._now() - self._since
            self._since = None
        elif outcome in _NO_ANSWER and self._seen and self._since is None:
            self._since = asked

    def _watch(self) -> None:
        while not self._over.is_set():
            self.look()
            self._over.wait(self._every)
