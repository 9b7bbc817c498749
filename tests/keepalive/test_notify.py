"""Notices to people: who hears of what, in which shape; and how they are sent."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from infra.errors import HearthError, Refused, Unreachable
from infra.keepalive import notify, watchlist
from infra.keepalive.report import Outcome, Row
from infra.ports import webhook

NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)
HOOK = "https://hooks.slack.com/services/T000/B000/secret"


def row(
    name: str = "bot", outcome: Outcome = Outcome.WARNED, *, stack: str = "prod", code: int = 1, **more: Any
) -> Row:
    return Row(
        at=NOW, stack=stack, deployment=name, id=f"/d/{name}", policy="ping", outcome=outcome,
        reason=more.pop("reason", "because"), ok=code == 0, code=code, **more,
    )  # fmt: skip


def listed(stack: str = "prod", hook: str | None = HOOK, shape: Any = "generic") -> watchlist.WatchList:
    account = watchlist.Account(id="/a", location="swedencentral", endpoint="https://e", stack=stack, deployments=[])
    told = watchlist.Notify(webhook=hook, shape=shape) if hook else None
    return watchlist.WatchList(version=1, accounts=[account], notify=told)


def test_a_quiet_run_tells_nobody():
    kept = [row(outcome=Outcome.KEPT, code=0), row(outcome=Outcome.PINGED, code=0), row(outcome=Outcome.OFF, code=0)]
    assert notify.notices([listed()], kept) == []


def test_what_was_brought_back_or_let_go_is_news_though_all_is_well():
    news = [row("a", Outcome.REVIVED, code=0), row("b", Outcome.RETIRED, code=0), row("c", Outcome.RECOMMENDED, code=0)]
    ((_, told),) = notify.notices([listed()], [*news, row("d", Outcome.KEPT, code=0)])
    assert {one.deployment for one in told} == {"a", "b", "c"}


def test_each_webhook_hears_once_and_of_its_own_stacks_alone():
    lists = [listed("one"), listed("two"), listed("three", "https://other.example/x"), listed("four", None)]
    rows = [row(stack=name) for name in ("one", "two", "three", "four")]
    found = {who.webhook: [one.stack for one in told] for who, told in notify.notices(lists, rows)}
    assert {hook: sorted(stacks) for hook, stacks in found.items()} == {
        HOOK: ["one", "two"],
        "https://other.example/x": ["three"],
    }


def test_programs_get_every_fact_and_a_version():
    body = notify.body("generic", [row(deadline=NOW + timedelta(days=1), seconds_left=86400)])
    body = json.loads(json.dumps(body))
    assert body["version"] == 1
    assert body["deployments"][0]["secondsLeft"] == 86400
    assert body["deployments"][0]["deadline"].startswith("2026-11-02T12:00:00")


def test_slack_gets_text_in_which_nothing_of_ours_is_markup():
    text = notify.body("slack", [row(reason="<!channel> & more")])["text"]
    assert "&lt;!channel&gt; &amp; more" in text
    assert "prod/bot: warned" in text
    assert "1 not as it should be" in text


def test_teams_gets_a_card_of_a_line_a_deployment():
    body = notify.body("teams", [row("a"), row("b")])
    (attachment,) = body["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    texts = [block["text"] for block in attachment["content"]["body"]]
    assert len(texts) == 3
    assert texts[1].startswith("prod/a: warned")


@pytest.mark.parametrize("shape", ["slack", "teams"])
def test_a_notice_for_people_stays_short_however_many_there_are(shape):
    body = json.dumps(notify.body(shape, [row(f"bot-{n}") for n in range(1000)]))
    assert "and 970 more" in body
    assert len(body) < 28_000


# --- sending -------------------------------------------------------------------------------------------------------


@contextmanager
def host(*answers: tuple[int, dict[str, str]]) -> Iterator[tuple[str, list[Any]]]:
    """A webhook that answers so, one after the other; gives its address and what it was sent."""
    left, got = list(answers), []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            status, headers = left.pop(0)
            self.send_response(status)
            for name, value in {"Content-Length": "0", **headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/services/secret", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_notice_arrives_as_json():
    with host((200, {})) as (address, got):
        webhook.send(address, {"text": "hello"})
    assert got == [{"text": "hello"}]


def test_a_webhook_that_is_busy_is_tried_again_when_it_says():
    waits: list[float] = []
    with host((429, {"Retry-After": "7"}), (503, {}), (204, {})) as (address, got):
        webhook.send(address, {"a": 1}, wait=waits.append)
    assert len(got) == 3
    assert waits == [7.0, 2.0]


def test_a_webhook_that_refuses_is_not_tried_again():
    with host((404, {})) as (address, got), pytest.raises(Refused, match="HTTP 404"):
        webhook.send(address, {}, wait=lambda _: pytest.fail("there is nothing to wait for"))
    assert len(got) == 1


def test_a_redirect_is_not_followed_because_it_leads_to_somebody_who_was_not_named():
    with host((302, {"Location": "http://127.0.0.1:1/"})) as (address, _), pytest.raises(Refused, match="HTTP 302"):
        webhook.send(address, {})


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/services/secret", "https://[bad/secret", "nonsense:secret"])
def test_no_error_holds_the_address_because_whoever_knows_it_can_write_there(address):
    with pytest.raises((Unreachable, Refused, HearthError)) as caught:
        webhook.send(address, {}, wait=lambda _: None)
    assert "secret" not in str(caught.value)


def test_a_webhook_that_stays_down_is_given_up_after_some_tries():
    waits: list[float] = []
    with pytest.raises(Unreachable, match="does not answer"):
        webhook.send("http://127.0.0.1:1/secret", {}, wait=waits.append)
    assert len(waits) == webhook.TRIES - 1
