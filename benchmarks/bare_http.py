"""A bare Starlette application over the same uvicorn and TLS as local Azure: one route, one answer made beforehand."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from infra.localazure import tls


def main() -> None:
    """Serve the bytes of a file under a path: `folder port path file`; says so once it listens."""
    folder, port, path, file = sys.argv[1:]
    body = Path(file).read_bytes()

    async def answer(_: Request) -> Response:
        return Response(body, media_type="application/json")

    certificates = tls.ensure(Path(folder))
    server = uvicorn.Server(
        uvicorn.Config(
            Starlette(routes=[Route(path, answer)]),
            host="127.0.0.1",
            port=int(port),
            loop="uvloop",
            http="httptools",
            ssl_certfile=str(certificates.server),
            ssl_keyfile=str(certificates.server),
            log_config=None,
            access_log=False,
        )
    )
    asyncio.run(server.serve())


if __name__ == "__main__":
    main()
