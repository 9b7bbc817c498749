"""Whom an identity trusts besides Entra, and the logins that come from there (workload identity federation).

A token of another issuer stands for an identity where a federated credential of that identity names its issuer, its
subject and its audience, letter for letter. Issuers' keys are not fetched, for nothing leaves the machine: `trust` is
told them. From Learn, "Workload identity federation" and "Important considerations and restrictions", 2026.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import jwt

from infra.localazure import errors, ids
from infra.localazure.entities import GenericResource, Json
from infra.localazure.world import World

IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"
CREDENTIALS = f"{IDENTITIES}/federatedIdentityCredentials"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
MOST = 20
"""Federated credentials of one identity, at most."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,119}")
_KIND = "issuer"


def require_sound(world: World, made: GenericResource, existing: GenericResource | None) -> None:
    """Refuse a federated credential that Azure would not take."""
    given: Json = made.body.get("properties") or {}
    if not _NAME.fullmatch(made.name):
        raise errors.BAD_NAME(name=made.name, pattern=_NAME.pattern, least=3, most=120)
    issuer, subject, audiences = given.get("issuer"), given.get("subject"), given.get("audiences")
    if not (isinstance(issuer, str) and issuer.startswith("https://") and isinstance(subject, str) and subject):
        raise errors.BAD_PROPERTY(fact="A federated credential needs an issuer (https://…) and a subject.")
    if not isinstance(audiences, list) or len(audiences) != 1 or not isinstance(audiences[0], str):
        raise errors.BAD_PROPERTY(fact="A federated credential has exactly one audience.")
    siblings = [one for one in of_identity(world, made.id.rsplit("/", 2)[0]) if ids.key(one.id) != ids.key(made.id)]
    if existing is None and len(siblings) >= MOST:
        raise errors.BAD_PROPERTY(fact=f"An identity has at most {MOST} federated credentials.")
    if any(_pair(one) == (issuer, subject) for one in siblings):
        raise errors.FEDERATED_TWICE()


def of_identity(world: World, identity: str) -> list[GenericResource]:
    """The federated credentials of an identity, by its id."""
    inside = ids.key(identity) + "/"
    return [one for one in world.generic if one.type == CREDENTIALS and ids.key(one.id).startswith(inside)]


def trust(world: World, issuer: str, keys: Sequence[dict[str, Any]]) -> None:
    """Let an issuer's tokens be checked with these public keys (JWKs): what Entra reads at the issuer's jwks_uri."""
    world.database.write(_KIND, issuer, json.dumps(list(keys)).encode())
    world.issuers[issuer] = list(keys)


def require_assertion(world: World, client_id: str, assertion: str, now: datetime) -> None:
    """Refuse an assertion that is no token, out of its time, badly signed, or of nobody that the identity trusts.

    `now` is the machine's moment, as for all tokens. Local Azure allows no skew: what Entra allows is not known.
    """
    try:
        claims: dict[str, Any] = jwt.decode(assertion, options={"verify_signature": False})
        issuer, subject, audience = str(claims["iss"]), str(claims["sub"]), claims["aud"]
        begins, ends = (datetime.fromtimestamp(claims[name], UTC) for name in ("iat", "exp"))
    except (jwt.InvalidTokenError, KeyError, TypeError, ValueError, OverflowError) as error:
        raise errors.BAD_ASSERTION() from error
    trusted = _credentials_of_client(world, client_id)
    if not any(one["issuer"] == issuer for one in trusted):
        raise errors.NO_FEDERATED_ISSUER(value=issuer)
    if not any((one["issuer"], one["subject"]) == (issuer, subject) for one in trusted):
        raise errors.NO_FEDERATED_SUBJECT(value=subject)
    if not any(one["subject"] == subject and audience in (one["audiences"], one["audiences"][0]) for one in trusted):
        raise errors.NO_FEDERATED_AUDIENCE(value=str(audience))
    if not begins <= now < ends:
        raise errors.ASSERTION_EXPIRED(now=_shown(now), begins=_shown(begins), ends=_shown(ends))
    if not _is_signed(world, issuer, assertion):
        raise errors.ASSERTION_UNSIGNED()


def _is_signed(world: World, issuer: str, assertion: str) -> bool:
    if issuer not in world.issuers:
        world.issuers |= {name: json.loads(body) for name, body in world.database.read(_KIND)}
    try:
        kid = jwt.get_unverified_header(assertion).get("kid")
        for key in world.issuers.get(issuer, []):
            if key.get("kid") == kid:
                checks = {"verify_aud": False, "verify_exp": False, "verify_nbf": False, "verify_iat": False}
                jwt.decode(assertion, jwt.PyJWK(key), algorithms=["RS256"], options=checks)  # type: ignore[arg-type]
                return True
    except (jwt.PyJWTError, ValueError):
        return False
    return False


def _credentials_of_client(world: World, client_id: str) -> list[Json]:
    """The properties of the federated credentials of the identity with that client id."""
    for one in world.generic:
        if one.type == IDENTITIES and str(one.body["properties"].get("clientId", "")).lower() == client_id.lower():
            return [found.body["properties"] for found in of_identity(world, one.id)]
    return []


def _pair(found: GenericResource) -> tuple[str, str]:
    properties: Json = found.body["properties"]
    return properties["issuer"], properties["subject"]


def _shown(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "0000Z"
