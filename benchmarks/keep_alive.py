"""Keep-alive: what a look at a thousand deployments costs beside the same calls sent bare."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.report import Row
from infra.keepalive.watchlist import KeepAlive, WatchList
from infra.localazure import LocalAzure, VirtualClock
from infra.localazure.inference import CHAT
from infra.localazure.traffic import Traffic
from tests.keepalive.fleet import START, TENANT, TENDER, Member, populate

PAIRS = 5
CANDIDATES = {"ours": "benchmarks.look", "bare": "benchmarks.bare.look"}
CONCURRENCY = 16
ROUNDS = 5
_CLIENT, _SECRET = "cccccccc-0000-4000-8000-000000000001", "a-throwaway-of-the-benchmark"


def rows() -> Iterator[Row]:
    """Every measurement of this page."""
    thousand = _measure(100)
    calls = thousand.calls
    yield Row("HTTP calls of a look at 1,000 deployments in 100 accounts", calls["all"], 100 + PAIRS + calls["token"],
              f"{calls['list']} lists, {calls['batch']} batches of metrics, {calls['token']} tokens")  # fmt: skip
    yield Row("`hearth tend` on 1,000 deployments, none due, beside the same calls bare", thousand.ratio, 1.5,
              f"{thousand.ours:.2f} s against {thousand.bare:.2f} s of asyncio at {CONCURRENCY} at once")  # fmt: skip
    yield Row("its memory, in MB", thousand.megabytes, 120, "resident, at its highest")
    ten = _measure(1000, bare=False)
    yield Row("10,000 deployments beside 1,000", ten.ours / thousand.ours, 12, f"{ten.ours:.2f} s")


@dataclass(frozen=True)
class _Measured:
    ours: float
    bare: float
    megabytes: float
    calls: dict[str, int]

    @property
    def ratio(self) -> float:
        return self.ours / self.bare


def _measure(accounts: int, *, bare: bool = True) -> _Measured:
    """Both candidates in processes of their own, in turn, against one local Azure in this one."""
    with (
        tempfile.TemporaryDirectory(prefix="hearth-bench-") as folder,
        LocalAzure(clock=VirtualClock(START, 0)) as azure,
    ):
        azure.switch(throttling="off", idle_days=1000.0)
        listed = _fill(azure, accounts)
        file = Path(folder) / "list.json"
        file.write_bytes(msgspec.json.encode(listed))
        env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("AZURE_", "ARM_"))},
            "ARM_METADATA_HOSTNAME": f"localhost:{azure.port}", "AZURE_AUTHORITY_HOST": azure.origin,
            "AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": _CLIENT, "AZURE_CLIENT_SECRET": _SECRET,
            "REQUESTS_CA_BUNDLE": str(azure.authority), "SSL_CERT_FILE": str(azure.authority), "NO_PROXY": "localhost",
        }  # fmt: skip
        found: dict[str, list[dict[str, Any]]] = {"ours": [], "bare": []}
        for _ in range(ROUNDS if bare else 2):
            for name in ("ours", "bare") if bare else ("ours",):
                before = len(azure.app.log)
                token = " ".join(azure.token(TENDER, a) for a in (azure.origin, "https://metrics.monitor.azure.com"))
                told = subprocess.run(
                    [sys.executable, "-m", CANDIDATES[name], str(file), str(CONCURRENCY)],
                    env={**env, "BENCH_TOKENS": token}, check=True, stdout=subprocess.PIPE, text=True,
                ).stdout  # fmt: skip
                found[name].append(json.loads(told) | {"calls": _calls(list(azure.app.log)[before:])})
        middle: Callable[[str], float] = lambda name: sorted(t["seconds"] for t in found[name])[len(found[name]) // 2]  # noqa: E731
        last = found["ours"][-1]
        return _Measured(middle("ours"), middle("bare") if bare else 1.0, last["megabytes"], last["calls"])


def _fill(azure: LocalAzure, accounts: int) -> WatchList:
    """Deployments made up to ten days ago, all pinged when old enough; half of them called in the two days since."""
    members: dict[str, Member] = {}
    per_pair = 20 if accounts <= 100 else 30
    login = {"clientId": _CLIENT, "secret": _SECRET}
    lot = random.Random(1)  # noqa: S311 - drawn, not secret
    made = populate(azure.world, accounts, per_pair, lot, members, login)
    azure.app.wire_up()
    for hour in range(48):
        azure.advance(hours=1)
        for at, member in enumerate(members.values()):
            if at % 2 == 0 and at % 48 == hour:
                azure.app.took(Traffic(
                    at=azure.world.now(), account=member.account, deployment=member.name, model=member.model,
                    model_version="1", api="Azure OpenAI API version 2024-10-21", operation=CHAT, status=200,
                    stream="Non-Streaming", prompt_tokens=100, generated_tokens=20,
                ))  # fmt: skip
    azure.advance(hours=1)
    keep = KeepAlive(policy="report", after="13d", revive=False)
    quiet = [
        msgspec.structs.replace(a, deployments=[msgspec.structs.replace(d, keep_alive=keep) for d in a.deployments])
        for a in made
    ]
    return WatchList(version=1, accounts=quiet)


def _calls(log: list[Any]) -> dict[str, int]:
    lists = sum(r.path.endswith("/deployments") for r in log)
    batch = sum(r.path.endswith(":getBatch") for r in log)
    return {"all": len(log), "list": lists, "batch": batch, "token": len(log) - lists - batch}
