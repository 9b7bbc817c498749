"""A model from its data to its callers, by the commands and the engine that a person has."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from tests.desk import TRAIN_ACCOUNT, Desk

DATA = Path(__file__).parents[2] / "demos" / "data"
_, _, SUBSCRIPTION, _, GROUP, *_, ACCOUNT = TRAIN_ACCOUNT.split("/")
TRAINING = f"""\
account: {{subscription: {SUBSCRIPTION}, resourceGroup: {GROUP}, account: {ACCOUNT}}}
model: gpt-4.1-mini-2025-04-14
training: data/support-train.jsonl
validation: data/support-validation.jsonl
hyperparameters: {{n_epochs: 5}}
seed: 105
"""


def test_what_is_trained_is_recorded_and_what_is_recorded_is_served_by_the_next_up(source: Desk):
    (source.root / "data").symlink_to(DATA)
    (source.root / "stacks/training").mkdir(exist_ok=True)
    (source.root / "stacks/training/support-bot.yaml").write_text(TRAINING)
    source.switch(training_rate=1e6, training_queue=0.0, training_preparation=0.1, training_evaluation=0.1)
    before = source.record_file("support-bot").read_text()

    said = source.hearth("train", "support-bot", "--every", "0.1")
    assert "overfitting" in said, "five times over so little data, and nobody said so"
    record = yaml.safe_load(source.record_file("support-bot").read_text())
    assert record["model"] not in before
    job = record["trained"]["job"]

    # The verdict exits 1, as a pipeline wants it; the checkpoint of its choice is what callers get.
    choice = json.loads(source.hearth("results", job, "--json", ok=False))["choice"]
    source.hearth("models", "record", job, "--name", "support-bot", "--checkpoint", str(choice["step"]))
    record = yaml.safe_load(source.record_file("support-bot").read_text())
    assert record["trained"]["checkpoint"] == {"id": choice["checkpoint"], "step": choice["step"]}

    source.up("local-target")
    assert source.deployment("support-bot").model.name == record["model"] == choice["checkpoint"]
    assert "free of charge" in source.hearth("chat", "local-target/support-bot", "A pole of my tent is broken.")
