"""One look of `hearth tend` at a watch list, timed in a process of its own."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from infra.keepalive import watchlist
from infra.keepalive.outside import Ports
from infra.keepalive.tend import Tender
from infra.ports.activity import ActivityLog
from infra.ports.arm import Arm
from infra.ports.cloud import Cloud
from infra.ports.inference import Inference
from infra.ports.metrics import Metrics
from infra.spec import limits


def main(file: Path, concurrency: int) -> None:
    """Look, decide, find nothing to do; print seconds and the highest memory in MB."""
    wanted, cloud = watchlist.read(file), Cloud()
    ports = Ports(Arm(cloud), Inference(cloud, ""), Metrics(cloud), ActivityLog(cloud))
    tender = Tender(ports, limits.load(), concurrency=concurrency)
    cloud.token(cloud.endpoints.scope)  # the bare candidate is handed its tokens
    started = time.perf_counter()
    rows = tender.act(tender.look([wanted]))
    took = time.perf_counter() - started
    assert all(row.ok and row.calls == 0 and row.certainty in {"measured", "never called"} for row in rows)  # noqa: S101
    # Not getrusage: its maximum is inherited from the process that started this one.
    status = Path("/proc/self/status").read_text()
    most = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024
    sys.stdout.write(json.dumps({"seconds": took, "megabytes": most}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
