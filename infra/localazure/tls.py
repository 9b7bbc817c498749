"""The certificates of local Azure: a certificate authority of its own, kept beside the state."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme

NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Certificates:
    """Paths of PEM files: the authority's certificate, the server's chain with its key."""

    authority: Path
    server: Path


def ensure(folder: Path) -> Certificates:
    """The certificates in `folder`, made when they are not there. The authority's key is not kept: nobody needs it."""
    found = Certificates(folder / "ca.pem", folder / "server.pem")
    if found.authority.exists() and found.server.exists():
        return found
    folder.mkdir(parents=True, exist_ok=True)
    authority = trustme.CA(organization_name="local Azure", organization_unit_name="a test authority of this machine")
    server = authority.issue_cert(*NAMES)
    write(found.server, server.private_key_and_cert_chain_pem.bytes())
    # The authority last: a kill in between leaves no pair that does not match.
    write(found.authority, authority.cert_pem.bytes())
    return found


def bundle(authority: Path) -> bytes:
    """The system's trusted authorities and this one, for clients that take a single file."""
    system = b""
    candidates = [os.environ.get("SSL_CERT_FILE"), ssl.get_default_verify_paths().cafile]
    for candidate in candidates:
        if candidate and Path(candidate).is_file() and Path(candidate).parent != authority.parent:
            system = Path(candidate).read_bytes()
            break
    else:
        import certifi  # noqa: PLC0415 - only where the system names no file

        system = Path(certifi.where()).read_bytes()
    return system.rstrip() + b"\n" + authority.read_bytes()


def write(path: Path, content: bytes) -> None:
    """Write a file whole or not at all, readable by the owner alone."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    temporary.replace(path)
