"""Posting where people read: one comment or issue of a marker, kept up to date, on GitHub and Azure Repos."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.errors import Refused, SpecError, Unreachable
from infra.ports import repos
from tests.ports.hosts import TOKEN, Hosts, serving

LONG = "".join(f"line {n} of a long report\n" for n in range(20_000))


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    with serving() as found:
        yield found


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def github(hosts: Hosts, tmp_path: Path, waits: list[float]) -> repos.Host:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 7}}))
    return repos.of(
        {
            "GITHUB_ACTIONS": "true", "GITHUB_API_URL": f"{hosts.origin}/github", "GITHUB_REPOSITORY": "contoso/models",
            "GITHUB_TOKEN": TOKEN, "GITHUB_EVENT_PATH": str(event), "GITHUB_RUN_ID": "42",
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        },
        wait=waits.append,
    )  # fmt: skip


@pytest.fixture
def azure(hosts: Hosts, tmp_path: Path, waits: list[float]) -> repos.Host:
    return repos.of(
        {
            "TF_BUILD": "True", "SYSTEM_COLLECTIONURI": f"{hosts.origin}/azure/contoso/", "BUILD_REPOSITORY_ID": "r1",
            "SYSTEM_TEAMPROJECT": "Fine tuning", "SYSTEM_PULLREQUEST_PULLREQUESTID": "9", "SYSTEM_ACCESSTOKEN": TOKEN,
            "BUILD_BUILDID": "42", "AGENT_TEMPDIRECTORY": str(tmp_path),
        },
        wait=waits.append,
    )  # fmt: skip


@pytest.fixture(params=["github", "azure"])
def host(request: pytest.FixtureRequest) -> repos.Host:
    found: repos.Host = request.getfixturevalue(request.param)
    return found


def bodies(hosts: Hosts) -> list[str]:
    """Every comment that stands, wherever."""
    threads = [t["comments"][0]["content"] for rows in hosts.threads.values() for t in rows]
    return [c["body"] for rows in hosts.comments.values() for c in rows] + threads


def test_a_comment_is_made_once_and_kept_up_to_date(host: repos.Host, hosts: Hosts) -> None:
    done = [host.comment("preview", text).what for text in ("first", "first", "second")]
    assert done == ["created", "unchanged", "updated"]
    assert [b.splitlines()[0] for b in bodies(hosts)] == ["second"]


def test_two_markers_do_not_meet_and_other_peoples_comments_stay(host: repos.Host, hosts: Hosts) -> None:
    hosts.comments[7] = [{"id": n, "html_url": "u", "body": f"by hand {n}"} for n in range(8)]
    for mark in ("preview", "plan"):
        for text in ("first", "second"):
            host.comment(mark, f"{mark}: {text}")
    kept = [b.splitlines()[0] for b in bodies(hosts) if not b.startswith("by hand")]
    assert kept == ["preview: second", "plan: second"]
    assert sum(b.startswith("by hand") for b in bodies(hosts)) == 8


def test_one_issue_is_opened_kept_and_closed_and_a_later_drift_opens_another(host: repos.Host, hosts: Hosts) -> None:
    hosts.add_issue(title="a pull request", body="<!-- hearth:drift -->", pull_request={})
    said = [host.issue("drift", "Drift", "one").what, host.issue("drift", "Drift", "two").what]
    said += [host.close("drift", "gone").what, host.close("drift", "gone").what, host.issue("drift", "D", "x").what]
    assert said == ["created", "updated", "closed", "nothing", "created"]


def test_a_text_too_long_is_cut_at_a_line_and_says_where_the_whole_is(host: repos.Host, hosts: Hosts) -> None:
    host.comment("preview", LONG)
    host.comment("preview", LONG + "more")
    (body,) = bodies(hosts)
    assert "The whole text is among the artifacts of" in body
    assert "42" in body.splitlines()[-3]
    assert body.rstrip().endswith("<!-- hearth:preview -->")


def test_a_cut_inside_a_block_of_code_closes_it() -> None:
    assert repos.fitting("```\n" + LONG, 500, "there").count("```") == 2


def test_a_summary_stays_within_the_runners_limit_of_bytes(github: repos.Host, tmp_path: Path) -> None:
    github.summary("ü" * 900_000)
    github.summary("# second\n" + LONG * 3)
    assert (tmp_path / "summary.md").stat().st_size <= repos.SUMMARY_LONGEST


def test_a_value_is_handed_on_to_later_jobs_the_way_each_host_has_it(
    azure: repos.Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "c/m", "GITHUB_OUTPUT": str(tmp_path / "output")}
    repos.of(given).hand_on("digest", "0a1b")
    assert (tmp_path / "output").read_text() == "digest=0a1b\n"
    azure.hand_on("digest", "0a1b")
    assert capsys.readouterr().out == "##vso[task.setvariable variable=digest;isOutput=true]0a1b\n"


def test_azure_takes_a_summary_up_from_a_line_of_the_log(
    azure: repos.Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    azure.summary("# drift")
    named = capsys.readouterr().out.strip().removeprefix("##vso[task.uploadsummary]")
    assert Path(named).read_text().strip() == "# drift"


def test_throttling_and_server_errors_are_waited_out(host: repos.Host, hosts: Hosts, waits: list[float]) -> None:
    hosts.failing = [(503, {}), (429, {"Retry-After": "7"}), (403, {"Retry-After": "3"})]
    assert host.comment("preview", "text").what == "created"
    assert waits == [1.0, 7.0, 3.0]


@pytest.mark.parametrize(("status", "word"), [(403, "needs"), (401, "token"), (404, "needs"), (302, "login")])
def test_a_refusal_names_the_right_that_is_missing_and_never_the_token(
    host: repos.Host, hosts: Hosts, status: int, word: str
) -> None:
    hosts.failing = [(status, {})]
    with pytest.raises(Refused, match=word) as caught:
        host.comment("preview", "text")
    assert TOKEN not in str(caught.value)


def test_a_host_that_is_away_is_said_to_be_away(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    event.write_text('{"pull_request": {"number": 7}}')
    env = {"GITHUB_ACTIONS": "true", "GITHUB_API_URL": "http://127.0.0.1:9", "GITHUB_REPOSITORY": "contoso/models"}
    away = repos.of({**env, "GITHUB_TOKEN": TOKEN, "GITHUB_EVENT_PATH": str(event)}, wait=lambda _: None)
    with pytest.raises(Unreachable, match="GitHub does not answer"):
        away.comment("preview", "text")


def test_what_the_runner_does_not_say_is_named(hosts: Hosts) -> None:
    with pytest.raises(SpecError, match="no runner of GitHub Actions or Azure Pipelines"):
        repos.of({})
    base = {"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "contoso/models", "GITHUB_API_URL": hosts.origin}
    with pytest.raises(SpecError, match=r"github\.token"):
        repos.of(base).issue("drift", "t", "x")
    with pytest.raises(SpecError, match="GITHUB_EVENT_PATH"):
        repos.of({**base, "GITHUB_TOKEN": TOKEN}).comment("drift", "x")
