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

from infra.localazure import errors, ids
from infra.localazure.entities import Principal
from infra.localazure.world import Caller, World

LIFETIME = timedelta(minutes=60)
ARM_AUDIENCES = ("https://management.azure.com", "https://management.core.windows.net")
DATA_AUDIENCES = ("https://cognitiveservices.azure.com", "https://ai.azure.com")
_SKEW = timedelta(minutes=5)


class LoginRefused(Exception):
    """Entra's refusal: an OAuth error with an AADSTS code and text."""

    def __init__(self, status: int, error: str, code: int, text: str) -> None:
        """Keep what the answer needs."""
        super().__init__(text)
        self.status, self.error, self.code, self.text = status, error, code, text


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

        Raises LoginRefused with Entra's code: unknown tenant, unknown application, wrong secret, bad scope.
        """
        if not scope.endswith("/.default"):
            raise LoginRefused(
                400,
                "invalid_scope",
                1002012,
                f"AADSTS1002012: The provided value for scope {scope} is not valid. "
                "Client credential flows must have a scope value with /.default suffixed to the resource identifier "
                "(application ID URI).",
            )
        principal = self._application(tenant, client_id)
        if principal.secret is None or not hmac.compare_digest(principal.secret.encode(), secret.encode()):
            raise LoginRefused(
                401,
                "invalid_client",
                7000215,
                "AADSTS7000215: Invalid client secret provided. Ensure the secret "
                "being sent in the request is the client secret value, not the client secret ID, for a secret added "
                f"to app '{client_id}'.",
            )
        return self.issue(principal, scope.removesuffix("/.default"), tenant), int(LIFETIME.total_seconds())

    def issue(self, principal: Principal, audience: str, tenant: str | None = None) -> str:
        """A token for a principal and an audience, without asking for proof."""
        now = self._world.clock.real_now()
        home = self.tenant(tenant or principal.tenant) or principal.tenant
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
        if audience.rstrip("/") not in (*audiences, self._world.origin):
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

    # --- inside ----------------------------------------------------------------------------------------------------

    def _application(self, tenant: str, client_id: str) -> Principal:
        home = self.tenant(tenant)
        if home is None:
            raise LoginRefused(
                400,
                "invalid_request",
                90002,
                f"AADSTS90002: Tenant '{tenant}' not found. Check to make sure you "
                "have the correct tenant ID and are signing into the correct cloud.",
            )
        for principal in self._world.principals:
            if (principal.client_id or "").lower() == client_id.lower() and home in (
                principal.tenant,
                *principal.guest_of,
            ):
                return principal
        raise LoginRefused(
            400,
            "unauthorized_client",
            700016,
            f"AADSTS700016: Application with identifier '{client_id}' was not "
            f"found in the directory '{tenant}'. This can happen if the application has not been installed by the "
            "administrator of the tenant or consented to by any user in the tenant.",
        )

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


def account_scope(account_id: str) -> str:
    """The scope at which data actions on an account are looked up."""
    return ids.key(account_id)
