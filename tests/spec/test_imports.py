"""What the wish may not know."""

from __future__ import annotations

import subprocess
import sys

FORBIDDEN = ("aiohttp", "azure", "grpc", "httpx", "httpx2", "openai", "pulumi", "requests", "typer", "urllib3")
_PROGRAM = """
import sys
before = set(sys.modules)
import infra.spec, infra.spec.schema
print(*sorted({name.partition(".")[0] for name in sys.modules.keys() - before}))
print(*sorted(name for name in sys.modules.keys() - before if name.startswith("infra.")))
"""


def test_the_wish_imports_no_cloud_no_engine_and_no_network():
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    packages, ours = (line.split() for line in done.stdout.splitlines())
    assert not set(packages) & set(FORBIDDEN), "checking files at a desk must be quick, and possible anywhere"
    assert {"yaml", "msgspec"} <= set(packages)
    assert [name for name in ours if not name.startswith("infra.spec")] == ["infra.errors"], "arrows point one way"


def test_the_wish_asks_no_clock():
    """What `time` and `datetime` could tell is never asked: today is an argument."""
    from infra.spec import limits

    folder = limits.FILE.parent
    for file in folder.glob("*.py"):
        text = file.read_text("utf-8")
        assert not any(word in text for word in ("import time\n", "date.today", ".now(", "utcnow")), file.name
