"""What Container Apps does for a job that runs: starts its replica, gives it an identity, keeps what it says.

The identity endpoint is that of App Service and Container Apps: variables name it and a header that opens it, and it
gives tokens of the identities of the job. (Learn, "Managed identities in Azure Container Apps", REST endpoint
reference, api-version 2019-08-01; azure-identity 1.27 and msal 1.39 as they ask.)
"""

from __future__ import annotations

import secrets
import threading

from infra.localazure import errors, jobs
from infra.localazure.directory import LIFETIME, Directory
from infra.localazure.entities import GenericResource, Json, Principal
from infra.localazure.runner import Runner, Work
from infra.localazure.world import World

ENDPOINT = "/msi/token"


class Platform:
    """The executions that run in this process."""

    def __init__(self, world: World, runner: Runner | None) -> None:
        """Run with this runner; without one nothing is run."""
        self.world, self.runner = world, runner
        self._doors: dict[str, list[Principal]] = {}
        self._running: dict[threading.Thread, threading.Event] = {}
        if runner is not None:
            jobs.abandon(world)

    def begin(self, execution: GenericResource, job: GenericResource) -> None:
        """Run an execution of a job beside everything else; returns at once. Called with the world's lock held."""
        if self.runner is None:
            return
        header = secrets.token_hex(16)
        identities = [one.body["properties"]["principalId"] for one in jobs.identities(self.world, job)]
        self._doors[header] = [p for p in map(self.world.principals.get, identities) if p is not None]
        template: Json = execution.body["properties"]["template"]
        container: Json = (template.get("containers") or [{}])[0]
        stop, (seconds, retries) = threading.Event(), jobs.limits(job)
        work = Work(
            command=[*map(str, container.get("command") or []), *map(str, container.get("args") or [])],
            environment={**jobs.environment(job, container), **self._variables(execution, job, header)},
            seconds=seconds,
            say=lambda stream, line: self._say(execution.id, stream, line),
            stop=stop,
        )
        thread = threading.Thread(target=self._run, args=(execution.id, work, retries, header), daemon=True)
        self._running[thread] = stop
        thread.start()

    def stop(self) -> None:
        """End what runs, and wait for it."""
        for thread, stop in list(self._running.items()):
            stop.set()
            thread.join()

    def token(self, header: str, resource: str, client_id: str, directory: Directory) -> Json:
        """A token of an identity of the job that the header belongs to; raises the refusal."""
        known = next((who for door, who in self._doors.items() if secrets.compare_digest(door, header)), None)
        if known is None:
            raise errors.BAD_IDENTITY_HEADER()
        # A user-assigned identity must be named, even if it is the only one.
        found = next((p for p in known if client_id and (p.client_id or "").lower() == client_id.lower()), None)
        if found is None:
            raise errors.NO_IDENTITY()
        directory.require_audience(resource, found.tenant)
        expires = int((self.world.clock.real_now() + LIFETIME).timestamp())
        return {
            "access_token": directory.issue(found, resource),
            "expires_on": str(expires),
            "resource": resource,
            "token_type": "Bearer",
            "client_id": found.client_id,
        }

    def _variables(self, execution: GenericResource, job: GenericResource, header: str) -> dict[str, str]:
        found = {"CONTAINER_APP_JOB_NAME": job.name, "CONTAINER_APP_JOB_EXECUTION_NAME": execution.name}
        if self._doors[header]:
            found |= {"IDENTITY_ENDPOINT": f"{self.world.origin}{ENDPOINT}", "IDENTITY_HEADER": header}
        return found

    def _run(self, execution: str, work: Work, retries: int, header: str) -> None:
        code = 1
        try:
            for _ in range(retries + 1):
                code = self._replica(work)
                if code == 0 or work.stop.is_set():
                    break
        finally:
            self._doors.pop(header, None)
            with self.world.lock, self.world.database:
                jobs.finish(self.world, execution, code)
            self._running.pop(threading.current_thread(), None)

    def _replica(self, work: Work) -> int:
        if self.runner is None:
            return 1
        if not work.command:
            work.say("stderr", "the job names no command, so its image's would run; there are no images here")
            return 1
        return self.runner(work)

    def _say(self, execution: str, stream: str, line: str) -> None:
        with self.world.lock:
            jobs.say(self.world, execution, stream, line)
