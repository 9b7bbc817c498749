"""How long an operation may take, and that the engine may stop it at any moment."""

import threading
import time

from infra.toolchain.azure_native.errors import Interrupted

DEFAULT_TIMEOUT = 2 * 60 * 60.0  # seconds, the official plugin's


class Patience:
    """The time one operation has. Safe to use from any thread."""

    def __init__(self, seconds: float, stop: threading.Event) -> None:
        """`seconds` is 0 for the default. `stop` is set when the engine wants everything to end."""
        self._seconds = seconds or DEFAULT_TIMEOUT
        self._until = time.monotonic() + self._seconds
        self._stop = stop

    def pause(self, seconds: float) -> None:
        """Wait. Raises Interrupted when the engine says stop, or when the time would be over."""
        left = self._until - time.monotonic()
        if self._stop.wait(min(seconds, max(left, 0.0))):
            raise Interrupted("Stopped before Azure had finished; it may still go on with it.")
        if seconds > left:
            raise Interrupted(f"Azure had not finished after {self._seconds:g} s; it may still go on with it.")
