"""A local Azure for tests: the application without a network, on a clock that stands still until it is moved."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from infra.localazure import Seed, VirtualClock, ids, models, roles, seed
from infra.localazure.entities import (
    Account,
    CustomModel,
    Deployment,
    DeploymentModel,
    Principal,
    RoleAssignment,
    Stamp,
)
from infra.localazure.http.app import App
from infra.localazure.world import World

START = datetime(2026, 11, 1, 12, tzinfo=UTC)
TENANT, OTHER_TENANT = "aaaaaaaa-0000-4000-8000-000000000001", "aaaaaaaa-0000-4000-8000-000000000002"
TRAINING, PRODUCTION = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
BARE, ABROAD = "33333333-3333-4333-8333-333333333333", "44444444-4444-4444-8444-444444444444"
OWNER, OWNER_APP, SECRET = (
    "dddddddd-0000-4000-8000-000000000001",
    "cccccccc-0000-4000-8000-000000000001",
    "a-throwaway-of-the-tests",
)
ABROAD_OWNER = "dddddddd-0000-4000-8000-000000000002"
ARM, DATA = "https://management.azure.com", "https://cognitiveservices.azure.com"
VERSION, DATA_VERSION = "2025-06-01", "2024-10-21"
TUNED = "gpt-4.1-mini-2025-04-14.ft-" + "7" * 32
SEED = seed.msgspec.convert(
    {
        "tenants": [{"id": TENANT, "name": "contoso.onmicrosoft.com"}, {"id": OTHER_TENANT}],
        "subscriptions": [
            {"id": TRAINING, "tenant": TENANT},
            {"id": PRODUCTION, "tenant": TENANT},
            {"id": BARE, "tenant": TENANT, "registered": []},
            {"id": ABROAD, "tenant": OTHER_TENANT},
        ],
        "principals": [
            {"id": OWNER, "tenant": TENANT, "name": "deployer", "clientId": OWNER_APP, "secret": SECRET},
            {"id": ABROAD_OWNER, "tenant": OTHER_TENANT, "name": "abroad"},
        ],
        "roles": [
            *(
                {"principal": OWNER, "role": "Owner", "scope": f"/subscriptions/{s}"}
                for s in (TRAINING, PRODUCTION, BARE)
            ),
            {"principal": ABROAD_OWNER, "role": "Owner", "scope": f"/subscriptions/{ABROAD}"},
        ],
    },
    Seed,
)


@dataclass(frozen=True)
class Reply:
    """An answer."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content) if self.content else None

    @property
    def error(self) -> dict[str, Any]:
        return self.body["error"]

    @property
    def code(self) -> str:
        return self.error["code"]

    @property
    def refusal(self) -> tuple[int, str]:
        return self.status, self.code


