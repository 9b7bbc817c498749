"""The image of the keep-alive job, as far as it can be made without a registry: its very steps in a clean environment.

What the Dockerfile installs is installed here, from the same lock; then the job of the journey runs with nothing else.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.localazure import Subprocess
from infra.toolchain import cli, progress
from tests.desk import REPOSITORY, open_desk
from tests.journeys import test_keep_alive_job as journey

pytestmark = pytest.mark.proof
DOCKERFILE = "deploy/keep-alive/Dockerfile"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of the image, made by the steps of the Dockerfile's first stage, which are followed here."""
    root = tmp_path_factory.mktemp("image")
    context, work, opt = root / "context", root / "src", root / "opt"
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(context)], check=True)
    work.mkdir()
    for word, rest in _first_stage((context / DOCKERFILE).read_text()):
        if word == "COPY":
            *sources, target = rest.split()
            for source in sources:
                _copy(context / source, work / target)
        elif word == "RUN":
            # Where the image's python stands, this machine's does; all else is as written.
            shell = re.sub(r"(^|&& *)python ", rf"\g<1>{sys.executable} ", rest).replace("/opt/", f"{opt}/")
            done = subprocess.run(
                ["sh", "-ec", shell], cwd=work, env=_bare(), capture_output=True, text=True, timeout=900, check=False
            )
            assert done.returncode == 0, f"{shell}\n{done.stdout}{done.stderr}"
    return opt / "hearth" / "bin"


def _first_stage(text: str) -> list[tuple[str, str]]:
    """The instructions between the first FROM and the second, each on one line."""
    lines = [line for line in text.replace("\\\n", " ").splitlines() if line and not line.startswith("#")]
    starts = [at for at, line in enumerate(lines) if line.startswith("FROM ")]
    found = [line.partition(" ") for line in lines[starts[0] + 1 : starts[1]]]
    assert {word for word, _, _ in found} == {"WORKDIR", "ENV", "COPY", "RUN"}, "else this test does not follow it"
    return [(word, rest) for word, _, rest in found]


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)


def _bare() -> dict[str, str]:
    ours = ("PULUMI_", "AZURE_", "ARM_", "VIRTUAL_ENV", "PYTHON")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)}


def test_the_job_runs_as_declared_with_what_the_image_holds_and_nothing_else(image: Path, tmp_path: Path):
    with open_desk(tmp_path / "project", cli.find_or_build(progress.shown_on()).parent) as desk:
        desk.azure.app.platform.runner = Subprocess(image, desk.root / ".hearth" / "azure" / "ca-bundle.pem")
        job = journey.declare(desk)
        desk.advance(days=14)
        status, rows, besides = journey.run(desk, job)
        assert (status, besides, rows[0]["outcome"]) == ("Succeeded", [], "pinged")
        desk.advance(days=16)
        status, rows, besides = journey.run(desk, job)
        assert (status, besides, rows[0]["outcome"]) == ("Succeeded", [], "revived")


def test_the_image_holds_no_engine_and_no_build_tool(image: Path):
    libraries = next((image.parent / "lib").iterdir()) / "site-packages"
    names = {one.name.lower() for one in libraries.iterdir()}
    assert not names & {"pulumi", "pulumi_azure_native", "hatchling", "pip", "starlette", "uvicorn"}
    size = sum(f.stat().st_size for f in libraries.rglob("*") if f.is_file() and not f.is_symlink())
    assert size < 120_000_000, f"{size:,} bytes"
