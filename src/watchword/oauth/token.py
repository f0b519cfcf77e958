"""The token endpoint (RFC 6749 §3.2): one address for all grants, each of them a row of a table."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from watchword.domain.oauth import OAuthError
from watchword.edge.http import Request, Response
from watchword.edge.router import Route
from watchword.oauth.answers import refuse
from watchword.oauth.forms import OAuthCall

TOKEN = "/oauth/token"  # noqa: S105 - a path
GrantHandler = Callable[[OAuthCall], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """Dispatches by `grant_type`.

    Attributes:
        grants: handlers by grant type; `oauth.app` puts the table together, metadata lists its keys.
    """

    grants: Mapping[str, GrantHandler]

    def routes(self) -> list[Route]:
        """Its route; who asks proves that in the form, so that no token is asked for."""
        return [Route("POST", TOKEN, self.answer, (), refuse=refuse)]

    async def answer(self, request: Request) -> Response:
        """Answer one request.

        Raises:
            OAuthError: it cannot be read, or nobody handles its grant type.
        """
        call = await OAuthCall.read(request)
        handler = self.grants.get(call.need("grant_type"))
        if handler is None:
            raise OAuthError("unsupported_grant_type", "This server does not know the grant type.")
        return await handler(call)
