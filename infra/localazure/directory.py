"""The directory: who can log in, and the tokens that prove it (signed JWTs, as Entra's are).

Tokens expire by real time, because clients cache them by their own clocks.
"""

from __future__ import annotations

import hmac
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from infra.localazure import errors, federation
from infra.localazure.entities import Principal
from infra.localazure.world import Caller, World

LIFETIME = timedelta(minutes=60)
ARM_AUDIENCES = ("https://management.azure.com", "https://management.core.windows.net")
DATA_AUDIENCES = ("https://cognitiveservices.azure.com", "https://ai.azure.com")
METRICS_AUDIENCE = "https://metrics.monitor.azure.com"
OTHER_AUDIENCES = (
    "https://api.loganalytics.io",
    "https://graph.microsoft.com",
    "https://storage.azure.com",
    "https://vault.azure.net",
)
"""Services that every directory knows and that are not here: their tokens exist and open nothing."""
_SKEW = timedelta(minutes=5)


@cache
def _process_key() -> rsa.RSAPrivateKey:
    """The signing key of instances without a folder: made once per process, for it takes a tenth of a second."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Directory:
    """Logins and tokens for the principals of a world."""

    def __init__(self, world: World) -> None:
        """Read the signing key from the world's database, or make one when it is first needed."""
        self._world = world
        self._key: rsa.RSAPrivateKey | None = None
        self._callers: dict[str, tuple[Caller, str, datetime]] = {}
        for name, body in world.database.read("signing-key"):
            if name == "key":
                loaded = serialization.load_pem_private_key(body, None)
                if isinstance(loaded, rsa.RSAPrivateKey):
                    self._key = loaded

    # --- tokens ----------------------------------------------------------------------------------------------------

    def client_credentials(self, tenant: str, client_id: str, secret: str, scope: str) -> tuple[str, int]:
        """A token for an application that knows its secret; returns it with its lifetime in seconds.

        Refuses with Entra's code: unknown tenant, unknown application, wrong secret, bad scope, unknown resource.
        """
        if not scope.endswith("/.default"):
            raise errors.BAD_SCOPE(scope=scope)
        home = self.require_tenant(tenant)
        principal = self._application(home, client_id)
        if principal.secret is None or not hmac.compare_digest(principal.secret.encode(), secret.encode()):
            raise errors.BAD_SECRET(client=client_id)
        return self._granted(principal, scope, home)

    def federated(self, tenant: str, client_id: str, assertion: str, scope: str) -> tuple[str, int]:
        """A token for an identity that another issuer's token stands for; refuses as `client_credentials` does."""
        if not scope.endswith("/.default"):
            raise errors.BAD_SCOPE(scope=scope)
        home = self.require_tenant(tenant)
        principal = self._application(home, client_id)
        federation.require_assertion(self._world, client_id, assertion, self._world.clock.real_now())
        return self._granted(principal, scope, home)

    def _granted(self, principal: Principal, scope: str, home: str) -> tuple[str, int]:
        audience = scope.removesuffix("/.default")
        self.require_audience(audience, home)
        return self.issue(principal, audience, home), int(LIFETIME.total_seconds())

    def require_audience(self, resource: str, tenant: str) -> None:
        """Refuse a service that no directory knows."""
        own = (self._world.origin, f"{self._world.origin}/graph")
        if resource.rstrip("/") not in (*ARM_AUDIENCES, *DATA_AUDIENCES, METRICS_AUDIENCE, *OTHER_AUDIENCES, *own):
            raise errors.NO_AUDIENCE(resource=resource, tenant=tenant)

    def issue(self, principal: Principal, audience: str, tenant: str | None = None) -> str:
        """A token for a principal and an audience, without asking for proof."""
        now = self._world.clock.real_now()
        home = tenant or principal.tenant
        claims: dict[str, Any] = {
            "aud": audience,
            "iss": f"https://sts.windows.net/{home}/",
            "iat": int(now.timestamp()),
            "nbf": int(now.timestamp()),
            "exp": int((now + LIFETIME).timestamp()),
            "oid": principal.id,
            "sub": principal.id,
            "tid": home,
            "ver": "1.0",
            "idtyp": "user" if principal.type == "User" else "app",
        }
        if principal.client_id:
            claims["appid"] = principal.client_id
        if principal.type == "User":
            claims["upn"] = principal.name
        return jwt.encode(claims, self._signing_key(), algorithm="RS256", headers={"kid": "local-azure"})

    def caller(self, token: str, audiences: tuple[str, ...]) -> Caller:
        """Who a token stands for; raises the AzureError of a token that is bad, expired or for somebody else."""
        known = self._callers.get(token)
        if known is None:
            known = self._verify(token)
            self._callers[token] = known
        caller, audience, expires = known
        now = self._world.clock.real_now()
        if expires + _SKEW < now:
            del self._callers[token]
            raise errors.EXPIRED_TOKEN(expiry=f"{expires:%m/%d/%Y %I:%M:%S %p}", now=f"{now:%m/%d/%Y %I:%M:%S %p}")
        if audience.rstrip("/") not in audiences:
            raise errors.WRONG_AUDIENCE(audience=audience, allowed=",".join(audiences))
        return caller

    def public_keys(self) -> dict[str, Any]:
        """The key set that a token's signature can be checked with."""
        jwk = jwt.algorithms.RSAAlgorithm.to_jwk(self._signing_key().public_key(), as_dict=True)
        return {"keys": [{**jwk, "use": "sig", "kid": "local-azure", "alg": "RS256"}]}

    def tenant(self, name: str) -> str | None:
        """The id of a tenant given by id or domain name."""
        found = self._world.tenants.get(name.lower())
        if found is None:
            found = next((t for t in self._world.tenants if t.name.lower() == name.lower()), None)
        return found.id if found else None

    def require_tenant(self, name: str) -> str:
        """The id of a tenant, or Entra's refusal."""
        found = self.tenant(name)
        if found is None:
            raise errors.NO_TENANT(tenant=name)
        return found

    # --- inside ----------------------------------------------------------------------------------------------------

    def _application(self, tenant: str, client_id: str) -> Principal:
        for principal in self._world.principals:
            here = tenant in {principal.tenant, *principal.guest_of}
            if here and (principal.client_id or "").lower() == client_id.lower():
                return principal
        raise errors.NO_APPLICATION(client=client_id, tenant=tenant)

    def _verify(self, token: str) -> tuple[Caller, str, datetime]:
        try:
            claims = jwt.decode(
                token,
                self._signing_key().public_key(),
                algorithms=["RS256"],
                options={"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
            caller = Caller(
                principal=str(claims["oid"]),
                tenant=str(claims["tid"]),
                client=str(claims.get("upn") or claims.get("appid") or ""),
                type="User" if claims.get("idtyp") == "user" else "ServicePrincipal",
            )
            return caller, str(claims["aud"]), datetime.fromtimestamp(claims["exp"], UTC)
        except (jwt.InvalidTokenError, KeyError, ValueError, TypeError) as error:
            raise errors.BAD_TOKEN() from error

    def _signing_key(self) -> rsa.RSAPrivateKey:
        if self._key is None:
            self._key = _process_key()
            pem = self._key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            self._world.database.write("signing-key", "key", pem)
        return self._key


def bearer(header: str | None) -> str | None:
    """The token of an Authorization header; None where there is none."""
    if header is None:
        return None
    kind, _, token = header.strip().partition(" ")
    return token.strip() if kind.lower() == "bearer" and token.strip() else None
