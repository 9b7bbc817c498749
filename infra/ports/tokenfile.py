"""A pipeline's own token in a file that is written anew while a command runs, for those who can only read a file.

`pulumi` reads and writes state in azblob:// and unwraps keys of azurekeyvault:// with Azure's default credential, which
knows federation by AZURE_FEDERATED_TOKEN_FILE alone and reads the file whenever it needs a token (azidentity's
WorkloadIdentityCredential). The provider asks GitHub itself, but on Azure Pipelines it too must be given a file.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path

from infra.errors import HearthError
from infra.ports import login

EVERY = 120.0
"""Seconds until the token is written anew: GitHub's is good for five minutes, Azure Pipelines' for ten."""
_AGAIN = 15.0
"""Seconds until it is asked for again after a failure."""


class TokenFile:
    """A file with a token that is never older than two minutes, as long as the pipeline gives out fresh ones."""

    def __init__(self, ask: Callable[[], str], folder: Path, say: Callable[[str], None], every: float = EVERY) -> None:
        """`ask` gives a fresh token; `say` is told once when it does not any more."""
        self.path = folder / "token"
        self._ask, self._say, self._every = ask, say, every
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, daemon=True)

    def start(self) -> None:
        """Write the first one, and go on. Raises what `ask` raises."""
        self._write()
        self._thread.start()

    def stop(self) -> None:
        """Write no more, and leave nothing."""
        self._stop.set()
        self._thread.join()
        self.path.unlink(missing_ok=True)

    def _keep(self) -> None:
        failed = False
        while not self._stop.wait(min(_AGAIN, self._every) if failed else self._every):
            try:
                self._write()
                failed = False
            except (HearthError, OSError) as error:
                if not failed:
                    self._say(f"the pipeline's token could not be renewed: {error}")
                failed = True

    def _write(self) -> None:
        token = self._ask()
        fresh = self.path.with_name(f".{self.path.name}")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(token)
        fresh.replace(self.path)  # nobody reads half of one


@contextmanager
def kept(
    environment: MutableMapping[str, str], say: Callable[[str], None], every: float = EVERY
) -> Iterator[Mapping[str, str]]:
    """While this lasts, what is started finds a fresh token in the files that its variables name; gives those.

    Nothing happens where no pipeline gives out tokens, or where somebody else has named a token or a file.
    """
    if not (login.uses_oidc(environment) and login.asks_for_itself(environment)):
        yield {}
        return
    asking = dict(environment)
    with tempfile.TemporaryDirectory(prefix="hearth-login-") as folder:  # of this user alone
        file = TokenFile(lambda: login.assertion(asking), Path(folder), say, every)
        file.start()
        added = _variables(environment, str(file.path))
        environment.update(added)
        try:
            yield added
        finally:
            for name in added:
                environment.pop(name, None)
            file.stop()


def _variables(environment: Mapping[str, str], path: str) -> dict[str, str]:
    wanted = {
        "AZURE_FEDERATED_TOKEN_FILE": path,
        "AZURE_CLIENT_ID": environment.get("ARM_CLIENT_ID", ""),
        "AZURE_TENANT_ID": environment.get("ARM_TENANT_ID", ""),
    }
    if not login.engine_asks(environment):
        wanted["ARM_OIDC_TOKEN_FILE_PATH"] = path
    return {name: value for name, value in wanted.items() if value and not environment.get(name)}
