"""A rollout's steps at one stack by hand, and a caller that calls all the time as docs/clients.md says."""

from __future__ import annotations

import json
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import openai
from azure.identity import ClientSecretCredential, get_bearer_token_provider
from azure.mgmt.cognitiveservices import CognitiveServicesManagementClient

from infra.rollout.values import Move, Phase, Target, promotion
from infra.spec.promotion import VARIABLE, Served, encode
from infra.spec.rollout import Strategy
from tests.desk import REPOSITORY, SECRET, Desk

PAUSE = 0.15
"""Seconds between two calls of a caller."""


def snippet() -> dict[str, Any]:
    """The names of the first block of the page."""
    page = (REPOSITORY / "docs" / "clients.md").read_text("utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(compile(blocks[0], "docs/clients.md", "exec"), names)  # noqa: S102 - the page is ours
    compile(blocks[1], "docs/clients.md", "exec")
    return names


def in_rollout(desk: Desk, stack: str) -> None:
    """Name a stack in rollout.yaml."""
    (desk.root / "stacks" / "rollout.yaml").write_text(f"waves:\n  - {{name: all, targets: {stack}}}\n")


def facts(desk: Desk, stack: str, deployment: str) -> dict[str, Any]:
    """What the outputs say of a deployment."""
    found: dict[str, Any] = json.loads(desk.pulumi("stack", "output", "deployments", "--json", "--stack", stack))
    told: dict[str, Any] = found[deployment]
    return told


@dataclass
class Rollout:
    """One deployment of one stack that goes from a model to another, phase by phase."""

    desk: Desk
    stack: str
    move: Move

    @classmethod
    def of(cls, desk: Desk, stack: str, deployment: str, after: str, strategy: Strategy) -> Rollout:
        """From what its outputs tell to a model of the same owner."""
        now = facts(desk, stack, deployment)
        before = Served(model=now["model"], version=now["version"], source=now["source"])
        candidate = f"{deployment}-b" if strategy == "beside" else deployment
        move = Move(
            deployment=deployment, record=deployment, strategy=strategy, before=before,
            after=Served(model=after, source=now["source"]), active=now["active"], candidate=candidate,
        )  # fmt: skip
        return cls(desk, stack, move)

    def step(self, phase: Phase, *arguments: str, ok: bool = True) -> str:
        """One `pulumi up`, as a rollout runs it."""
        target = Target(stack=self.stack, account="", location="", standing="move", moves=(self.move,))
        return self.desk.up(self.stack, *arguments, ok=ok, **{VARIABLE: encode(promotion("r1", target, phase))})


@dataclass
class Caller:
    """Somebody who calls all the time."""

    answered: list[str] = field(default_factory=list)
    """The models that answered, in order."""
    failed: list[str] = field(default_factory=list)


@contextmanager
def calling(desk: Desk, account: str, deployment: str, keep: float = 60.0) -> Iterator[Caller]:
    """Call a deployment through the page's snippet until the block ends. `keep`: for how long a name is kept."""
    caller, done, names = Caller(), threading.Event(), snippet()
    login, accounts, client = _clients(desk, account)
    look = names["by_tag"](accounts, desk.account(account).group, account, deployment)
    ask, active = names["ask"], names["ActiveName"](look, keep)

    def call() -> None:
        while not done.wait(PAUSE):
            try:
                answer = ask(client, active, messages=[{"role": "user", "content": "hi"}], max_tokens=1)
                caller.answered.append(answer.model)
            except Exception as error:  # whatever it is, it is what a user would see
                caller.failed.append(str(error))

    thread = threading.Thread(target=call)
    with login, accounts, client:
        thread.start()
        try:
            yield caller
        finally:
            done.set()
            thread.join()


def _clients(
    desk: Desk, account: str
) -> tuple[ClientSecretCredential, CognitiveServicesManagementClient, openai.AzureOpenAI]:
    """A login, the resource manager, and the data plane, of which the last two try nothing twice."""
    bundle = desk.env["SSL_CERT_FILE"]
    login = ClientSecretCredential(
        desk.env["AZURE_TENANT_ID"], desk.env["AZURE_CLIENT_ID"], SECRET, authority=desk.azure.origin,
        disable_instance_discovery=True, connection_verify=bundle,
    )  # fmt: skip
    accounts = CognitiveServicesManagementClient(
        login, desk.account(account).subscription, base_url=desk.azure.origin, retry_total=0, connection_verify=bundle,
        credential_scopes=["https://management.azure.com/.default"],
    )  # fmt: skip
    client = openai.AzureOpenAI(
        azure_endpoint=f"{desk.azure.origin}/{account}.openai.azure.com/",
        api_version="2024-10-21",
        azure_ad_token_provider=get_bearer_token_provider(login, "https://cognitiveservices.azure.com/.default"),
        max_retries=0,
        http_client=openai.DefaultHttpxClient(verify=ssl.create_default_context(cafile=bundle)),
    )
    return login, accounts, client
