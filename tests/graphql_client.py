"""The GraphQL application in process: a caller with a token whose requests run on the world's own loop."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import httpx
import msgspec

from support import World
from watchword.crypto.values import Secret
from watchword.graphql.app import build

BASE = "http://127.0.0.1:8080"


class Answered(NamedTuple):
    """What came back: `data`, and the errors' messages and codes."""

    status: int
    data: Any
    errors: list[dict[str, Any]]
    headers: Mapping[str, str]
    body: dict[str, Any]

    @property
    def messages(self) -> list[str]:
        return [error["message"] for error in self.errors]

    @property
    def codes(self) -> list[str]:
        return [error["extensions"]["code"] for error in self.errors]


class Graph:
    """A caller with a token, from an address that tests set."""

    def __init__(self, world: World, value: Secret | str | None = None) -> None:
        self.world = world
        self.application = build(world.authority)
        self.address: str | None = "203.0.113.9"
        shown = world.first.api_token.value if value is None else value
        text = shown.reveal() if isinstance(shown, Secret) else shown
        self.headers = {"Authorization": f"Bearer {text}"} if text else {}

    def __call__(self, query: str, variables: Any = None, *, operation: str | None = None) -> Answered:
        body = {"query": query, "variables": variables, "operationName": operation}
        return self.post(msgspec.json.encode(body))

    def ok(self, query: str, variables: Any = None) -> Any:
        """The data of a query that has no errors."""
        answered = self(query, variables)
        assert answered.status == 200, answered
        assert not answered.errors, answered.errors
        return answered.data

    def post(
        self,
        body: bytes,
        *,
        method: str = "POST",
        path: str = "/graphql",
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        return self.world.run(self._post(body, method, path, {**self.headers, **(headers or {})}))

    async def _post(self, body: bytes, method: str, path: str, headers: Mapping[str, str]) -> Answered:
        async def serve(scope: Any, receive: Any, send: Any) -> None:
            scope["watchword"] = {"address": self.address, "request_id": "r-1"}
            await self.application(scope, receive, send)

        transport = httpx.ASGITransport(app=serve, raise_app_exceptions=False)
        request = httpx.Request(method, BASE + path, content=body, headers=headers)
        response = await transport.handle_async_request(request)
        content = await response.aread()
        decoded = msgspec.json.decode(content) if content else {}
        return Answered(
            response.status_code, decoded.get("data"), decoded.get("errors", []), response.headers, decoded
        )
