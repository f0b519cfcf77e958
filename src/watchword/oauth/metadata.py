"""What clients can find out by themselves: the metadata of the authorization server (RFC 8414)."""

from collections.abc import Iterable
from dataclasses import dataclass

from watchword.domain.scopes import ALL_SCOPES
from watchword.edge.http import Request, Response
from watchword.edge.router import Route
from watchword.oauth.answers import refuse
from watchword.oauth.granting import DEVICE_AUTHORIZATION, REVOKE
from watchword.oauth.token import TOKEN
from watchword.services.context import Context

METADATA = "/.well-known/oauth-authorization-server"
AUTHORIZE = "/oauth/authorize"
INTROSPECT = "/oauth/introspect"
_METHODS = ["none", "client_secret_basic", "client_secret_post"]


@dataclass(frozen=True, slots=True)
class Metadata:
    """The metadata document; anybody may read it.

    Attributes:
        grant_types: keys of the token endpoint's table.
    """

    context: Context
    grant_types: Iterable[str]

    def routes(self) -> list[Route]:
        """Its route."""
        return [Route("GET", METADATA, self.show, (), refuse=refuse)]

    async def show(self, _request: Request) -> Response:
        """RFC 8414 §2, with RFC 8628 §4 and 9207 §3."""
        url = self.context.installation.url
        return Response.json(
            {
                "issuer": url,
                "authorization_endpoint": url + AUTHORIZE,
                "token_endpoint": url + TOKEN,
                "device_authorization_endpoint": url + DEVICE_AUTHORIZATION,
                "revocation_endpoint": url + REVOKE,
                "introspection_endpoint": url + INTROSPECT,
                "scopes_supported": sorted(ALL_SCOPES),
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "grant_types_supported": sorted(self.grant_types),
                "token_endpoint_auth_methods_supported": _METHODS,
                "revocation_endpoint_auth_methods_supported": _METHODS,
                "code_challenge_methods_supported": ["S256"],
                "authorization_response_iss_parameter_supported": True,
            }
        )