def send(app: App, method: str, target: str, headers: dict[str, str], content: bytes) -> Reply:
    """One request to an ASGI application; `target` is the raw path with its query."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode("latin-1", "replace"),
        "query_string": query.encode("latin-1", "replace"),
        "headers": [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in headers.items()],
        "client": ("127.0.0.1", 1),
    }
    sent: list[dict[str, Any]] = []
    waiting = [{"type": "http.request", "body": content, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop()
        await asyncio.Event().wait()
        raise AssertionError

    async def keep(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, keep))
    start = sent[0]
    answered = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in start["headers"]}
    return Reply(start["status"], answered, b"".join(m.get("body", b"") for m in sent[1:]))


class Cloud:
    """The application and what tests do with it again and again."""

    def __init__(self, clock: VirtualClock | None = None, folder: Path | None = None) -> None:
        self.world = World(folder, clock or VirtualClock(START, 0))
        seed.plant(self.world, SEED)
        self.app = App(self.world, "control")
        self._tokens: dict[tuple[str, str], str] = {}

    def advance(self, **by: float) -> None:
        self.world.advance(timedelta(**by))

    def settle(self) -> None:
        """Let every pending write, role and deployment come to rest."""
        self.advance(seconds=5)

    def switch(self, **settings: object) -> None:
        for name, value in settings.items():
            setattr(self.world.switches, name, value)

    def token(self, who: str, audience: str = ARM) -> str:
        if (who, audience) not in self._tokens:
            principal = self.world.principals.get(who)
            assert principal is not None
            self._tokens[who, audience] = self.app.directory.issue(principal, audience)
        return self._tokens[who, audience]

    # --- requests --------------------------------------------------------------------------------------------------

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        who: str | None = OWNER,
        version: str | None = VERSION,
        headers: dict[str, str] | None = None,
        audience: str = ARM,
        raw: bytes | None = None,
        **query: str,
    ) -> Reply:
        """A request; `query` names further parameters with a leading $ written as `_`."""
        found = {k.replace("_", "$", 1) if k.startswith("_") else k: v for k, v in query.items()}
        if version is not None:
            found["api-version"] = version
        sent = {"authorization": f"Bearer {self.token(who, audience)}"} if who else {}
        content = raw if raw is not None else b"" if body is None else json.dumps(body).encode()
        target = f"{path}?{urlencode(found, quote_via=quote)}" if found else path
        return send(self.app, method, target, {**sent, **(headers or {})}, content)

    def get(self, path: str, **more: Any) -> Reply:
        return self.ask("GET", path, **more)

    def put(self, path: str, body: Any, **more: Any) -> Reply:
        return self.ask("PUT", path, body, **more)

    # --- things ----------------------------------------------------------------------------------------------------

    def grant(self, role: str, scope: str, *, tenant: str = TENANT, **principal: Any) -> str:
        """Somebody new who holds a role from now on; gives the object id."""
        who = principal.pop("id", None) or ids.new_guid()
        self.world.principals.put(who, Principal(id=who, tenant=tenant, name="somebody", **principal))
        self.assign(who, role, scope)
        return who

    def assign(self, who: str, role: str, scope: str) -> None:
        """Give a role that works at once."""
        found = next(r for r in roles.definitions_at(self.world, scope) if r.name == role)
        stamp = Stamp(by="test", by_type="User", at=self.world.now())
        name = ids.new_guid()
        given = RoleAssignment(
            id=name, name=name, scope=scope, role=found.id, role_definition_id=found.id, principal=who,
            principal_type="ServicePrincipal", created=stamp, modified=stamp, effective_at=self.world.now(),
        )  # fmt: skip
        self.world.role_assignments.put(roles.assignment_key(scope, name), given)

    def group(self, name: str = "rg", subscription: str = PRODUCTION, **more: Any) -> str:
        path = ids.group_id(subscription, name)
        assert self.put(path, {"location": "swedencentral"}, **more).status in {200, 201}
        return path

    def account(
        self,
        name: str = "oai-prod",
        subscription: str = PRODUCTION,
        location: str = "swedencentral",
        *,
        group: str = "rg",
        who: str = OWNER,
        **properties: Any,
    ) -> str:
        """An account that stands, with its name as subdomain; gives its id."""
        self.group(group, subscription, who=who)
        path = ids.account_id(subscription, group, name)
        made = self.put(path, account_body(location, **{"customSubDomainName": name, **properties}), who=who)
        assert made.status == 201, made.body
        self.settle()
        return path

    def tune(self, account: str, model: str = TUNED, base: str = "gpt-4.1-mini-2025-04-14") -> str:
        """A tuned model in an account."""
        models.put(self.world, CustomModel(id=model, account=ids.key(account), base=base, created=self.world.now()))
        return model

    def deploy(self, account: str, name: str = "bot", model: str = TUNED, **more: Any) -> Reply:
        """Ask for a deployment."""
        who, version, headers = more.pop("who", OWNER), more.pop("version", VERSION), more.pop("headers", None)
        body = deployment_body(model, **more)
        return self.put(f"{account}/deployments/{name}", body, who=who, version=version, headers=headers)

    def serve(self, account: str, name: str = "bot", model: str = TUNED, **more: Any) -> str:
        """A deployment that answers; gives its id."""
        made = self.deploy(account, name, model, **more)
        assert made.status in {200, 201}, made.body
        self.settle()
        return f"{account}/deployments/{name}"

    def key(self, account: str) -> str:
        found = self.world.account(ids.key(account))
        assert found is not None
        return found.keys[0]

    def chat(self, deployment: str, text: str = "hello", *, who: str | None = None, **body: Any) -> Reply:
        """A question to a deployment, by key, or as `who` by token."""
        account, _, name = deployment.rpartition("/deployments/")
        headers = {} if who else {"api-key": self.key(account)}
        host = account.rsplit("/", 1)[-1] + ".openai.azure.com"
        asked = {"messages": [{"role": "user", "content": text}], **body}
        return self.ask(
            "POST", f"/{host}/openai/deployments/{name}/chat/completions", asked,
            who=who, audience=DATA, version=DATA_VERSION, headers=headers,
        )  # fmt: skip


def account_body(location: str = "swedencentral", kind: str = "OpenAI", **properties: Any) -> dict[str, Any]:
    """The body that makes an account."""
    return {"location": location, "kind": kind, "sku": {"name": "S0"}, "properties": properties}


def deployment_body(
    model: str,
    *,
    sku: str = "Standard",
    capacity: int | None = 1,
    model_version: str | None = "1",
    source: str | None = None,
    source_account: str | None = None,
    tags: dict[str, str] | None = None,
    **properties: Any,
) -> dict[str, Any]:
    """The body that makes a deployment, as Microsoft's pages write it."""
    wanted = {
        "format": "OpenAI",
        "name": model,
        "version": model_version,
        "source": source,
        "sourceAccount": source_account,
    }
    return {
        "sku": {"name": sku, **({} if capacity is None else {"capacity": capacity})},
        "properties": {"model": {k: v for k, v in wanted.items() if v is not None}, **properties},
        **({} if tags is None else {"tags": tags}),
    }


