"""The tender on local Azure, by the real ports: what it does, and what it does when something is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from infra.errors import LoginFailed, NotFound
from infra.keepalive import act, patience, watchlist
from infra.keepalive.memory import Memory
from infra.keepalive.report import Outcome, Row
from infra.keepalive.tend import Tender
from infra.localazure import deployments, faults, ids, roles
from infra.ports import activity, metrics
from infra.ports.arm import Listing
from infra.spec import limits
from tests.keepalive.inprocess import CloudInProcess, ports
from tests.localazure.cloud import OWNER, PRODUCTION, TUNED, Cloud

PERSON = "cccccccc-0000-4000-8000-000000000001"
SUBSCRIPTION = f"/subscriptions/{PRODUCTION}"


@dataclass
class Watch:
    """A cloud with one deployment `bot`, its list, and tenders of it."""

    azure: Cloud
    account: str
    wire: CloudInProcess
    slept: list[float] = field(default_factory=list)
    keep: dict[str, Any] = field(default_factory=dict)
    names: tuple[str, ...] = ("bot",)
    who: str = OWNER

    @property
    def list(self) -> watchlist.WatchList:
        told = {"policy": "ping", "after": "11d", "revive": True, **self.keep}
        wishes = [
            watchlist.Deployment(
                name=name, active=name, model=TUNED if name == "bot" else f"{TUNED[:-4]}{at:04d}", version="1",
                sku=watchlist.Sku(name="Standard", capacity=10), rai_policy="Microsoft.DefaultV2",
                version_upgrade_option="NoAutoUpgrade", tags={"team": "support"},
                keep_alive=watchlist.KeepAlive(**told),
            )
            for at, name in enumerate(self.names)
        ]  # fmt: skip
        account = watchlist.Account(
            id=self.account, location="swedencentral", endpoint=f"https://localhost/{self.account.rsplit('/', 1)[-1]}"
            ".openai.azure.com/", stack="prod", deployments=wishes,
        )  # fmt: skip
        return watchlist.WatchList(version=1, accounts=[account])

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.azure.advance(seconds=seconds)

    def tender(self, memory: Memory | None = None, who: str = OWNER) -> Tender:
        wire = self.wire if who == OWNER else CloudInProcess(self.azure.app, who)
        return Tender(ports(wire), limits.load(), memory, sleep=self.sleep)

    def run(self, memory: Memory | None = None, who: str = OWNER, **how: bool) -> Row:
        tender = self.tender(memory, who)
        (row,) = tender.act(tender.look([self.list]), **how)
        return row

    def fault(self, name: str, **how: Any) -> None:
        faults.add(self.azure.world, faults.read({"name": name, **how}, self.azure.world.catalogue))

    def stands(self, name: str = "bot") -> bool:
        return self.azure.world.deployments.get(ids.key(f"{self.account}/deployments/{name}")) is not None

    def asked(self, method: str, ending: str) -> int:
        return sum(n for (verb, path), n in self.wire.wire.counted.items() if verb == method and path.endswith(ending))


def raising(error: Exception) -> Callable[..., Any]:
    """What raises it, whatever it is asked."""

    def ask(*_arguments: Any, **_how: Any) -> Any:
        raise error

    return ask


@pytest.fixture
def watch(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Watch:
    monkeypatch.setattr(metrics, "WAITS", (0.0, 0.0))
    account = cloud.account()
    cloud.tune(account)
    cloud.serve(account, capacity=10, tags={"team": "support"}, versionUpgradeOption="NoAutoUpgrade")
    cloud.assign(OWNER, "Cognitive Services OpenAI User", SUBSCRIPTION)
    return Watch(cloud, account, CloudInProcess(cloud.app, OWNER))


@pytest.fixture
def cloud() -> Cloud:
    return Cloud()


def test_it_looks_by_a_list_and_metrics_and_calls_nobody_before_its_time(watch: Watch):
    watch.azure.advance(days=5)
    row = watch.run()
    assert (row.outcome, row.code, row.calls) == (Outcome.KEPT, 0, 0)
    assert sum(watch.wire.wire.counted.values()) == 2, watch.wire.wire.counted


def test_one_small_call_keeps_it_for_another_fifteen_days(watch: Watch):
    watch.azure.advance(days=14)
    row = watch.run()
    assert (row.outcome, row.code, row.calls, row.prompt_tokens) == (Outcome.PINGED, 0, 1, 15)
    watch.azure.advance(days=14)
    assert watch.stands()
    assert (watch.run().idle_seconds or 0) < 60


def test_a_dry_run_shows_the_same_and_does_nothing(watch: Watch):
    watch.azure.advance(days=14)
    assert watch.run(dry_run=True).outcome is Outcome.WOULD_PING
    assert watch.asked("POST", "completions") == 0
    watch.azure.advance(days=2)
    assert watch.run(dry_run=True).outcome is Outcome.WOULD_REVIVE
    assert not watch.stands()


def test_its_own_ping_is_seen_in_the_metrics_once_they_tell_of_it(watch: Watch):
    watch.azure.advance(days=14)
    watch.run()
    watch.azure.advance(hours=2)
    row = watch.run()
    assert (row.outcome, row.certainty) == (Outcome.KEPT, "measured")
    assert row.idle_seconds <= 8 * 3600, "the start of the stretch that the ping fell into"


# --- two at once ---------------------------------------------------------------------------------------------------


def test_two_tenders_of_a_machine_ping_once(watch: Watch, tmp_path: Path):
    watch.azure.advance(days=14)
    memory = Memory(tmp_path / "pings.db", "local")
    tenders = [watch.tender(memory) for _ in range(4)]
    looked = [tender.look([watch.list]) for tender in tenders]
    with ThreadPoolExecutor() as pool:
        rows = [rows[0] for rows in pool.map(lambda pair: pair[0].act(pair[1]), zip(tenders, looked, strict=True))]
    assert watch.asked("POST", "completions") == 1
    assert sorted(row.outcome.value for row in rows) == ["left to another tender"] * 3 + ["pinged"]


def test_a_second_run_within_minutes_remembers_the_first_though_metrics_do_not_tell_yet(watch: Watch, tmp_path: Path):
    watch.azure.advance(days=14)
    memory = Memory(tmp_path / "pings.db", "local")
    watch.run(memory)
    row = watch.run(Memory(tmp_path / "pings.db", "local"))
    assert (row.outcome, row.idle_seconds) == (Outcome.KEPT, 0)
    assert watch.asked("POST", "completions") == 1


def test_tenders_of_two_machines_ping_once_each_at_most_until_metrics_tell(watch: Watch, tmp_path: Path):
    watch.azure.advance(days=14)
    job, laptop = (Memory(tmp_path / f"{name}.db", "local") for name in ("job", "laptop"))
    for _ in range(2):
        watch.run(job)
        watch.run(laptop)
    assert watch.asked("POST", "completions") == 2
    watch.azure.advance(hours=1)
    assert watch.run().outcome is Outcome.KEPT, "a third one, that remembers nothing, reads of them"


def test_two_tenders_never_revive_twice(watch: Watch):
    watch.azure.advance(days=16)
    tenders = [watch.tender() for _ in range(3)]
    looked = [tender.look([watch.list]) for tender in tenders]
    with ThreadPoolExecutor() as pool:
        rows = [rows[0] for rows in pool.map(lambda pair: pair[0].act(pair[1]), zip(tenders, looked, strict=True))]
    assert {row.outcome for row in rows} == {Outcome.REVIVED}
    writes = [
        a for a in watch.azure.world.activities if a.operation.endswith("deployments/write") and not a.failed_code
    ]
    assert len(writes) == 2, "the first create, and one revival"


# --- bad input and faults ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["metrics-down", "reset-connection", "server-error"])
def test_metrics_that_cannot_be_read_count_as_no_calls_and_are_reported(watch: Watch, name: str):
    watch.azure.advance(days=1)
    watch.azure.chat(f"{watch.account}/deployments/bot")
    watch.azure.advance(days=10, hours=23)
    scope = {} if name == "metrics-down" else {"scope": "Microsoft.Insights/metrics/read"}
    watch.fault(name, **scope)
    row = watch.run()
    assert (row.outcome, row.certainty) == (Outcome.PINGED, "assumed"), row.reason
    assert "metrics could not be read" in row.reason


def test_a_login_that_may_not_read_metrics_pings_early_and_says_so(watch: Watch):
    who = watch.azure.grant("Cognitive Services OpenAI User", watch.account)
    role = next(r for r in roles.built_in().values() if r.name == "Cognitive Services OpenAI User")
    assert role.actions, "it reads accounts and deployments"
    watch.azure.advance(days=12)
    row = watch.run(who=who)
    assert (row.outcome, row.certainty) == (Outcome.PINGED, "assumed")
    assert "does not have authorization to perform action 'Microsoft.Insights/metrics/read'" in row.reason


def test_metrics_of_a_dimension_that_azure_does_not_know_count_as_no_calls_and_it_is_pinged_early(watch, monkeypatch):
    monkeypatch.setattr(metrics, "_SUCCESSFUL", "ModelDeployment eq '*' and StatusCode eq '200'")
    watch.azure.advance(days=6)
    watch.azure.chat(f"{watch.account}/deployments/bot")
    watch.azure.advance(days=6)
    row = watch.run()
    assert row.outcome is Outcome.PINGED, "six days after its last call"
    for _ in range(2):
        watch.azure.advance(days=2)
        row = watch.run()
        assert row.outcome is Outcome.PINGED, "it costs a ping a run until somebody hears of it"
    assert "so they are not to be believed" in row.reason


@pytest.mark.parametrize("skew", [-3600, 3600])
def test_a_machine_whose_clock_is_an_hour_wrong_decides_the_same(watch: Watch, monkeypatch, skew: int):
    watch.azure.advance(days=10, hours=23, minutes=30)
    real, right = time.time, watch.run(dry_run=True)
    monkeypatch.setattr(time, "time", lambda: real() + skew)
    wrong = watch.run(dry_run=True)
    assert msgspec.structs.replace(wrong, at=right.at) == right


def test_a_throttled_ping_waits_as_it_is_told(watch: Watch):
    watch.azure.advance(days=12)
    watch.fault("throttle", scope="POST Microsoft.CognitiveServices/*", count=1, seconds=7)
    watch.fault("throttle", scope=f"/{watch.account.rsplit('/', 1)[-1]}.openai.azure.com", count=1, seconds=7)
    row = watch.run()
    assert row.outcome is Outcome.PINGED
    assert 7 in watch.slept


def test_a_refused_token_is_exit_3_and_nothing_is_assumed(watch: Watch):
    watch.azure.advance(days=14)
    watch.fault("token-refused")
    row = watch.run()
    assert (row.outcome, row.code) == (Outcome.NOT_SEEN, 3)
    assert watch.asked("POST", "completions") == 0


def test_a_paused_deployment_is_said_tried_again_and_not_counted_as_kept(watch: Watch):
    watch.azure.advance(days=14)
    found = next(iter(watch.azure.world.deployments))
    found.paused = True
    row = watch.run()
    assert (row.outcome, row.code) == (Outcome.NOT_PINGED, 1)
    assert "paused (423) and was not kept" in row.reason
    assert row.calls == patience.TRIES


def test_words_that_are_filtered_are_followed_by_others(watch: Watch, monkeypatch: pytest.MonkeyPatch):
    watch.azure.advance(days=14)
    bad = ({"role": "user", "content": "local-azure:filter-prompt=hate"},)
    monkeypatch.setattr(act, "PROMPTS", (bad, *act.PROMPTS))
    row = watch.run()
    assert (row.outcome, row.calls) == (Outcome.PINGED, 2)
    monkeypatch.setattr(act, "PROMPTS", (bad, bad))
    watch.azure.advance(days=14)
    row = watch.run()
    assert (row.outcome, row.code) == (Outcome.NOT_PINGED, 1), "a filtered call is no success"


def test_one_that_vanished_between_look_and_act_is_said_and_brought_back_by_the_next_run(watch: Watch):
    watch.azure.advance(days=14)
    tender = watch.tender()
    steps = tender.look([watch.list])
    watch.azure.advance(days=1, seconds=1)
    (row,) = tender.act(steps)
    assert (row.outcome, row.code) == (Outcome.NOT_PINGED, 1)
    assert "it vanished after it was listed" in row.reason
    assert watch.run().outcome is Outcome.REVIVED


def test_an_account_that_cannot_be_listed_has_its_deployments_pinged(watch: Watch):
    watch.azure.advance(days=3)
    watch.fault("server-error", scope="Microsoft.CognitiveServices/accounts/deployments/read")
    row = watch.run()
    assert row.outcome is Outcome.PINGED
    assert "could not be looked at" in row.reason


def test_metrics_that_refuse_a_login_that_may_list_are_unreadable_and_no_more(watch: Watch, monkeypatch):
    watch.azure.advance(days=12)
    tender = watch.tender()
    monkeypatch.setattr(tender.ports.metrics, "of_account", raising(LoginFailed("401")))
    (row,) = tender.act(tender.look([watch.list]))
    assert (row.outcome, row.certainty, row.code) == (Outcome.PINGED, "assumed", 0)
    assert "metrics could not be read (401)" in row.reason


def test_a_batch_that_refuses_the_login_is_followed_by_a_question_for_each_account(watch: Watch, monkeypatch):
    account = watch.azure.account("oai-b")
    tender, other = watch.tender(), watchlist.Account(
        id=account, location="swedencentral", endpoint="https://localhost/b", stack="b", deployments=[]
    )  # fmt: skip
    watch.azure.advance(days=2)
    monkeypatch.setattr(tender.ports.metrics, "_ask", raising(LoginFailed("401")))
    lists = watchlist.WatchList(version=1, accounts=[*watch.list.accounts, other])
    (row,) = tender.act(tender.look([lists]))
    assert (row.outcome, row.certainty) == (Outcome.KEPT, "never called"), row.reason


def test_a_404_that_does_not_say_that_the_account_is_gone_has_its_deployments_pinged(watch: Watch, monkeypatch):
    tender = watch.tender()
    monkeypatch.setattr(tender.ports.arm, "listing", raising(NotFound("a gateway's", code="", status=404)))
    (row,) = tender.act(tender.look([watch.list]))
    assert row.outcome is Outcome.PINGED
    assert "could not be looked at" in row.reason


@pytest.mark.parametrize(("port", "name"), [("arm", "listing"), ("metrics", "of_account")])
def test_an_answer_that_nobody_foresaw_costs_its_own_account_alone(watch: Watch, monkeypatch, port: str, name: str):
    watch.azure.advance(days=12)
    tender = watch.tender()
    real = getattr(getattr(tender.ports, port), name)

    def odd(account: str, **how: Any) -> Any:
        return real(account, **how) if account == watch.account else {}["date"]

    monkeypatch.setattr(getattr(tender.ports, port), name, odd)
    other = watch.azure.account("oai-b")
    watch.azure.tune(other)
    watch.azure.serve(other, capacity=10)
    (first,) = watch.list.accounts
    second = msgspec.structs.replace(first, id=other, location="northcentralus", endpoint="https://localhost/b/")
    rows = tender.act(tender.look([watchlist.WatchList(version=1, accounts=[first, second])]))
    assert rows[0].outcome is Outcome.PINGED
    assert "unreadable: KeyError('date')" in rows[1].reason
    assert "unreadable" not in rows[0].reason


def test_metrics_of_one_account_that_cannot_be_read_cost_no_other_of_its_batch(watch: Watch, monkeypatch):
    other = watch.azure.account("oai-b")
    real = metrics._Span.buckets

    def odd(span: Any, read: Any, where: str) -> Any:
        return real(span, read, where) if where == watch.account else datetime.fromisoformat("yesterday")

    monkeypatch.setattr(metrics._Span, "buckets", odd)
    now = watch.azure.world.now()
    ids_of_both = [watch.account, other]
    read = watch.tender().ports.metrics.of_region(
        PRODUCTION, "swedencentral", ids_of_both, since=now - timedelta(days=2), now=now
    )
    assert isinstance(read[watch.account], metrics.Readings)
    assert "metrics unreadable" in str(read[other])


def test_an_answer_to_a_ping_that_nobody_foresaw_is_its_own_row(watch: Watch, monkeypatch):
    watch.azure.advance(days=14)
    tender = watch.tender()
    monkeypatch.setattr(tender.ports.inference, "chat", raising(KeyError("choices")))
    (row,) = tender.act(tender.look([watch.list]))
    assert (row.outcome, row.code) == (Outcome.NOT_PINGED, 1)
    assert "unreadable: KeyError('choices')" in row.reason


def test_an_account_that_asks_to_be_waited_for_for_hours_is_not(watch: Watch):
    watch.azure.advance(days=3)
    watch.fault("throttle", scope="Microsoft.CognitiveServices/accounts/deployments/read", seconds=7200)
    before = watch.azure.world.now()
    row = watch.run()
    assert row.outcome is Outcome.PINGED
    assert "could not be looked at" in row.reason
    assert (watch.azure.world.now() - before).total_seconds() < 600


def test_an_account_that_was_not_listed_and_does_not_answer_is_called_once(watch: Watch):
    watch.azure.advance(days=3)
    watch.names = ("bot", "second", "third")
    watch.fault("reset-connection")
    tender = watch.tender()
    rows = tender.act(tender.look([watch.list]))
    assert {row.outcome for row in rows} == {Outcome.NOT_PINGED}
    assert watch.asked("POST", "completions") == 1
    assert "its account does not answer" in rows[2].reason


def test_what_is_due_comes_before_what_could_not_be_looked_at_and_writes_come_last(watch: Watch, monkeypatch):
    (gone,) = watch.list.accounts
    lists = [gone]
    for name in ("oai-b", "oai-c"):
        other = watch.azure.account(name)
        watch.azure.tune(other)
        watch.azure.serve(other, capacity=10)
        endpoint = f"https://localhost/{name}.openai.azure.com/"
        lists.append(msgspec.structs.replace(gone, id=other, endpoint=endpoint))
    watch.azure.advance(days=4)
    for one in lists[1:]:
        watch.azure.chat(f"{one.id}/deployments/bot")
    watch.azure.advance(days=12)
    tender, real = watch.tender(), watch.wire
    listing = tender.ports.arm.listing
    monkeypatch.setattr(tender.ports.arm, "listing", lambda one: {}["date"] if one == lists[1].id else listing(one))
    steps = tender.look([watchlist.WatchList(version=1, accounts=lists)])
    real.wire.counted.clear()
    rows = tender.act(steps)
    assert [row.outcome for row in rows] == [Outcome.REVIVED, Outcome.PINGED, Outcome.PINGED]
    acted = [path for method, path in real.wire.counted if method in {"POST", "PUT"}]
    assert ["oai-c" in acted[0], "oai-b" in acted[1], gone.id in acted[2]] == [True] * 3, acted


def test_a_deployment_that_failed_is_pinged_and_an_alarm_all_the_same(watch: Watch, monkeypatch):
    watch.azure.advance(days=14)
    tender = watch.tender()
    found = tender.ports.arm.listing(watch.account)
    failed = Listing(found.at, tuple(replace(one, state="Failed") for one in found.deployments))
    monkeypatch.setattr(tender.ports.arm, "listing", lambda _account: failed)
    (row,) = tender.act(tender.look([watch.list]))
    assert (row.outcome, row.code, row.ok) == (Outcome.PINGED, 1, False)
    assert "Azure says Failed of it" in row.reason


def test_an_account_that_is_gone_is_told_and_nothing_is_written(watch: Watch):
    watch.azure.ask("DELETE", watch.account)
    watch.azure.settle()
    row = watch.run()
    assert (row.outcome, row.code) == (Outcome.WARNED, 1)
    assert f"its account is gone from Azure; deleted with its account by {PERSON} at" in row.reason
    assert watch.asked("GET", "/eventtypes/management/values") == 1


def test_a_resource_group_that_a_person_deleted_is_told_as_that(watch: Watch, monkeypatch):
    group = watch.account.partition("/providers/")[0]
    watch.azure.ask("DELETE", watch.account)
    watch.azure.settle()
    assert watch.azure.ask("DELETE", group, version="2021-04-01").status in {200, 202}
    watch.azure.settle()
    monkeypatch.setattr(
        "infra.ports.activity._DELETIONS", activity._DELETIONS - {"microsoft.cognitiveservices/accounts/delete"}
    )
    row = watch.run()
    assert f"its account is gone from Azure; deleted with its resource group by {PERSON} at" in row.reason


def test_what_went_with_an_account_that_is_made_anew_is_not_brought_back(watch: Watch):
    watch.azure.advance(days=16)
    assert watch.run().outcome is Outcome.REVIVED, "the service's own deletion, the account stands"
    watch.azure.settle()
    watch.azure.ask("DELETE", watch.account)
    watch.azure.settle()
    watch.azure.advance(days=3)
    assert watch.azure.account() == watch.account
    row = watch.run()
    assert (row.outcome, row.code) == (Outcome.WARNED, 1)
    assert f"deleted with its account by {PERSON} at" in row.reason
    assert not watch.stands()


def test_a_deletion_before_the_last_call_is_not_the_one_that_took_it(watch: Watch):
    watch.azure.ask("DELETE", watch.account)
    watch.azure.settle()
    assert watch.azure.put(watch.account, {"location": "swedencentral", "properties": {"restore": True}}).status < 300
    watch.azure.settle()
    assert watch.stands(), "a restore brings it back"
    watch.azure.advance(hours=12)
    watch.azure.chat(f"{watch.account}/deployments/bot")
    watch.azure.switch(idle_deletion_logged="none")
    watch.azure.app.wire_up()
    watch.azure.advance(days=16)
    assert not watch.stands()
    row = watch.run()
    assert row.outcome is Outcome.REVIVED, row.reason


# --- revive --------------------------------------------------------------------------------------------------------


def test_it_is_put_back_exactly_as_it_last_stood(watch: Watch):
    path = f"{watch.account}/deployments/bot"
    before = watch.azure.get(path).body
    watch.azure.advance(days=16)
    row = watch.run()
    assert (row.outcome, row.code) == (Outcome.REVIVED, 0)
    watch.azure.settle()
    after = watch.azure.get(path).body
    for changing in ("systemData", "etag"):
        before.pop(changing), after.pop(changing)
    assert after == before


def test_one_that_a_person_deleted_is_named_and_stays_gone(watch: Watch):
    watch.azure.ask("DELETE", f"{watch.account}/deployments/bot")
    watch.azure.settle()
    row = watch.run()
    assert (row.outcome, row.code) == (Outcome.WARNED, 1)
    assert f"deleted by {PERSON}" in row.reason
    assert not watch.stands()


@pytest.mark.parametrize(("days", "outcome"), [(16, Outcome.REVIVED), (3, Outcome.WARNED)])
def test_one_that_the_log_says_nothing_of_is_brought_back_where_its_deadline_had_passed(watch, days, outcome):
    watch.azure.switch(idle_deletion_logged="none", idle_days=float(days) - 1)
    watch.azure.app.wire_up()
    watch.azure.advance(days=days)
    assert not watch.stands()
    assert watch.run().outcome is outcome


def test_a_log_that_cannot_be_read_is_said(watch: Watch):
    watch.azure.advance(days=16)
    watch.fault("server-error", scope="Microsoft.Insights/eventtypes/values/read")
    row = watch.run()
    assert "the activity log could not be read" in row.reason
    assert row.outcome is Outcome.WARNED, "its creation is not known then"


def test_a_last_call_weeks_ago_is_a_sign_of_life_though_the_deployment_is_gone(watch: Watch):
    watch.azure.advance(days=30)
    watch.azure.switch(idle_deletion_logged="none")
    watch.azure.app.wire_up()
    assert watch.run().outcome is Outcome.REVIVED
    watch.azure.settle()
    for _ in range(8):
        watch.azure.advance(days=10)
        watch.azure.chat(f"{watch.account}/deployments/bot")
    watch.azure.advance(days=45)
    assert not watch.stands()
    row = watch.run(dry_run=True)
    assert row.outcome is Outcome.WOULD_REVIVE, "its write is beyond the log, and its last call is not"
    watch.azure.advance(days=90)
    row = watch.run(dry_run=True)
    assert row.outcome is Outcome.WARNED, row.reason


def test_one_whose_model_is_gone_too_is_not_brought_back(watch: Watch):
    watch.azure.advance(days=16)
    for model in list(watch.azure.world.models):
        watch.azure.world.models.drop(f"{model.account}|{model.id}")
    row = watch.run()
    assert (row.outcome, row.code) == (Outcome.NOT_REVIVED, 1)
    assert "is gone from oai-prod too" in row.reason


@pytest.mark.parametrize(
    ("states", "outcome"), [(["Creating", "Succeeded"], Outcome.REVIVED), (["Failed"], Outcome.NOT_REVIVED)]
)
def test_one_that_somebody_else_puts_back_is_brought_back_once_it_has_succeeded(watch, monkeypatch, states, outcome):
    view = watch.tender().ports.arm.deployment(watch.account, "bot")
    watch.azure.advance(days=16)
    tender = watch.tender()
    steps = tender.look([watch.list])
    told = iter(states)
    monkeypatch.setattr(tender.ports.arm, "create_deployment", lambda *_a, **_h: False)
    monkeypatch.setattr(tender.ports.arm, "deployment", lambda *_a: replace(view, state=next(told)))
    (row,) = tender.act(steps)
    assert (row.outcome, row.ok) == (outcome, outcome is Outcome.REVIVED), row.reason
    assert len(watch.slept) == len(states) - 1


def test_a_sibling_that_is_being_written_is_waited_for(watch: Watch):
    watch.azure.advance(days=16)
    watch.fault("sibling-busy", count=2)
    assert watch.run().outcome is Outcome.REVIVED
    assert len(watch.slept) == 2


# --- retire --------------------------------------------------------------------------------------------------------


def kept_by_pings(watch: Watch) -> None:
    """Forty days in which nobody but the tender calls."""
    for _ in range(4):
        watch.azure.advance(days=10.5)
        watch.keep = {"after": "10d"}
        watch.run()
    watch.azure.advance(days=1)
    watch.keep = {"retire": watchlist.Retire(after="30d", limit=1)}


def test_what_nobody_but_us_calls_is_recommended_and_with_a_yes_deleted(watch: Watch):
    kept_by_pings(watch)
    for how in ({}, {"dry_run": True}, {"dry_run": True, "yes": True}):
        assert watch.run(**how).outcome is Outcome.RECOMMENDED, "nothing is deleted without a yes"
        assert watch.stands()
    row = watch.run(yes=True)
    assert (row.outcome, row.code) == (Outcome.RETIRED, 0), row.reason
    assert not watch.stands()
    assert len(watch.azure.world.models) == 1, "the model stays"
    assert watch.run().outcome is Outcome.WARNED, "what was let go is not brought back"


def test_one_that_was_made_anew_between_look_and_act_is_not_deleted(watch: Watch):
    kept_by_pings(watch)
    tender = watch.tender()
    steps = tender.look([watch.list])
    watch.azure.ask("DELETE", f"{watch.account}/deployments/bot")
    watch.azure.settle()
    watch.azure.serve(watch.account, capacity=10)
    (row,) = tender.act(steps, yes=True)
    assert (row.outcome, row.code) == (Outcome.NOT_RETIRED, 1)
    assert watch.stands()


def test_one_with_another_model_than_the_list_says_is_not_deleted(watch: Watch):
    kept_by_pings(watch)
    (account,) = watch.list.accounts
    other = msgspec.structs.replace(account.deployments[0], model=f"{TUNED[:-4]}0099")
    tender = watch.tender()
    steps = tender.look([
        watchlist.WatchList(version=1, accounts=[msgspec.structs.replace(account, deployments=[other])])
    ])  # fmt: skip
    assert tender.act(steps, yes=True)[0].outcome is Outcome.NOT_RETIRED
    assert watch.stands()


def test_one_real_call_is_use(watch: Watch):
    kept_by_pings(watch)
    watch.azure.chat(f"{watch.account}/deployments/bot", "a question of somebody's")
    watch.azure.advance(hours=7)
    assert watch.run(yes=True).outcome is Outcome.KEPT


@pytest.mark.parametrize("policy", ["ping", "report", "off"])
def test_no_policy_but_retire_deletes_even_with_a_yes(watch: Watch, policy: str):
    watch.keep = {"policy": policy, "revive": False}
    for _ in range(3):
        watch.azure.advance(days=12)
        watch.run(yes=True)
    assert watch.asked("DELETE", "bot") == 0
    assert watch.stands() is (policy == "ping")
    assert watch.asked("POST", "completions") == (3 if policy == "ping" else 0)


def test_a_deletion_is_the_services_where_it_names_itself_alone(watch: Watch):
    watch.azure.advance(days=16)
    (event,) = [a for a in watch.azure.world.activities if a.operation == deployments.DELETE]
    assert event.caller.startswith("Microsoft.")
    assert "by the service itself" in watch.run(dry_run=True).reason
