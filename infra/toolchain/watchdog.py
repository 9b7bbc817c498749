"""End with whoever started us, also when that one was killed and could say nothing.

A killed engine leaves its plugins behind as orphans, holding ports and, worse, working on. There is no
portable notice of a parent's death, but an orphan gets another parent, and that is cheap to look at.
"""

import os
import threading
import time
from collections.abc import Callable

LOOK_EVERY = 0.2  # seconds


def end_with_parent(parent: int, last_act: Callable[[], None] = lambda: None) -> None:
    """Leave this process, by `os._exit(1)`, as soon as the process `parent` is no longer its parent.

    Its id has to come from outside, from whoever started us or the shell in between: a parent that was killed
    while Python started cannot be asked for any more. `last_act` is run before the end, for instance to end
    what this process has started itself.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_EVERY)
        last_act()
        os._exit(1)

    threading.Thread(target=watch, name="watchdog", daemon=True).start()
