"""Clients of OAuth in process: requests go through the edge and run on the world's own loop."""

from base64 import b64encode
from typing import Any

import httpx

from support import World
from watchword.edge.app import Edge
from watchword.edge.meter import Meter
from watchword.edge.router import Router
from watchword.oauth.app import routes

BASE = "https://watchword.example"


class Tool:
    """Somebody's program; it calls from an address that tests set."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.edge = Edge(Router(routes(world.authority)), {}, (), Meter())
        self.address = "198.51.100.7"

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request, as httpx takes it."""

        async def work() -> httpx.Response:
            transport = httpx.ASGITransport(
                app=self.edge, client=(self.address, 4711), raise_app_exceptions=False
            )
            async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
                return await client.request(method, path, **options)

        return self.world.run(work())

    def post(self, path: str, fields: dict[str, str], **options: Any) -> httpx.Response:
        """A form."""
        return self.call("POST", path, data=fields, **options)

    def token(self, grant_type: str, **fields: str) -> httpx.Response:
        """Ask the token endpoint."""
        return self.post("/oauth/token", {"grant_type": grant_type, **fields})


def basic(client_id: str, secret: str) -> dict[str, str]:
    """The header of HTTP Basic."""
    return {"authorization": "Basic " + b64encode(f"{client_id}:{secret}".encode()).decode()}
