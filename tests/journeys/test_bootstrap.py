"""What the pipelines stand on, put up by the real engine: its first up, its second, what it lets in, its end."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from infra.localazure import federation, roles
from tests.desk import PRODUCTION, REPOSITORY, TRAINING, Desk
from tests.localazure.issuer import BEARER, GITHUB, Issuer, serving

TARGET = f"/subscriptions/{PRODUCTION}/resourceGroups/rg-contoso-ft-swe"
SOURCE = (
    f"/subscriptions/{TRAINING}/resourceGroups/rg-contoso-train"
    "/providers/Microsoft.CognitiveServices/accounts/contoso-train-ncus"
)


class Bootstrap:
    """The project in a folder of its own, with its own file backend."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.folder = desk, desk.root / "bootstrap"
        self.folder.mkdir()
        for name in ("Pulumi.yaml", "Pulumi.example.yaml", "__main__.py"):
            shutil.copy(REPOSITORY / "bootstrap" / name, self.folder)
        env = {name: value for name, value in desk.env.items() if name != "PULUMI_BACKEND_URL"}
        self.env = {**env, "ARM_SUBSCRIPTION_ID": PRODUCTION, "PULUMI_CONFIG_PASSPHRASE": ""}
        self("stack", "init", "example")

    def __call__(self, *arguments: str, ok: bool = True) -> str:
        done = subprocess.run(
            ["pulumi", "--non-interactive", *arguments], cwd=self.folder, env=self.env, capture_output=True,
            text=True, timeout=180, check=False,
        )  # fmt: skip
        said = done.stdout + done.stderr
        assert (done.returncode == 0) is ok, said
        return said

    def outputs(self) -> dict[str, Any]:
        return dict(json.loads(self("stack", "output", "--json")))


@pytest.fixture
def bootstrap(both: Desk) -> Bootstrap:
    """Both stacks are up; the target's group is the one that the example names."""
    made = Bootstrap(both)
    file = made.folder / "Pulumi.example.yaml"
    file.write_text(file.read_text().replace("/rg-contoso-prod", f"/{TARGET.rsplit('/', 1)[-1]}"))
    return made


def _may(desk: Desk, client: str, action: str, scope: str, *, data: bool = False) -> bool:
    world = desk.azure.world
    (who,) = (p.id for p in world.principals if p.client_id == client)
    return roles.allowed(world, who, action, scope, world.now(), data=data)


@pytest.mark.proof
def test_the_bootstrap_goes_up_lets_the_pipelines_in_and_comes_down(bootstrap: Bootstrap):
    desk = bootstrap.desk
    bootstrap("up", "--yes", "--skip-preview", "--stack", "example")
    assert (bootstrap.folder / ".pulumi").is_dir(), "its own state lies beside it"
    told = bootstrap.outputs()
    assert told["backend"] == "azblob://state?storage_account=contosohearthstate"
    assert told["secretsProvider"] == "azurekeyvault://contosohearth-kv.vault.azure.net/keys/state"
    bootstrap("preview", "--refresh", "--expect-no-changes", "--stack", "example")

    _lets_in(desk, told)
    _holds_apart(desk, told)
    _suffices(desk, told)

    assert "protect" in bootstrap("destroy", "--yes", "--stack", "example", ok=False), "a state is not lost by accident"
    bootstrap("state", "unprotect", "--all", "--yes")
    bootstrap("destroy", "--yes", "--run-program=false", "--stack", "example")
    left = [one.type for one in desk.azure.world.generic if "contosohearth" in one.id]
    assert left == ["Microsoft.KeyVault/deletedVaults"], "the vault can be brought back for 90 days, its key in it"
    assert not [a for a in desk.azure.world.role_assignments if "contosohearth" in a.scope]


