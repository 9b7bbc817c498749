"""GET /models: the proof that a tuned model exists."""

from __future__ import annotations

from tests.localazure.cloud import DATA, TUNED

HOST = "/oai-prod.openai.azure.com/openai"


def ask(cloud, path, account):
    return cloud.get(f"{HOST}{path}", who=None, headers={"api-key": cloud.key(account)}, version="2024-10-21")


def test_a_tuned_model_is_shown_with_its_base_and_capabilities(cloud):
    account = cloud.account()
    cloud.tune(account)
    body = ask(cloud, f"/models/{TUNED}", account).body
    assert (body["id"], body["object"], body["model"], body["status"]) == (
        TUNED, "model", "gpt-4.1-mini-2025-04-14", "succeeded",
    )  # fmt: skip
    assert body["capabilities"] == {
        "fine_tune": False, "inference": True, "completion": True, "chat_completion": True, "embeddings": False,
    }  # fmt: skip
    assert body["lifecycle_status"] == "generally-available"
    assert body["deprecation"]["inference"] > 1_800_000_000


def test_base_and_tuned_models_are_listed_together(cloud):
    account = cloud.account()
    cloud.tune(account)
    body = ask(cloud, "/models", account).body
    names = {m["id"] for m in body["data"]}
    assert body["object"] == "list"
    assert {TUNED, "gpt-4.1-mini-2025-04-14"} <= names
    assert "model" not in next(m for m in body["data"] if m["id"] == "gpt-4.1-mini-2025-04-14")


def test_a_model_of_another_account_is_not_found(cloud):
    account = cloud.account()
    cloud.tune(cloud.account("oai-other"))
    answer = ask(cloud, f"/models/{TUNED}", account)
    assert answer.refusal == (404, "notFound")
    assert TUNED not in {m["id"] for m in ask(cloud, "/models", account).body["data"]}


def test_looking_at_models_takes_a_data_action(cloud):
    account = cloud.account()
    reader = cloud.grant("Reader", account)
    answer = cloud.get(f"{HOST}/models", who=reader, audience=DATA, version="2024-10-21")
    assert answer.refusal == (401, "PermissionDenied")
    assert "accounts/OpenAI/models/read" in answer.error["message"]
