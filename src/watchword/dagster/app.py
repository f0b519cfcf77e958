"""The surface's routes: a token is let in before anything of its call is parsed (contract §9, rule 1)."""

from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from watchword.dagster.answers import refuse
from watchword.dagster.call import Call
from watchword.dagster.paths import TOKEN, deployment_name, deployment_of, variants
from watchword.dagster.rest import Rest
from watchword.dagster.uploads import Bytes
from watchword.domain.events import Actor
from watchword.edge.http import Request, Response
from watchword.edge.router import Route
from watchword.services.authority import Authority
from watchword.services.context import Caller
from watchword.services.dagsterdoor import KINDS, Guest

_IDEMPOTENCY = b"idempotency-key"
_MAX_KEY = 100
_DOCUMENTS = "watchword.dagster.documents"


@dataclass(slots=True)
class Dagster:
    """Lets calls in, and hands them on."""

    authority: Authority

    def routes(self) -> list[Route]:
        """All operations at all of their addresses."""
        rest = Rest(self.authority, self.call)
        return [
            *(Route("POST", path, self.graphql, KINDS, refuse) for path in variants("/graphql")),
            *rest.routes(),
            *Bytes(self.authority, rest).routes(),
        ]

    async def enter(self, request: Request) -> Guest:
        """Let a token in.

        Raises:
            Refused: it does not pass.
            Forbidden: its organization keeps its owner, or the address, out.
        """
        value = request.headers.get(TOKEN)
        given = value.decode("latin-1") if value is not None else None
        caller = Caller(Actor("token", ""), request.address, request.id, request.agent)
        return await self.authority.dagster_door.enter(given, caller)

    async def call(self, request: Request, first: str | None, second: str | None) -> Call:
        """Let a call in, and find which deployment it is about.

        Raises:
            Refused: its token does not pass.
            Forbidden: an agent token names a deployment that it may not serve.
            Malformed: address and header contradict each other.
            NotFound: the address names another organization.
        """
        guest = await self.enter(request)
        named = deployment_name(request, guest, first, second)
        key = request.headers.get(_IDEMPOTENCY, b"").decode("latin-1")[:_MAX_KEY]
        return Call(self.authority, guest, deployment_of(guest, named), named, key)

    async def graphql(
        self, request: Request, first: str | None = None, second: str | None = None
    ) -> Response:
        """A GraphQL document."""
        call = await self.call(request, first, second)
        answer: Response = await _documents().answer(request, call)
        return answer


@cache
def _documents() -> Any:  # noqa: ANN401 - its module is imported when the first document comes
    return import_module(_DOCUMENTS).Documents()


def warm() -> None:
    """Import what the first document would wait for."""
    _documents()


def routes(authority: Authority) -> list[Route]:
    """All operations of the surface."""
    return Dagster(authority).routes()
