"""A local Azure that is killed at seeded moments while writes stream in, and what it must have afterwards.

What was acknowledged is there. Of the one write that nobody heard an answer to, all is there or nothing.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

import msgspec
import requests

from infra.localazure import VirtualClock, ids, process, roles
from infra.localazure.world import World
from tests.localazure.cloud import OWNER_APP, PRODUCTION, SECRET, SEED, TENANT, account_body

GROUP = ids.group_id(PRODUCTION, "rg")
READER = next(r.id for r in roles.built_in().values() if r.name == "Reader")
PAUSE_SECONDS = 0.004
"""The kill comes this long, at most, after the write that was drawn for it was sent."""


class Stream:
    """A seeded stream of writes to a process, with what each acknowledged one must leave behind."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.random = folder, random.Random(seed)  # noqa: S311 - the same again is the point
        self.expected: dict[str, Any] = {}
        """Path → tags or description of what stands there; None for what was deleted."""
        self.acknowledged = 0
        self.flying: tuple[str, Any] | None = None
        seed_file = folder.parent / "seed.yaml"
        seed_file.write_bytes(msgspec.yaml.encode(msgspec.to_builtins(SEED)))
        self.seed_file = seed_file
        self.session = requests.Session()

    def start(self) -> None:
        self.running = process.start(self.folder, seed=self.seed_file)
        self.session.close()
        self.session = requests.Session()
        self.session.verify = str(self.running.authority)
        self.session.trust_env = False
        form = {"grant_type": "client_credentials", "client_id": OWNER_APP, "client_secret": SECRET}
        form["scope"] = "https://management.azure.com/.default"
        answer = self.session.post(f"{self.running.origin}/{TENANT}/oauth2/v2.0/token", data=form, timeout=10)
        self.session.headers["authorization"] = f"Bearer {answer.json()['access_token']}"
        quick = {"account_create": 0, "role_propagation": 0}
        key = {"x-local-azure-key": self.running.control_key}
        self.session.put(f"{self.running.origin}/.local-azure/switches", json=quick, headers=key, timeout=10)

    def ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        version = "2022-04-01" if "Microsoft.Authorization" in path else "2025-06-01"
        return self.session.request(method, f"{self.running.origin}{path}?api-version={version}", json=body, timeout=10)

    def write(self) -> None:
        """One write, drawn from the seed."""
        number, mark = self.random.randrange(6), str(self.random.randrange(10**9))
        kind = self.random.choice(["group", "account", "role", "identity"])
        if kind == "group":
            self._put(
                ids.group_id(PRODUCTION, f"rg-{number}"), {"location": "swedencentral", "tags": {"n": mark}}, mark
            )
        elif kind == "account":
            body = {**account_body(), "tags": {"n": mark}, "identity": {"type": "SystemAssigned"}}
            self._put(ids.account_id(PRODUCTION, "rg", f"oai-{number}"), body, mark)
        elif kind == "identity":
            path = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-{number}"
            if self.expected.get(path) is not None and self.random.random() < 0.5:
                self._send("DELETE", path, None, None)
            else:
                self._put(path, {"location": "swedencentral", "tags": {"n": mark}}, mark)
        else:
            name = f"99999999-0000-4000-8000-{number:012d}"
            path = f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/{name}"
            if self.expected.get(path) is not None and self.random.random() < 0.5:
                self._send("DELETE", path, None, None)
                return
            role = f"/subscriptions/{PRODUCTION}/providers/Microsoft.Authorization/roleDefinitions/{READER}"
            given = {"roleDefinitionId": role, "principalId": f"88888888-0000-4000-8000-{number:012d}"}
            self._put(path, {"properties": {**given, "principalType": "ServicePrincipal", "description": mark}}, mark)

    def _put(self, path: str, body: Any, mark: str) -> None:
        self._send("PUT", path, body, mark)

    def _send(self, method: str, path: str, body: Any, mark: str | None) -> None:
        self.flying = path, mark
        answer = self.ask(method, path, body)
        assert answer.status_code in {200, 201, 202, 204}, answer.text
        self.expected[path], self.flying = mark, None
        self.acknowledged += 1

    def until_killed(self) -> None:
        """Write until the process is gone: killed a moment after a write that the seed draws."""
        last, pause = self.random.randrange(1, 30), self.random.random() * PAUSE_SECONDS
        with contextlib.suppress(requests.ConnectionError, requests.exceptions.ChunkedEncodingError):
            for number in range(1000):
                if number == last:
                    threading.Thread(target=self._kill_after, args=(pause,)).start()
                self.write()
        os.waitpid(self.running.pid, 0)

    def _kill_after(self, pause: float) -> None:
        time.sleep(pause)
        os.kill(self.running.pid, signal.SIGKILL)

    # --- afterwards ------------------------------------------------------------------------------------------------

    def require_sound_state(self) -> None:
        """The files as the kill left them: what one request writes is there together."""
        world = World(self.folder, VirtualClock(factor=0))
        try:
            for account in world.accounts:
                assert world.principals.get((account.identity or {})["principalId"]) is not None, account.id
            seen = {(a.operation.rpartition("/")[0].lower(), a.resource.lower()) for a in world.activities}
            for account in world.accounts:
                assert (ids.ACCOUNTS.lower(), account.id.lower()) in seen, "written, and the activity log knows of it"
        finally:
            world.database.close()  # without a note of the moment: this is no stop

    def require_all_acknowledged(self) -> None:
        """Every acknowledged write as a client sees it; the last one, unheard, in whole or not at all."""
        for path, mark in self.expected.items():
            allowed = {mark, self.flying[1]} if self.flying and self.flying[0] == path else {mark}
            found = self._found(path)
            assert found in allowed, (path, found, allowed)
            self.expected[path] = found
        if self.flying is not None and self.flying[0] not in self.expected:
            found = self._found(self.flying[0])
            assert found in {None, self.flying[1]}
            self.expected[self.flying[0]] = found
        self.flying = None

    def _found(self, path: str) -> Any:
        answer = self.ask("GET", path)
        if answer.status_code == 404:
            return None
        body = answer.json()
        return body["properties"]["description"] if "roleAssignments" in path else body["tags"]["n"]


def killed_again_and_again(folder: Path, seed: int, kills: int) -> Stream:
    """Kill a process so many times at moments of the seed, and hold it to what it acknowledged each time."""
    stream = Stream(folder, seed)
    try:
        stream.start()
        assert stream.ask("PUT", GROUP, {"location": "swedencentral"}).status_code == 201
        for _ in range(kills):
            stream.until_killed()
            stream.require_sound_state()
            stream.start()
            stream.require_all_acknowledged()
    finally:
        stream.session.close()
        process.stop(folder)
    return stream
