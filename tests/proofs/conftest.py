"""A local Azure on a frozen clock with one deployment, and the ports that reach it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from infra.localazure import LocalAzure, VirtualClock, accounts, bodies, deployments, groups, ids, roles, seed
from infra.localazure.world import Caller
from infra.ports.cloud import Cloud
from infra.ports.inference import Inference
from infra.proofs import Readiness
from infra.spec import limits

SEED = Path(__file__).parents[2] / "stacks" / "local-azure.yaml"
TRAINING, TENANT = "11111111-1111-4111-8111-111111111111", "aaaaaaaa-0000-4000-8000-000000000001"
DEPLOYER, CLIENT = "dddddddd-0000-4000-8000-000000000001", "cccccccc-0000-4000-8000-000000000001"
OPENAI_USER = "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd"
TUNED = "gpt-35-turbo-0613.ft-b044a9d3cf9c4228b5d393567f693b83"


@dataclass
class Bench:
    """A deployment and what is needed to prove it."""

    azure: LocalAzure
    cloud: Cloud
    inference: Inference
    waited: float = 0.0

    @property
    def endpoint(self) -> str:
        return f"{self.azure.origin}/contoso-train-ncus.openai.azure.com/"

    def sleep(self, seconds: float) -> None:
        self.waited += seconds
        self.azure.world.advance(timedelta(seconds=seconds))

    def readiness(self) -> Readiness:
        return Readiness(self.inference, limits.load(), sleep=self.sleep, elapsed=lambda: self.waited)

    def give_role(self, role: str = OPENAI_USER, *, after: float = 0.0) -> None:
        self.azure.world.switches.role_propagation = after
        account = next(iter(self.azure.world.accounts))
        given = bodies.RoleAssignmentProperties(
            role_definition_id=f"/providers/Microsoft.Authorization/roleDefinitions/{role}",
            principal_id=DEPLOYER,
            principal_type="ServicePrincipal",
        )
        roles.assign(self.azure.world, me(), account.id, ids.new_guid(), given)

    def deployment(self):
        return next(iter(self.azure.world.deployments))


def me() -> Caller:
    return Caller(principal=DEPLOYER, tenant=TENANT, client=CLIENT)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    clock = VirtualClock(factor=0)
    with LocalAzure(clock=clock) as azure:
        world = azure.world
        seed.plant(world, seed.read(SEED))
        groups.put_group(world, me(), TRAINING, "rg-contoso-train", bodies.Group(location="northcentralus"))
        accounts.put(
            world, me(), TRAINING, "rg-contoso-train", "contoso-train-ncus",
            bodies.Account(
                location="northcentralus", kind="OpenAI", sku=bodies.Sku(name="S0"),
                properties=bodies.AccountProperties(custom_sub_domain_name="contoso-train-ncus"),
            ),
        )  # fmt: skip
        world.advance(timedelta(seconds=5))
        account = next(iter(world.accounts))
        wish = bodies.Deployment(
            sku=bodies.Sku(name="Standard", capacity=10),
            properties=bodies.DeploymentProperties(model=bodies.DeploymentModel(name=TUNED, version="1")),
        )
        deployments.put(world, me(), account, "bot", wish)
        world.advance(timedelta(seconds=5))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(azure.authority))
        environment = {
            "ARM_METADATA_HOSTNAME": f"localhost:{azure.port}",
            "AZURE_AUTHORITY_HOST": azure.origin,
            "AZURE_TENANT_ID": TENANT,
            "AZURE_CLIENT_ID": CLIENT,
            "AZURE_CLIENT_SECRET": "local-azure-throwaway",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        cloud = Cloud(environment)
        yield Bench(azure, cloud, Inference(cloud, "2024-10-21"))
