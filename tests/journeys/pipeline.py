"""A pipeline's runner as far as our workflows need one: jobs in their order, `if`, outputs, artifacts, a folder a job.

What a workflow runs is run as it stands there, by bash. What it `uses` is done here: a checkout is a clone of the bare
repository, setting up gives the clone this checkout's virtualenv, artifacts are files in a folder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.desk import REPOSITORY, SECRET, Desk, processes_in
from tests.ports.hosts import TOKEN, Hosts
from tests.rollout.repository import WHO

WORKFLOWS = REPOSITORY / ".github" / "workflows"
SHIMS = {"make": 'echo "make $*"', "hostname": 'echo "$MACHINE"'}
"""Setting up and testing have their own tests; a runner's machine has a name of its own."""


@dataclass
class Run:
    """One run of a workflow, over all its attempts."""

    workflow: str
    event: dict[str, Any]
    commit: str
    attempt: int = 0
    outcomes: dict[str, str] = field(default_factory=dict)
    """By job: success, failure or skipped, as the last attempt had it."""
    log: str = ""
    summary: str = ""
    roots: list[Path] = field(default_factory=list)
    """The folders of its jobs, the newest last."""

    @property
    def ok(self) -> bool:
        return "failure" not in self.outcomes.values()


class Service:
    """GitHub with runners: a bare repository, its workflows, and what they posted."""

    def __init__(self, desk: Desk, folder: Path, hosts: Hosts) -> None:
        """The desk's project, committed, is the first commit of main."""
        self.desk, self.folder, self.hosts = desk, folder, hosts
        folder.mkdir()
        self.bare, self.shims = folder / "bare.git", folder / "shims"
        self.shims.mkdir()
        for name, text in SHIMS.items():
            (self.shims / name).write_text(f"#!/bin/sh\n{text}\n")
            (self.shims / name).chmod(0o755)
        self.git("clone", "-q", "--bare", str(desk.root), str(self.bare))
        self.work = folder / "work"
        self.git("clone", "-q", str(self.bare), str(self.work))
        self._jobs = 0

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        env = {**os.environ, **WHO, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
        done = subprocess.run(
            ["git", *arguments], cwd=cwd or self.folder, env=env, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    # --- what people do ----------------------------------------------------------------------------------------------

    def branch(self, name: str, files: Mapping[str, str | None]) -> str:
        """Push a commit with other files from main as a branch; the commit."""
        self.git("fetch", "-q", cwd=self.work)
        self.git("checkout", "-q", "-B", name, "origin/main", cwd=self.work)
        for path, text in files.items():
            if text is None:
                (self.work / path).unlink()
            else:
                (self.work / path).write_text(text)
        self.git("add", "-A", cwd=self.work)
        self.git("commit", "-qm", "a change", cwd=self.work)
        self.git("push", "-q", "-f", "origin", f"HEAD:refs/heads/{name}", cwd=self.work)
        return self.git("rev-parse", "HEAD", cwd=self.work)

    def file(self, path: str) -> str:
        """A file as main has it."""
        return self.git("show", f"main:{path}", cwd=self.bare) + "\n"

    def pull_request(self, branch: str, *, number: int = 7, fork: bool = False) -> Run:
        """What happens when one is opened."""
        head = {"ref": branch, "repo": {"full_name": "eve/models" if fork else "contoso/models"}}
        base = {"ref": "main", "sha": self.git("rev-parse", "main", cwd=self.bare)}
        event = {"pull_request": {"number": number, "head": head, "base": base}}
        return self.run(Run("preview", event, self.git("rev-parse", f"refs/heads/{branch}", cwd=self.bare)))

    def merge(self, branch: str) -> str:
        """Merge a branch into main; the commit."""
        self.git("fetch", "-q", cwd=self.work)
        self.git("checkout", "-q", "-B", "main", "origin/main", cwd=self.work)
        self.git("merge", "-q", "--no-ff", "-m", "a merge", f"origin/{branch}", cwd=self.work)
        return self._push_main()

    def revert(self, merged: str) -> str:
        """Revert a merge on main; the commit."""
        self.git("revert", "-m", "1", "--no-edit", merged, cwd=self.work)
        return self._push_main()

    def _push_main(self) -> str:
        self.git("push", "-q", "origin", "HEAD:refs/heads/main", cwd=self.work)
        return self.git("rev-parse", "HEAD", cwd=self.work)

    def rollout(self, commit: str) -> Run:
        """What happens after a push to main."""
        return self.run(Run("rollout", {}, commit))

    def scheduled(self, workflow: str) -> Run:
        """What the clock starts."""
        return self.run(Run(workflow, {}, self.git("rev-parse", "main", cwd=self.bare)))

    # --- runners -----------------------------------------------------------------------------------------------------

    def run(self, run: Run, *, during: Callable[[Path], None] | None = None) -> Run:
        """Run every job of a workflow, or run all of them once more; `during` is told of each job's folder."""
        run.attempt += 1
        run.outcomes = {}
        outputs: dict[str, Any] = {}
        for name, job in yaml.safe_load((WORKFLOWS / f"{run.workflow}.yml").read_text())["jobs"].items():
            runner = Runner(self, run, job, outputs)
            needed = job.get("needs")
            if (needed and run.outcomes[needed] != "success") or not runner.holds(job.get("if", "true")):
                run.outcomes[name] = "skipped"
                continue
            self._jobs += 1
            root = self.folder / f"job-{self._jobs}" / "models"
            run.roots.append(root)
            if during is not None:
                during(root)
            run.outcomes[name] = runner.work(root)
            outputs[name] = {"outputs": {k: runner.value(v) for k, v in job.get("outputs", {}).items()}}
        return run

    def told(self) -> str:
        """Everything that people can read: comments, issues, and the files that were kept."""
        posted = json.dumps([self.hosts.comments, self.hosts.issues])
        kept = [f.read_text(errors="replace") for f in (self.folder / "artifacts").rglob("*") if f.is_file()]
        return "\n".join([posted, *kept])

    def require_no_secret(self, *runs: Run) -> None:
        """Neither the secret of the login nor the token is in what anybody can read."""
        everything = "\n".join([self.told(), *(run.log + run.summary for run in runs)])
        for secret in (SECRET, TOKEN):
            assert secret not in everything


class Runner:
    """One job on a machine of its own."""

    def __init__(self, service: Service, run: Run, job: dict[str, Any], needs: dict[str, Any]) -> None:
        self.service, self.run, self.job = service, run, job
        self.machine = f"runner-{run.workflow}-{run.attempt}"
        desk = service.desk
        self.known: dict[str, Any] = {
            "github": {
                "event": run.event, "repository": "contoso/models", "token": TOKEN, "run_id": 42,
                "run_attempt": run.attempt,
            },
            "vars": {
                "HEARTH_TENANT_ID": desk.env["ARM_TENANT_ID"], "HEARTH_BACKEND": desk.env["PULUMI_BACKEND_URL"],
                "HEARTH_PREVIEW_CLIENT_ID": desk.env["ARM_CLIENT_ID"],
                "HEARTH_ROLLOUT_CLIENT_ID": desk.env["ARM_CLIENT_ID"],
            },
            "secrets": {"HEARTH_PASSPHRASE": desk.env["PULUMI_CONFIG_PASSPHRASE"]},
            "needs": needs,
            "steps": {},
        }  # fmt: skip
        self.failed = False

    def work(self, root: Path) -> str:
        """Do the job's steps in `root`."""
        self.root, self.temp = root, root.parent / "temp"
        self.temp.mkdir(parents=True)
        (self.temp / "event.json").write_text(json.dumps(self.run.event))
        for step in self.job["steps"]:
            if not self.holds(step.get("if", "success()")):
                self._keep(step, "skipped")
                continue
            ok = self._use(step) if "uses" in step else self._script(step)
            self._keep(step, "success" if ok else "failure")
            self.failed |= not ok and not step.get("continue-on-error")
        summary = self.temp / "summary"
        self.run.summary += summary.read_text() if summary.exists() else ""
        return "failure" if self.failed else "success"

    def _keep(self, step: dict[str, Any], outcome: str) -> None:
        lines = (self.temp / "output").read_text().splitlines() if (self.temp / "output").exists() else []
        outputs = dict(line.split("=", 1) for line in lines)
        self.known["steps"][step.get("id", "")] = {"outcome": outcome, "outputs": outputs}
        self.run.log += f"[{step.get('name') or step.get('uses')}: {outcome}]\n"

    def _script(self, step: dict[str, Any]) -> bool:
        given = {**self.job.get("env", {}), **step.get("env", {})}
        desk = self.service.desk
        env = {
            **{name: value for name, value in desk.env.items() if not name.startswith(("PULUMI_CONFIG", "GITHUB_"))},
            **{name: str(self.value(text)) for name, text in given.items()},
            "PATH": os.pathsep.join([str(self.service.shims), desk.env["PATH"]]), "MACHINE": self.machine,
            "GITHUB_ACTIONS": "true", "CI": "true", "GITHUB_REPOSITORY": "contoso/models", "GITHUB_RUN_ID": "42",
            "GITHUB_API_URL": f"{self.service.hosts.origin}/github", "GITHUB_SHA": self.run.commit,
            "GITHUB_EVENT_PATH": str(self.temp / "event.json"), "GITHUB_STEP_SUMMARY": str(self.temp / "summary"),
            "GITHUB_OUTPUT": str(self.temp / "output"), "PYTHONPATH": str(self.root),
        }  # fmt: skip
        script = self.temp / "step.sh"
        script.write_text(self.value(step["run"]))
        done = subprocess.run(  # what GitHub gives bash where no shell is named
            ["bash", "-e", str(script)], cwd=self.root, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, check=False, timeout=300,
        )  # fmt: skip
        self.run.log += f"$ {step['run']}\n{done.stdout}"
        return done.returncode == 0

    def _use(self, step: dict[str, Any]) -> bool:
        action, given = step["uses"].split("@")[0], step.get("with", {})
        artifacts = self.service.folder / "artifacts"
        if action == "actions/checkout":
            self.service.git("clone", "-q", str(self.service.bare), str(self.root))
            self.service.git("checkout", "-q", self.run.commit, cwd=self.root)
        elif action == "./.github/actions/setup":
            (self.root / ".venv").symlink_to(REPOSITORY / ".venv")
        elif action == "actions/upload-artifact":
            target = artifacts / str(self.value(given["name"]))
            target.mkdir(parents=True, exist_ok=True)
            for file in self.root.glob(given["path"]):
                shutil.copy(file, target)
        elif action == "actions/download-artifact":
            for one in artifacts.glob(given["pattern"]):
                shutil.copytree(one, self.root / given["path"] / one.name)
        else:
            raise AssertionError(f"the runner of this test does not know {action}")
        return True

    # --- expressions -------------------------------------------------------------------------------------------------

    def holds(self, condition: str) -> bool:
        """Whether an `if` holds."""
        text = condition.removeprefix("${{").removesuffix("}}") if condition.startswith("${{") else condition
        return bool(self._evaluate(text))

    def value(self, text: object) -> str:
        """A text with its expressions filled in."""
        return re.sub(r"\$\{\{(.*?)\}\}", lambda found: str(self._evaluate(found[1])), str(text))

    def _evaluate(self, text: str) -> Any:
        def look(found: re.Match[str]) -> str:
            value: Any = self.known
            for key in found[0].split("."):
                value = value.get(key, "") if isinstance(value, dict) else ""
            return repr(value)

        text = re.sub(r"\b(github|vars|secrets|needs|steps)(\.[\w-]+)+", look, text)
        for theirs, ours in {"&&": " and ", "||": " or ", "!cancelled()": "True"}.items():
            text = text.replace(theirs, ours)
        names = {
            "success": lambda: not self.failed, "failure": lambda: self.failed, "true": True,
            "hashFiles": lambda *files: "".join(f for f in files if (self.root / f).exists()),
        }  # fmt: skip
        return eval(text.strip(), {"__builtins__": {}}, names)  # noqa: S307 - of our own workflows


def kill_machine(root: Path) -> None:
    """A machine is gone: whatever runs in its folder is, at once."""
    while found := processes_in(root):
        for one in found:
            with suppress(ProcessLookupError):
                os.kill(int(one.split()[0]), signal.SIGKILL)
