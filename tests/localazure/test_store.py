"""The store: what was acknowledged is there after a kill."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
from pathlib import Path

import msgspec
import pytest
import requests

from infra.localazure import process
from infra.localazure.entities import Tenant
from infra.localazure.store import Database, Table
from tests.localazure.cloud import OWNER_APP, SECRET, SEED, TENANT, TRAINING, account_body
from tests.localazure.crash import killed_again_and_again

GROUP = f"/subscriptions/{TRAINING}/resourceGroups/rg"
ACCOUNT = f"{GROUP}/providers/Microsoft.CognitiveServices/accounts/oai-train"


def test_a_record_is_there_after_opening_the_file_again(tmp_path):
    path = tmp_path / "state.db"
    first = Database(path)
    table = Table(first, "tenant", Tenant, lambda t: t.name)
    table.put("a", Tenant(id="a", name="x"))
    table.put("b", Tenant(id="b", name="x"))
    table.drop("a")
    first.close()
    again = Table(Database(path), "tenant", Tenant, lambda t: t.name)
    assert [t.id for t in again.of("x")] == ["b"]
    assert len(again) == 1
    assert again.get("a") is None


def test_a_record_that_cannot_be_kept_is_not_held_either():
    table = Table(Database(None), "thing", msgspec.Struct)

    class Odd(msgspec.Struct):
        value: object

    with pytest.raises(TypeError):
        table.put("a", Odd(value=object()))
    assert table.get("a") is None


def test_the_file_is_nobody_elses(tmp_path):
    database = Database(tmp_path / "state.db")
    database.write("a", "b", b"c")
    for file in tmp_path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, f"{file.name} holds keys, throwaway or not"
    database.close()


class Process:
    """A real process with its own state, and a login to it."""

    def __init__(self, folder: Path, seed: Path) -> None:
        self.folder, self.seed = folder, seed

    def start(self) -> process.Running:
        self.running = process.start(self.folder, seed=self.seed)
        form = {"grant_type": "client_credentials", "client_id": OWNER_APP, "client_secret": SECRET}
        form["scope"] = "https://management.azure.com/.default"
        answer = self.call("POST", f"/{TENANT}/oauth2/v2.0/token", data=form)
        self.token = answer.json()["access_token"]
        return self.running

    def call(self, method: str, path: str, **more: object) -> requests.Response:
        return requests.request(
            method, self.running.origin + path, verify=str(self.running.authority), timeout=10, **more
        )

    def ask(self, method: str, path: str, body: object = None) -> requests.Response:
        headers = {"authorization": f"Bearer {self.token}"}
        return self.call(method, f"{path}?api-version=2025-06-01", json=body, headers=headers)

    def advance(self, seconds: float) -> None:
        headers = {"x-local-azure-key": self.running.control_key}
        body = {"seconds": seconds}
        assert self.call("POST", "/.local-azure/clock/advance", json=body, headers=headers).status_code == 200

    def kill(self) -> None:
        os.kill(self.running.pid, signal.SIGKILL)
        os.waitpid(self.running.pid, 0)


def test_kill_9_right_after_an_acknowledged_write_loses_nothing(tmp_path):
    seed = tmp_path / "seed.yaml"
    seed.write_bytes(msgspec.yaml.encode(msgspec.to_builtins(SEED)))
    server = Process(tmp_path / "state", seed)
    first = server.start()
    assert server.ask("PUT", GROUP, {"location": "northcentralus"}).status_code == 201
    made = server.ask("PUT", ACCOUNT, account_body("northcentralus", customSubDomainName="oai-train"))
    assert made.status_code == 201
    date = made.json()["systemData"]["createdAt"]
    server.kill()

    again = server.start()
    try:
        assert again.port == first.port, "clients keep the address they know"
        found = server.ask("GET", ACCOUNT)
        assert found.status_code == 200
        assert found.json()["systemData"]["createdAt"] == date
        assert found.json()["properties"]["customSubDomainName"] == "oai-train"
        keys = server.ask("POST", f"{ACCOUNT}/listKeys")
        assert len(keys.json()["key1"]) == 32
        server.kill()
        server.start()
        assert server.ask("POST", f"{ACCOUNT}/listKeys").json() == keys.json(), "keys are no newer than their account"
        server.advance(1)  # an account that is Creating cannot be deleted
        assert server.ask("DELETE", ACCOUNT).status_code == 200
        server.kill()
        server.start()
        assert server.ask("GET", ACCOUNT).status_code == 404, "a delete is kept like any write"
        refused = server.ask("PUT", ACCOUNT, account_body("northcentralus"))
        assert refused.json()["error"]["code"] == "FlagMustBeSetForRestore"
    finally:
        process.stop(server.folder)


def test_kill_9_in_the_middle_of_a_stream_of_writes_loses_none_that_was_acknowledged(tmp_path):
    assert killed_again_and_again(tmp_path / "state", seed=1, kills=1).acknowledged >= 1


def test_what_is_written_together_is_kept_together(tmp_path):
    path = tmp_path / "state.db"
    database, other = Database(path), Database(path)
    table = Table(database, "tenant", Tenant)
    with database:
        table.put("a", Tenant(id="a"))
        with database:
            table.put("b", Tenant(id="b"))
        assert list(other.read("tenant")) == [], "a kill here would leave neither"
    assert [key for key, _ in other.read("tenant")] == ["a", "b"]

    def fails_halfway() -> None:
        with database:
            table.put("c", Tenant(id="c"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails_halfway()
    assert [key for key, _ in other.read("tenant")] == ["a", "b", "c"], "memory has it, and so the disk must"
    table.put("d", Tenant(id="d"))
    assert len(list(other.read("tenant"))) == 4
    database.close()
    other.close()


def test_a_table_tells_that_it_has_changed(tmp_path):
    table = Table(Database(None), "tenant", Tenant, lambda t: t.name)
    seen = {table.version}
    for change in (
        lambda: table.put("a", Tenant(id="a", name="x")),
        lambda: table.drop("a"),
        lambda: table.replace({"b": Tenant(id="b", name="y")}),
    ):
        change()
        assert table.version not in seen
        seen.add(table.version)
    table.drop("nobody")
    assert table.version in seen
    assert [t.id for t in table.of("y")] == ["b"]
    assert table.read(table.written()) == {"b": Tenant(id="b", name="y")}


def test_a_write_that_the_disk_refuses_is_told_and_memory_and_disk_agree_in_the_end(tmp_path):
    path = tmp_path / "state.db"
    database, other = Database(path), Database(path)
    table = Table(database, "tenant", Tenant)
    other._connection.execute("PRAGMA busy_timeout = 0")
    database._connection.execute("PRAGMA busy_timeout = 0")
    other._connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        table.put("a", Tenant(id="a"))

    def together() -> None:
        with database:
            table.put("b", Tenant(id="b"))

    with pytest.raises(sqlite3.OperationalError, match="locked"):
        together()
    other._connection.execute("ROLLBACK")
    table.put("c", Tenant(id="c"))
    assert [key for key, _ in other.read("tenant")] == ["b", "c"] == [t.id for t in table]
    database.close()
    other.close()
