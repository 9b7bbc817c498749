"""The keep-alive job and its notices in a stack's file."""

from __future__ import annotations

import pytest

from tests.spec.desk import TODAY, Desk, config

AT = "hearth:keepAlive/job"
IMAGE = {f"{AT}/image": "contoso.azurecr.io/hearth:1.0.0"}
HOOK = "hearth:keepAlive/notify"


def test_a_job_needs_an_image_and_nothing_else(desk: Desk):
    assert desk.told({AT: {}}) == [f"{AT}/image: is missing; add it"]
    job = desk.load(IMAGE).keep_alive.job
    assert job is not None
    assert (job.enabled, job.schedule, job.scope, job.retire) == (True, "17 5 * * *", "account", False)


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("schedule", "daily", "must be a cron schedule of five fields"),
        ("scope", "tenant", "must be account or subscription"),
        ("registry", "contoso.azurecr.io", "must be a resource id"),
        ("alarms/daysLeft", 0, "must be at least 1"),
        ("alarms/webhooks", ["http://plain.example"], "must be an address that starts with https://"),
    ],
)
def test_what_a_job_cannot_be_is_told(desk: Desk, key: str, value: object, told: str):
    (mistake,) = desk.told({**IMAGE, f"{AT}/{key}": value})
    assert told in mistake


def test_an_address_alone_is_a_notice(desk: Desk):
    notify = desk.load({HOOK: "https://hooks.example/x"}).keep_alive.notify
    assert notify is not None
    assert (notify.webhook, notify.shape) == ("https://hooks.example/x", "generic")


@pytest.mark.parametrize("whole", [True, False])
def test_an_encrypted_webhook_leaves_the_stack_readable_at_a_desk(desk: Desk, whole: bool):
    hidden = {"secure": "v1:AAAA:BBBB"}
    changes = {HOOK: hidden} if whole else {f"{HOOK}/webhook": hidden, f"{HOOK}/shape": "slack"}
    if whole:
        desk.stack(changes)
        assert [m.text for m in desk.mistakes()] == [], "a stack with a secret is read as far as it can be"
        return
    notify = desk.load(changes).keep_alive.notify
    assert notify is not None
    assert (notify.webhook, notify.shape) == ("", "slack"), "only a run of the engine knows it"


def test_the_engine_hands_the_webhook_over_in_the_clear(desk: Desk):
    from infra.spec import load_stack

    desk.stack({f"{HOOK}/webhook": {"secure": "v1:AAAA:BBBB"}})
    given = config({f"{HOOK}/webhook": "https://hooks.example/x"})
    notify = load_stack(desk.project, "dev", given, today=TODAY).keep_alive.notify
    assert notify is not None
    assert notify.webhook == "https://hooks.example/x"
