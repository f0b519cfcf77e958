"""Routes of OAuth: what machines ask. What people are asked stands on the console (`web.oauthconsent`)."""

from watchword.edge.router import Route
from watchword.oauth.forwardauth import ForwardAuth
from watchword.oauth.introspection import Introspection
from watchword.oauth.token import GrantHandler, TokenEndpoint
from watchword.services.authority import Authority


def grants(_authority: Authority) -> dict[str, GrantHandler]:
    """The grant types of the token endpoint, each with its handler."""
    return {}


def routes(authority: Authority) -> list[Route]:
    """All routes of OAuth."""
    return [
        *Introspection(authority).routes(),
        *ForwardAuth(authority).routes(),
        *TokenEndpoint(grants(authority)).routes(),
    ]
