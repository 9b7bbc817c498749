"""Where people read what a pipeline found: comments, issues and summaries of GitHub and Azure Repos.

A text is found again by a mark that people do not see, so one comment or issue is kept up to date instead of many.
Sources, as of November 2026: GitHub REST "Issue comments", "Issues" (api-version 2022-11-28); Azure DevOps REST 7.1
"Pull Request Threads", "Work Items", "Wiql"; the variables that both runners set.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

from infra.errors import Mistake, Refused, SpecError, Unreachable
from infra.ports.cloud import brief

GITHUB_LONGEST, AZURE_LONGEST, SUMMARY_LONGEST = 65_536, 150_000, 1_048_576
"""Characters of a comment or an issue of GitHub, of a comment of Azure Repos; bytes of a step's summary."""
TRIES, _TIMEOUT, _LONGEST_WAIT = 4, (5, 30), 60.0
_PASSING = {408, 429, 500, 502, 503, 504}
Wait = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Posted:
    """What became of a text."""

    what: str
    """created, updated, unchanged, closed or nothing."""
    where: str
    """Its address."""


class Host(Protocol):
    """One kind of host."""

    def comment(self, mark: str, text: str) -> Posted:
        """Keep the comment of this mark at the pull request up to date."""

    def issue(self, mark: str, title: str, text: str) -> Posted:
        """Keep the one open issue of this mark up to date."""

    def close(self, mark: str, text: str) -> Posted:
        """Close the issue of this mark with a last word; none is fine."""

    def summary(self, text: str) -> Posted:
        """Show a text on the page of this run."""

    def hand_on(self, name: str, value: str) -> None:
        """Give later jobs of this run a value, as an output of this step. Both are letters, digits and '-' alone."""


def of(environment: Mapping[str, str], *, wait: Wait = time.sleep) -> Host:
    """The host whose runner this is. Raises SpecError where it is none that is known."""
    if environment.get("GITHUB_ACTIONS") == "true":
        return GitHub(environment, wait)
    if environment.get("TF_BUILD", "").lower() == "true":
        return AzureRepos(environment, wait)
    text = (
        "this is no runner of GitHub Actions or Azure Pipelines (GITHUB_ACTIONS, TF_BUILD); at a desk, read FILE itself"
    )
    raise SpecError([Mistake("hearth post", 0, "", text)])


def fitting(text: str, most: int, more: str, mark: str = "") -> str:
    """A text with its mark, cut at a line so that it fits, with where the whole is."""
    hidden = f"\n\n<!-- hearth:{mark} -->\n" if mark else ""
    if len(text) + len(hidden) <= most:
        return text.rstrip() + hidden
    tail = f"\n\n… cut: too long for here. The whole text is among the artifacts of {more}"
    kept = text[: most - len(tail) - len(hidden) - 8]
    kept = kept[: kept.rfind("\n")] if "\n" in kept else kept
    fence = "\n```" if f"\n{kept}".count("\n```") % 2 else ""
    return kept + fence + tail + hidden