def _lets_in(desk: Desk, told: dict[str, Any]) -> None:
    """A pull request is `preview` and the protected environment is `rollout`; neither is the other."""
    pull, production = (
        Issuer(subject="repo:contoso/models:pull_request"),
        Issuer(subject="repo:contoso/models:environment:production"),
    )
    desk.azure.trust(GITHUB, pull.keys)
    now, world = desk.azure.world.clock.real_now(), desk.azure.world
    federation.require_assertion(world, told["previewClientId"], pull.token(), now)
    federation.require_assertion(world, told["rolloutClientId"], production.token(), now)
    for client, token in ((told["rolloutClientId"], pull.token()), (told["previewClientId"], production.token())):
        with pytest.raises(Exception, match="No matching federated identity record"):
            federation.require_assertion(world, client, token, now)


def _suffices(desk: Desk, told: dict[str, Any]) -> None:
    """Logged in by the pipeline's tokens alone, `preview` previews and may not write, `rollout` puts a change up."""
    issuer = Issuer(subject="repo:contoso/models:pull_request")
    desk.change("local-target", "capacity: 1}", "capacity: 2}")
    with serving(issuer, desk.azure):
        preview = _on_github(issuer, told["previewClientId"])
        assert "~" in desk.pulumi("preview", "--stack", "local-target", **preview)
        assert "AuthorizationFailed" in desk.up("local-target", ok=False, **preview)
        issuer.subject = "repo:contoso/models:environment:production"
        desk.up("local-target", **_on_github(issuer, told["rolloutClientId"]))
    assert desk.deployment("support-bot").capacity == 2
    assert {path.split("&")[0] for _, path in issuer.asked} == {"/oidc?run=7"}


def _on_github(issuer: Issuer, client: str) -> dict[str, str | None]:
    """The variables of a job on GitHub: no secret among them."""
    gone = {f"{prefix}_CLIENT_SECRET": None for prefix in ("ARM", "AZURE")} | {"AZURE_CLIENT_ID": None}
    return {
        **gone, "ARM_CLIENT_ID": client, "ARM_USE_OIDC": "true", "ACTIONS_ID_TOKEN_REQUEST_URL": issuer.address,
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": BEARER,
    }  # fmt: skip


def _holds_apart(desk: Desk, told: dict[str, Any]) -> None:
    """Preview reads what rollout writes, and neither goes further."""
    preview, rollout = told["previewClientId"], told["rolloutClientId"]
    state = next(one.id for one in desk.azure.world.generic if one.type.endswith("blobServices/containers"))
    key = next(one.id for one in desk.azure.world.generic if one.type.endswith("vaults/keys"))
    account = f"{TARGET}/providers/Microsoft.CognitiveServices/accounts/any"
    blob = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
    cognitive = "Microsoft.CognitiveServices/accounts"
    call = f"{cognitive}/OpenAI/deployments/chat/completions/action"
    for client, writes in ((preview, False), (rollout, True)):
        assert _may(desk, client, f"{blob}/read", state, data=True)
        assert _may(desk, client, f"{blob}/write", state, data=True) is writes
        assert _may(desk, client, "Microsoft.KeyVault/vaults/keys/decrypt/action", key, data=True)
        assert _may(desk, client, f"{cognitive}/deployments/read", account)
        assert _may(desk, client, call, account, data=True)
        assert _may(desk, client, f"{cognitive}/deployments/write", account) is writes
        assert _may(desk, client, f"{cognitive}/deployments/write", SOURCE) is writes, "deploying asks it there too"
        assert _may(desk, client, f"{cognitive}/OpenAI/models/read", SOURCE, data=True)
        assert _may(desk, client, "Microsoft.Authorization/roleAssignments/write", account) is writes, "mayGrant"
        assert not _may(desk, client, "Microsoft.Authorization/roleAssignments/write", state)
        assert not _may(desk, client, "Microsoft.KeyVault/vaults/delete", key)
        assert not _may(desk, client, "Microsoft.Resources/subscriptions/resourceGroups/delete", key)
