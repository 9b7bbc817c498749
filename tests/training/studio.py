"""A studio for tests: a project with stacks/training, an account that trains on a local Azure, and the command line.

Commands run inside the test's own process, so that the clock of local Azure moves when they wait.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from infra import cli
from infra.localazure import LocalAzure, VirtualClock, faults, ids
from infra.ports import authoring
from infra.ports.arm import Arm
from infra.ports.cloud import Cloud
from infra.spec import Source
from infra.training.accounts import Trainer, open_trainer
from tests.localazure.clients import Served, serve
from tests.localazure.cloud import OWNER, OWNER_APP, PRODUCTION, SECRET, SEED, START, TENANT, assignment_body
from tests.localazure.training import BASE, chat

REPOSITORY = Path(__file__).parents[2]
SOURCE = Source(subscription=PRODUCTION, resource_group="rg", account="oai-prod")
INSTANT = (
    "account_create", "deployment_create", "deployment_update", "readiness", "role_propagation", "group_delete",
    "registration",
)  # fmt: skip


@dataclass
class Studio:
    """One person's folder, cloud and command line."""

    root: Path
    served: Served
    capture: pytest.CaptureFixture[str]
    patch: pytest.MonkeyPatch
    errors: str = ""
    waited: list[float] = field(default_factory=list)

    @property
    def azure(self) -> LocalAzure:
        """The local Azure."""
        return self.served.azure

    @property
    def trainer(self) -> Trainer:
        """The account that trains, by the ports."""
        cloud = Cloud()
        return open_trainer(cloud, Arm(cloud), SOURCE)

    def hearth(self, *arguments: str, code: int = 0) -> str:
        """Run hearth, demand its exit code, give its standard output; its standard error is kept."""
        self.capture.readouterr()
        self.patch.setattr(sys, "argv", ["hearth", *arguments])
        found = 0
        try:
            cli.main()
        except SystemExit as end:
            found = int(end.code or 0)
        said, self.errors = self.capture.readouterr()
        assert found == code, f"{' '.join(arguments)} → {found}\n{said}{self.errors}"
        return said

    def wait(self, seconds: float) -> None:
        """What stands for waiting: the clock of local Azure moves ahead."""
        assert len(self.waited) < 2_000, "it waits for ever"
        self.waited.append(seconds)
        self.azure.advance(seconds=seconds)

    def data(self, name: str = "train.jsonl", examples: int = 40, first: int = 0) -> str:
        """A file of training data below the project's folder; its path as written in YAML."""
        file = self.root / "data" / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(chat(examples, first))
        return f"data/{name}"

    def wish(self, name: str = "bot", **keys: Any) -> Path:
        """A file of stacks/training."""
        account = {"subscription": SOURCE.subscription, "resourceGroup": "rg", "account": SOURCE.account}
        whole = {"account": account, "model": BASE, "training": "data/train.jsonl", **keys}
        file = self.root / "stacks/training" / f"{name}.yaml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(yaml.safe_dump({k: v for k, v in whole.items() if v is not None}, sort_keys=False))
        return file

    def job(self, examples: int = 40, *, finish: bool = True, **more: Any) -> str:
        """A job made by the port, run to its end unless told otherwise; its id."""
        trainer = self.trainer
        file = trainer.files.send("by-hand.jsonl", chat(examples))
        self.azure.advance(seconds=1)
        made = trainer.jobs.create({"model": BASE, "training_file": file.id, **more})
        while finish and not trainer.jobs.job(made.id).is_over:
            self.azure.advance(seconds=30)
        return made.id

    def fault(self, name: str, **more: Any) -> None:
        """Have local Azure fail."""
        with self.azure.world.lock:
            faults.add(self.azure.world, faults.Wish(name=name, **more))

    def calls(self, method: str, ending: str) -> int:
        """How many requests of this method went to paths that end so."""
        return sum(e.method == method and e.path.partition("?")[0].endswith(ending) for e in self.azure.app.log)


def open_studio(root: Path, capture: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> Iterator[Studio]:
    """A studio in a new folder."""
    root.mkdir()
    shutil.copy(REPOSITORY / "Pulumi.yaml", root)
    shutil.copytree(REPOSITORY / "stacks", root / "stacks")
    shutil.rmtree(root / "stacks/training", ignore_errors=True)
    patch.chdir(root)
    patch.setattr(authoring, "WAITS", (0.0, 0.0))
    with LocalAzure(clock=VirtualClock(START, 0)) as azure:
        azure.plant(SEED)
        azure.switch(**dict.fromkeys(INSTANT, 0.0))
        environment = {
            "REQUESTS_CA_BUNDLE": str(azure.authority),
            "SSL_CERT_FILE": str(azure.authority),
            "NO_PROXY": "localhost",
            "ARM_METADATA_HOSTNAME": azure.origin.removeprefix("https://"),
            "AZURE_AUTHORITY_HOST": azure.origin,
            "AZURE_TENANT_ID": TENANT,
            "AZURE_CLIENT_ID": OWNER_APP,
            "AZURE_CLIENT_SECRET": SECRET,
        }
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.delenv("SSL_CERT_DIR", raising=False)
        served = serve(azure)
        role = f"{served.account}/providers/Microsoft.Authorization/roleAssignments/{ids.new_guid()}"
        served.put(role, assignment_body("Cognitive Services OpenAI Contributor", OWNER))
        yield Studio(root, served, capture, patch)
