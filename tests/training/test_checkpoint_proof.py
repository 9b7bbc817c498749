"""The source proof of a checkpoint: Azure's list of models may not have it, its job has."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from infra.errors import NotFound
from infra.ports.arm import Arm
from infra.ports.cloud import Cloud
from infra.ports.inference import Inference
from infra.proofs import Proofs
from infra.spec import DeploymentWish, ModelRecord, Sku, check_project, limits, load_record, open_project
from tests.training.studio import Studio


@pytest.fixture
def proofs(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> Proofs:
    """Proofs at an account that does not list checkpoints among its models (not confirmed of Azure either way)."""

    def model(*_: object, **__: object) -> None:
        raise NotFound("not listed")

    monkeypatch.setattr(Inference, "model", model)
    cloud, known = Cloud(), limits.load()
    return Proofs(cloud, Arm(cloud), Inference(cloud, known.inference_api_version.value), known)


def wish(record: ModelRecord) -> DeploymentWish:
    return DeploymentWish(
        name="bot", record_name="bot", record=record, sku=Sku(name="Standard", capacity=1),
        version_upgrade_option=None, rai_policy=None, tags={}, policy="off", after=timedelta(days=10), revive=False,
        retire=None,
    )  # fmt: skip


def test_a_checkpoint_is_proven_by_its_job(studio, proofs):
    job = studio.job(60)
    kept = studio.trainer.jobs.checkpoints(job)
    studio.wish()
    studio.hearth("models", "record", job, "--name", "bot", "--checkpoint", str(kept[0].step_number))
    project = open_project(studio.root)
    record = load_record(project, "bot")
    (stack, *_), _ = check_project(project, ["local-source"], today=date(2026, 11, 23))
    assert proofs.source(stack, wish(record)) == []
    with studio.azure.world.lock:
        tuning = next(iter(studio.azure.world.tunings))
        tuning.checkpoints = tuning.checkpoints[1:]
    (warning,) = proofs.source(stack, wish(record))
    assert "none of the checkpoints" in warning
    studio.trainer.jobs.delete(job)
    (warning,) = proofs.source(stack, wish(record))
    assert "not proven" in warning