class GitHub:
    """GitHub, and an Enterprise server of it."""

    def __init__(self, environment: Mapping[str, str], wait: Wait) -> None:
        """Take what the runner says; ask nothing yet."""
        self._environment = environment
        self._api = environment.get("GITHUB_API_URL", "https://api.github.com")
        self._repository = _need(environment, "GITHUB_REPOSITORY")
        server = environment.get("GITHUB_SERVER_URL", "https://github.com")
        self._run = f"{server}/{self._repository}/actions/runs/{environment.get('GITHUB_RUN_ID', '')}"
        self._wire = _Wire("GitHub", wait, "permissions: pull-requests: write, issues: write, of the job's token")

    def comment(self, mark: str, text: str) -> Posted:
        """See Host."""
        number = self._pull_request()
        address = f"/repos/{self._repository}/issues/{number}/comments"
        body = fitting(text, GITHUB_LONGEST, self._run, mark)
        for one in self._pages(f"{address}?per_page=100"):
            if _bears(one.get("body"), mark):
                return self._renew(one, f"/repos/{self._repository}/issues/comments/{one['id']}", {"body": body})
        return Posted("created", self._ask("POST", address, {"body": body})["html_url"])

    def issue(self, mark: str, title: str, text: str) -> Posted:
        """See Host."""
        body = fitting(text, GITHUB_LONGEST, self._run, mark)
        found = self._open_issue(mark)
        if found is None:
            made = self._ask("POST", f"/repos/{self._repository}/issues", {"title": title, "body": body})
            return Posted("created", made["html_url"])
        return self._renew(found, f"/repos/{self._repository}/issues/{found['number']}", {"title": title, "body": body})

    def close(self, mark: str, text: str) -> Posted:
        """See Host."""
        found = self._open_issue(mark)
        if found is None:
            return Posted("nothing", "")
        address = f"/repos/{self._repository}/issues/{found['number']}"
        self._ask("POST", f"{address}/comments", {"body": fitting(text, GITHUB_LONGEST, self._run)})
        self._ask("PATCH", address, {"state": "closed", "state_reason": "completed"})
        return Posted("closed", found["html_url"])

    def summary(self, text: str) -> Posted:
        """See Host."""
        file = Path(_need(self._environment, "GITHUB_STEP_SUMMARY"))
        before = file.stat().st_size if file.exists() else 0
        room = SUMMARY_LONGEST - before - 1
        cut = fitting(text, room, self._run)
        while len(cut.encode()) > room:  # letters of more than one byte
            cut = fitting(text, int(len(cut) * room / len(cut.encode())) - 1, self._run)
        with file.open("a", encoding="utf-8") as out:
            out.write(cut + "\n")
        return Posted("created", self._run)

    def hand_on(self, name: str, value: str) -> None:
        """See Host."""
        with Path(_need(self._environment, "GITHUB_OUTPUT")).open("a", encoding="utf-8") as out:
            out.write(f"{name}={value}\n")

    def _open_issue(self, mark: str) -> dict[str, Any] | None:
        rows = self._pages(f"/repos/{self._repository}/issues?state=open&per_page=100")
        # GitHub lists pull requests among the issues.
        return next((r for r in rows if "pull_request" not in r and _bears(r.get("body"), mark)), None)

    def _renew(self, one: dict[str, Any], address: str, fields: dict[str, Any]) -> Posted:
        same = all(str(one.get(key) or "").replace("\r\n", "\n").rstrip() == v.rstrip() for key, v in fields.items())
        if not same:
            self._ask("PATCH", address, fields)
        return Posted("unchanged" if same else "updated", one["html_url"])

    def _pull_request(self) -> int:
        file = Path(_need(self._environment, "GITHUB_EVENT_PATH"))
        try:
            return int(json.loads(file.read_text("utf-8"))["pull_request"]["number"])
        except (OSError, ValueError, KeyError, TypeError):
            text = "this run is of no pull request (GITHUB_EVENT_PATH names none); use --to summary or --to issue"
            raise SpecError([Mistake("hearth post", 0, "--to pr", text)]) from None

    def _pages(self, address: str) -> Iterator[dict[str, Any]]:
        following: str | None = self._api + address
        while following:
            answer = self._wire.ask("GET", following, self._headers())
            yield from answer.json()
            following = (answer.links.get("next") or {}).get("url")

    def _ask(self, method: str, address: str, body: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self._wire.ask(method, self._api + address, self._headers(), body).json()
        return found

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {_need(self._environment, 'GITHUB_TOKEN')}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }


class AzureRepos:
    """Azure DevOps: threads of a pull request, work items of type Issue."""

    def __init__(self, environment: Mapping[str, str], wait: Wait) -> None:
        """Take what the agent says; ask nothing yet."""
        self._environment = environment
        project = quote(_need(environment, "SYSTEM_TEAMPROJECT"), safe="")
        self._project = f"{_need(environment, 'SYSTEM_COLLECTIONURI').rstrip('/')}/{project}"
        self._run = f"{self._project}/_build/results?buildId={environment.get('BUILD_BUILDID', '')}"
        right = "the right of the build service to contribute to pull requests and work items, and SYSTEM_ACCESSTOKEN"
        self._wire = _Wire("Azure DevOps", wait, right)

    def comment(self, mark: str, text: str) -> Posted:
        """See Host."""
        number = self._environment.get("SYSTEM_PULLREQUEST_PULLREQUESTID", "")
        if not number.isdigit():
            text = "this run is of no pull request (SYSTEM_PULLREQUEST_PULLREQUESTID); use --to summary or --to issue"
            raise SpecError([Mistake("hearth post", 0, "--to pr", text)])
        repository = quote(_need(self._environment, "BUILD_REPOSITORY_ID"), safe="")
        threads = f"{self._project}/_apis/git/repositories/{repository}/pullRequests/{number}/threads"
        where = f"{self._project}/_git/{repository}/pullrequest/{number}"
        body = fitting(text, AZURE_LONGEST, self._run, mark)
        for thread in self._ask("GET", f"{threads}?api-version=7.1").get("value", []):
            first: dict[str, Any] = next(iter(thread.get("comments") or []), {})
            if not thread.get("isDeleted") and _bears(first.get("content"), mark):
                if first["content"].rstrip() == body.rstrip():
                    return Posted("unchanged", where)
                address = f"{threads}/{thread['id']}/comments/{first['id']}?api-version=7.1"
                self._ask("PATCH", address, {"content": body})
                return Posted("updated", where)
        comment = {"parentCommentId": 0, "content": body, "commentType": "text"}
        self._ask("POST", f"{threads}?api-version=7.1", {"comments": [comment], "status": "closed"})
        return Posted("created", where)

    def issue(self, mark: str, title: str, text: str) -> Posted:
        """See Host."""
        found = self._open_item(mark)
        body = fitting(text, AZURE_LONGEST, self._run)
        fields = {"System.Title": title, "System.Description": body}
        if found is None:
            patch = self._patch({**fields, "System.Tags": _tag(mark)})
            made = self._ask("POST", f"{self._project}/_apis/wit/workitems/$Issue?api-version=7.1", patch)
            return Posted("created", self._shown(made["id"]))
        self._ask("PATCH", f"{self._project}/_apis/wit/workitems/{found}?api-version=7.1", self._patch(fields))
        return Posted("updated", self._shown(found))

    def close(self, mark: str, text: str) -> Posted:
        """See Host. The state that ends an issue is that of the Basic process: Done."""
        found = self._open_item(mark)
        if found is None:
            return Posted("nothing", "")
        patch = self._patch({"System.State": "Done", "System.History": fitting(text, AZURE_LONGEST, self._run)})
        self._ask("PATCH", f"{self._project}/_apis/wit/workitems/{found}?api-version=7.1", patch)
        return Posted("closed", self._shown(found))

    def summary(self, text: str) -> Posted:
        """See Host: the agent takes a file up when a line of the log names it."""
        folder = Path(_need(self._environment, "AGENT_TEMPDIRECTORY"))
        file = folder / f"hearth-{time.time_ns()}.md"
        file.write_text(fitting(text, SUMMARY_LONGEST, self._run), "utf-8")
        print(f"##vso[task.uploadsummary]{file}", flush=True)  # noqa: T201 - the agent reads it there
        return Posted("created", self._run)

    def hand_on(self, name: str, value: str) -> None:
        """See Host: the agent reads it in the log."""
        print(f"##vso[task.setvariable variable={name};isOutput=true]{value}", flush=True)  # noqa: T201

    def _open_item(self, mark: str) -> int | None:
        asked = (  # the mark is letters, digits and '-' alone: the command sees to it
            f"SELECT [System.Id] FROM WorkItems WHERE [System.TeamProject] = @project AND [System.Tags] CONTAINS "  # noqa: S608
            f"'{_tag(mark)}' AND [System.State] NOT IN ('Done', 'Closed', 'Resolved', 'Removed')"
        )
        rows = self._ask("POST", f"{self._project}/_apis/wit/wiql?api-version=7.1", {"query": asked})["workItems"]
        return min((int(row["id"]) for row in rows), default=None)

    def _patch(self, fields: dict[str, str]) -> list[dict[str, str]]:
        # Without it Azure DevOps takes a description for HTML.
        form = {"multilineFieldsFormat/System.Description": "Markdown"} if "System.Description" in fields else {}
        rows = {**{f"fields/{key}": value for key, value in fields.items()}, **form}
        return [{"op": "add", "path": f"/{key}", "value": value} for key, value in rows.items()]

    def _shown(self, item: int) -> str:
        return f"{self._project}/_workitems/edit/{item}"

    def _ask(self, method: str, address: str, body: object = None) -> dict[str, Any]:
        token = base64.b64encode(f":{_need(self._environment, 'SYSTEM_ACCESSTOKEN')}".encode()).decode()
        kind = "application/json-patch+json" if isinstance(body, list) else "application/json"
        headers = {"Authorization": f"Basic {token}", "Content-Type": kind}
        found: dict[str, Any] = self._wire.ask(method, address, headers, body).json()
        return found


