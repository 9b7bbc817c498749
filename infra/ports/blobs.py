"""Blobs of Azure Storage: read one, and make a short-lived signature by which Azure OpenAI may read it too.

A signature opens the blob to whoever has it: none of these texts, nor any error, repeats one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from infra.errors import HearthError, NotFound, Refused, Unreachable
from infra.ports.cloud import IMPORTING, NAME_NOT_KNOWN, TIMEOUT, Cloud, brief, login_error

LIFETIME = timedelta(hours=2)
"""How long a signature holds: an import takes an hour at most (capability MaxUserFileImportDurationInHours)."""
_TRIES = 3
_CHUNK = 1 << 20
_HOST = re.compile(r"(?P<root>https://(?:[^/]+/)?(?P<account>[a-z0-9]{3,24})\.blob\.[^/]+)/(?P<path>.+)")


class Blob:
    """A blob by its address, opened by the login or by a signature."""

    def __init__(self, cloud: Cloud, address: str, signature: str | None = None) -> None:
        """Raises Refused for an address that is no blob's."""
        found = _HOST.fullmatch(address)
        container, _, name = unquote(found["path"]).partition("/") if found else ("", "", "")
        if found is None or not container or not name:
            raise Refused(f"{address} is no address of a blob (https://ACCOUNT.blob.core.windows.net/CONTAINER/BLOB)")
        self._cloud, self.address, self._signature = cloud, address, (signature or "").lstrip("?") or None
        self._root, self._account, self._container, self.name = found["root"], found["account"], container, name

    @property
    def filename(self) -> str:
        """The last part of its name."""
        return self.name.rpartition("/")[2]

    def state(self) -> tuple[str, int]:
        """Its entity tag, which changes with its content, and its size in bytes.

        Raises NotFound, Refused, Unreachable, LoginFailed.
        """
        found = self._asked(lambda blob: blob.get_blob_properties())
        return str(found.etag).strip('"'), int(found.size)

    def save(self, to: Path) -> None:
        """Read it into a file; raises as `state`. Begun anew, twice, where it breaks off."""
        import requests

        host = urlsplit(self.address).netloc
        for number in range(_TRIES):
            try:
                with self._cloud.session.get(self.signed(), stream=True, timeout=TIMEOUT) as answer:
                    if not answer.ok:
                        raise self._no(answer.status_code, answer.headers.get("x-ms-error-code", ""))
                    with to.open("wb") as opened:
                        opened.writelines(answer.iter_content(_CHUNK))
                    return
            except requests.RequestException as error:  # its text may hold the address with its signature
                if number == _TRIES - 1:
                    raise Unreachable(f"{host} does not answer: {_fact(error)}") from None

    def signed(self) -> str:
        """Its address with a signature: the one given, or a short-lived one made from the login.

        Never to be shown or stored. Raises as `state`.
        """
        return f"{self.address}?{self._signature or self._delegated()}"

    def _delegated(self) -> str:
        with IMPORTING:
            from azure.storage.blob import BlobSasPermissions, BlobServiceClient, generate_blob_sas

        now = datetime.now(UTC)
        start, end = now - timedelta(minutes=5), now + LIFETIME  # clocks differ by minutes

        def ask() -> Any:
            with BlobServiceClient(self._root, credential=self._cloud.credential, **self._how()) as service:
                return service.get_user_delegation_key(start, end)

        key = self._meaning(ask)
        return str(
            generate_blob_sas(
                self._account,
                self._container,
                self.name,
                user_delegation_key=key,
                permission=BlobSasPermissions(read=True),
                start=start,
                expiry=end,
            )
        )

    def _asked(self, ask: Any) -> Any:
        with IMPORTING:
            from azure.storage.blob import BlobClient

        address = f"{self.address}?{self._signature}" if self._signature else self.address
        credential = None if self._signature else self._cloud.credential

        def run() -> Any:
            with BlobClient.from_blob_url(address, credential=credential, **self._how()) as blob:
                return ask(blob)

        return self._meaning(run)

    def _how(self) -> dict[str, Any]:
        return {"transport": self._cloud.transport(), "retry_total": 3}

    def _meaning(self, ask: Any) -> Any:
        from azure.core import exceptions as azure

        failed: HearthError
        try:
            return ask()
        except azure.HttpResponseError as error:
            code = str(getattr(error, "error_code", "") or "")
            failed = self._no(error.status_code, code) if error.status_code else login_error(error)
        except azure.AzureError as error:
            failed = Unreachable(f"{urlsplit(self.address).netloc} does not answer: {_fact(error)}")
        raise failed from None  # the cause may hold the address with its signature

    def _no(self, status: int, code: str) -> Refused:
        """What a refusal means."""
        if status == 404:
            return NotFound(f"There is no blob at {self.address}", code=code or "BlobNotFound", status=404)
        with_what = "the signature in the environment" if self._signature else "the login"
        needs = "" if self._signature else "; it takes Storage Blob Data Reader and Storage Blob Delegator"
        text = f"{self.address} is not opened by {with_what} ({code or status}){needs}"
        return Refused(text, code=code, status=status)


def _fact(error: Exception) -> str:
    """What went wrong, without the signature that an address in it may carry."""
    fact = brief(error)
    return fact if fact == NAME_NOT_KNOWN else fact.partition("?")[0]
