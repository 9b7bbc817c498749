"""From data to callers: trained where the source is, recorded, served in another region, by the real engine."""

from __future__ import annotations

import json

from tests.desk import Desk
from tests.localazure.training import BASE, answer, chat, question


def test_a_model_is_trained_recorded_and_served_elsewhere_and_says_what_it_learned(source: Desk):
    source.switch(file_processing=0.1, training_queue=0.1, training_preparation=0.2, training_evaluation=0.1)
    (source.root / "data").mkdir()
    (source.root / "data/train.jsonl").write_bytes(chat(60))
    (source.root / "data/valid.jsonl").write_bytes(chat(15, first=700))
    (source.root / "stacks/training").mkdir(exist_ok=True)
    (source.root / "stacks/training/trained.yaml").write_text(
        f"stack: local-source\nmodel: {BASE}\ntraining: data/train.jsonl\nvalidation: data/valid.jsonl\nseed: 105\n"
    )
    said = source.hearth("train", "trained", "--every", "0.5")
    assert "wrote stacks/models/trained.yaml" in said
    job = json.loads(source.hearth("jobs", "list", "--stack", "local-source", "--json"))[0]
    assert (job["status"], job["seed"]) == ("succeeded", 105)

    entry = "    trained:\n      model: trained\n      sku: {name: standard, capacity: 5}\n"
    source.change("local-target", "  hearth:deployments:\n", f"  hearth:deployments:\n{entry}")
    source.up("local-target")
    source.advance(minutes=1)
    assert source.hearth("chat", "local-target/trained", question(5)).strip() == answer(5)

    first = json.loads(source.hearth("checkpoints", job["id"], "--json"))["checkpoints"][0]
    source.hearth("models", "record", job["id"], "--name", "trained", "--checkpoint", str(first["step"]))
    assert source.deployment("trained").model.name == job["fine_tuned_model"]
    source.up("local-target")
    assert source.deployment("trained").model.name == first["id"]