class _Wire:
    """Calls that are tried again where that may help."""

    def __init__(self, host: str, wait: Wait, rights: str) -> None:
        self._host, self._wait, self._rights = host, wait, rights

    def ask(self, method: str, address: str, headers: dict[str, str], body: object = None) -> Any:
        import requests

        problem: Exception = Unreachable(f"{self._host} was not asked")
        for number in range(TRIES):
            pause = 2.0**number
            try:
                answer = requests.request(
                    method, address, headers=headers, data=None if body is None else json.dumps(body),
                    timeout=_TIMEOUT, allow_redirects=False,
                )  # fmt: skip
            except requests.RequestException as error:
                problem = Unreachable(f"{self._host} does not answer: {brief(error)}")
                if method == "POST" and not isinstance(error, requests.ConnectionError):
                    break  # it may have been taken; a second one would stand beside it
            else:
                if answer.status_code // 100 == 2:
                    return answer
                problem = Refused(self._refusal(method, answer.status_code), status=answer.status_code)
                said = answer.headers.get("Retry-After", "")
                limited = answer.status_code == 403 and bool(said)  # GitHub's second limit
                if answer.status_code not in _PASSING and not limited:
                    break
                pause = min(float(said), _LONGEST_WAIT) if said.isdigit() else pause
            if number < TRIES - 1:
                self._wait(pause)
        raise problem

    def _refusal(self, method: str, status: int) -> str:
        why = {401: "the token is not taken", 403: f"needs {self._rights}", 404: f"not found, or needs {self._rights}"}
        if status // 100 == 3 or status == 203:
            return f"{self._host} asks for a login (HTTP {status}); needs {self._rights}"
        return f"{self._host} refused a {method} with HTTP {status}: {why.get(status, 'see its status page')}"


def _need(environment: Mapping[str, str], name: str) -> str:
    value = environment.get(name)
    if not value:
        hint = {
            "GITHUB_TOKEN": "give the step env: GITHUB_TOKEN: ${{ github.token }}",
            "SYSTEM_ACCESSTOKEN": "give the step env: SYSTEM_ACCESSTOKEN: $(System.AccessToken)",
        }.get(name, "the runner sets it")
        raise SpecError([Mistake("hearth post", 0, name, f"is not set; {hint}")])
    return value


def _bears(text: object, mark: str) -> bool:
    return f"<!-- hearth:{mark} -->" in str(text or "")


def _tag(mark: str) -> str:
    return f"hearth-{mark}"