def assignment_body(role: str, principal: str, kind: str | None = None, **more: str) -> dict[str, Any]:
    """The body that gives a role (by name)."""
    found = next(r for r in roles.built_in().values() if r.name == role)
    role_id = f"/subscriptions/{PRODUCTION}/providers/Microsoft.Authorization/roleDefinitions/{found.id}"
    properties = {"roleDefinitionId": role_id, "principalId": principal, **more}
    return {"properties": properties | ({"principalType": kind} if kind else {})}


def crowd(world: World, number: int, per_account: int = 10) -> list[str]:
    """Accounts full of tuned deployments, a second apart in age, put straight into the tables; gives the ids."""
    found = []
    for at in range(number):
        owner = f"oai-{at // per_account}"
        account = ids.account_id(PRODUCTION, "rg", owner)
        stamp = Stamp(by="test", by_type="User", at=world.now() + timedelta(seconds=at))
        if at % per_account == 0:
            world.accounts.put(
                ids.key(account),
                Account(
                    id=account, name=owner, group="rg", subscription=PRODUCTION, location="swedencentral",
                    kind="OpenAI", sku={"name": "S0"}, properties={"customSubDomainName": owner},
                    created=stamp, modified=stamp, internal_id=f"{at:032x}", keys=["a" * 32, "b" * 32],
                ),
            )  # fmt: skip
        name = f"gpt-4.1-mini-2025-04-14.ft-{at:032x}"
        deployment = Deployment(
            id=f"{account}/deployments/bot-{at}", name=f"bot-{at}", account=ids.key(account),
            model=DeploymentModel(format="OpenAI", name=name, version="1"), base="gpt-4.1-mini-2025-04-14",
            sku_name="Standard", capacity=1, created=stamp, modified=stamp, custom=True, owner=ids.key(account),
            rai_policy="Microsoft.DefaultV2", serving_at=stamp.at,
        )  # fmt: skip
        world.deployments.put(ids.key(deployment.id), deployment)
        found.append(deployment.id)
    world.index()
    return found
