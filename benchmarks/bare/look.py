"""The same lists and batches by asyncio; answers are read as JSON and nothing is made of them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

NOW = datetime(2026, 11, 4, 1, tzinfo=UTC)
QUERY = {
    "api-version": "2024-02-01",
    "metricnamespace": "microsoft.cognitiveservices/accounts",
    "metricnames": "AzureOpenAIRequests",
    "starttime": f"{NOW - timedelta(days=16):%Y-%m-%dT%H:%M:%SZ}",
    "endtime": f"{NOW:%Y-%m-%dT%H:%M:%SZ}",
    "filter": "ModelDeploymentName eq '*' and StatusCode eq '200'",
    "interval": "PT6H",
    "aggregation": "total",
    "top": 10000,
}


async def main(file: Path, concurrency: int, tokens: list[str]) -> None:
    """Send them, at most so many at once; print the seconds."""
    accounts, origin = json.loads(file.read_text())["accounts"], os.environ["AZURE_AUTHORITY_HOST"]
    manager, monitor = ({"Authorization": f"Bearer {token}"} for token in tokens)
    groups: dict[tuple[str, str], list[str]] = {}
    for account in accounts:
        groups.setdefault((account["id"].split("/")[2], account["location"]), []).append(account["id"])
    limits = httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    async with httpx2.AsyncClient(limits=limits, timeout=60) as client:
        gate = asyncio.Semaphore(concurrency)

        async def ask(method: str, path: str, **more: Any) -> Any:
            async with gate:
                answer = await client.request(method, f"{origin}{path}", **more)
            assert answer.status_code == 200, answer.text  # noqa: S101
            return answer.json()

        started = time.perf_counter()
        lists = [ask("GET", f"{a['id']}/deployments?api-version=2025-06-01", headers=manager) for a in accounts]
        await asyncio.gather(*lists)
        batches = [
            ask("POST", f"/{region}.metrics.monitor.azure.com/subscriptions/{subscription}/metrics:getBatch",
                params=QUERY, json={"resourceids": found[at : at + 50]}, headers=monitor)
            for (subscription, region), found in groups.items()
            for at in range(0, len(found), 50)
        ]  # fmt: skip
        await asyncio.gather(*batches)
        took = time.perf_counter() - started
    sys.stdout.write(json.dumps({"seconds": took, "megabytes": 0.0}))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), os.environ["BENCH_TOKENS"].split()))
