"""What stands at the stacks of a rollout: outputs from a stand-in backend, the rest from a local Azure on a port."""

from __future__ import annotations

from typing import Any, NoReturn

import pytest

from infra.errors import HearthError, LoginFailed, Refused, Unreachable
from infra.localazure import ids
from infra.localazure.traffic import Traffic
from infra.ports.arm import Arm
from infra.ports.cloud import Cloud
from infra.ports.metrics import Metrics
from infra.ports.stacks import Stacks
from infra.rollout.observe import observe
from infra.rollout.plan import Observed
from infra.spec import Account, Stack
from infra.spec.model import ResourceGroup
from infra.spec.promotion import Served
from tests.localazure.clients import Served as Serving
from tests.localazure.cloud import OWNER_APP, PRODUCTION, SECRET, TENANT, TUNED
from tests.rollout import planning

PING = 14
Told = dict[str, Any] | HearthError | None


class Backend(Stacks):
    """Tells the outputs that it was given; raises those that are errors."""

    def __init__(self, told: dict[str, Told]) -> None:
        self.told = told

    def outputs(self, stack: str) -> dict[str, Any] | None:
        found = self.told.get(stack)
        if isinstance(found, HearthError):
            raise found
        return found


@pytest.fixture
def cloud(served: Serving, monkeypatch: pytest.MonkeyPatch) -> Cloud:
    served.azure.switch(metrics_delay=0.0)
    origin = served.azure.origin
    environment = {
        "ARM_METADATA_HOSTNAME": origin.removeprefix("https://"), "AZURE_AUTHORITY_HOST": origin,
        "AZURE_TENANT_ID": TENANT, "AZURE_CLIENT_ID": OWNER_APP, "AZURE_CLIENT_SECRET": SECRET,
    }  # fmt: skip
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return Cloud()


def stack(name: str = "prod-swe", account: str = "oai-prod") -> Stack:
    """A stack whose account is the one that local Azure has."""
    where = Account(name=account, resource_group=ResourceGroup(name="rg"))
    return planning.stack(name, planning.wish("bot"), subscription=PRODUCTION, account=where)


def outputs(of: Stack, **more: Any) -> dict[str, Any]:
    told = planning.observed(of, {"bot": planning.facts(active="bot", **more)}).outputs
    assert told is not None
    return dict(told)


def look(cloud: Cloud, told: dict[str, Told], *stacks: Stack) -> dict[str, Observed]:
    known = {one.name: one for one in stacks}
    return observe(list(told), known, Backend(told), Arm(cloud), Metrics(cloud), (PING,))


def test_outputs_deployments_and_the_quota_of_a_second_deployment_are_told(cloud: Cloud):
    swe = stack()
    (seen,) = look(cloud, {swe.name: outputs(swe)}, swe).values()
    assert seen.outputs is not None
    assert seen.deployments == {"bot": Served(model=TUNED, version="1")}
    assert seen.quota["bot"].name.lower().endswith("-finetune"), "what tuned models draw on, not their base"
    assert seen.quota["bot"].left > 0


def test_a_first_stack_is_seen_without_outputs_and_its_account_need_not_be_there(cloud: Cloud):
    new = stack("prod-new", "oai-new")
    (seen,) = look(cloud, {new.name: None}, new).values()
    assert (seen.outputs, seen.deployments, seen.unread) == (None, {}, "")


def test_calls_to_what_stands_by_are_counted_but_for_our_own(cloud: Cloud, served: Serving):
    swe = stack()
    beside = {**planning.standing(), "name": "bot"}

    def called(times: int, tokens: int) -> None:
        for _ in range(times):
            note = Traffic(
                at=served.azure.world.now(), account=ids.key(served.account), deployment="bot", model="m",
                model_version="1", api="Azure OpenAI", operation="ChatCompletions_Create", status=200,
                stream="Non-Streaming", prompt_tokens=tokens,
            )  # fmt: skip
            with served.azure.world.lock:
                served.azure.app.monitor.note(note)
        served.azure.advance(minutes=1)

    def seen() -> int:
        (one,) = look(cloud, {swe.name: outputs(swe, standby=beside)}, swe).values()
        return one.standby_calls["bot"]

    called(1, PING)
    assert seen() == 0, "an up's proof is no use of it"
    called(3, 200)
    assert seen() == 3
    served.azure.advance(minutes=20)
    assert seen() == 0


def test_a_stack_that_cannot_be_read_is_told_of_and_the_others_are_looked_at(cloud: Cloud):
    swe = stack()
    seen = look(cloud, {"broken": Refused("pulumi:\n  incorrect passphrase"), swe.name: outputs(swe)}, swe)
    assert seen["broken"].unread == "pulumi: incorrect passphrase"
    assert seen[swe.name].deployments


def test_outputs_of_another_version_leave_open_what_cannot_be_read_from_them(cloud: Cloud):
    swe = stack()
    told = {"account": {}, "deployments": {"bot": ["from", "long", "ago"]}}
    (seen,) = look(cloud, {swe.name: told}, swe).values()
    assert seen.standby_calls == {}
    assert seen.deployments


def test_an_azure_that_fails_leaves_open_what_it_would_have_told(cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    def fail(*_: object) -> NoReturn:
        raise Unreachable("it does not answer")

    for method in ("listing", "tuned_skus"):
        monkeypatch.setattr(Arm, method, fail)
    swe = stack()
    told = outputs(swe)
    (seen,) = look(cloud, {swe.name: told}, swe).values()
    assert (seen.outputs, seen.deployments, seen.quota) == (told, None, {})


def test_a_login_that_is_refused_ends_it_all(cloud: Cloud, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AZURE_CLIENT_SECRET", "expired")
    swe = stack()
    with pytest.raises(LoginFailed):
        look(cloud, {swe.name: outputs(swe)}, swe)
