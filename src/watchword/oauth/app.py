"""Routes of OAuth: what machines ask. What people are asked stands on the console (`web.oauthconsent`)."""

from watchword.edge.router import Route
from watchword.oauth.discovery import Discovery
from watchword.oauth.exchange import Exchange
from watchword.oauth.forwardauth import ForwardAuth
from watchword.oauth.granting import Granting
from watchword.oauth.introspection import Introspection
from watchword.oauth.metadata import Metadata
from watchword.oauth.token import GrantHandler, TokenEndpoint
from watchword.services.authority import Authority


def grants(authority: Authority) -> dict[str, GrantHandler]:
    """The grant types of the token endpoint, each with its handler."""
    return {**Granting(authority.context, authority.oauth).grants(), **Exchange(authority).grants()}


def routes(authority: Authority) -> list[Route]:
    """All routes of OAuth."""
    known = grants(authority)
    return [
        *Introspection(authority).routes(),
        *ForwardAuth(authority).routes(),
        *Discovery(authority).routes(),
        *TokenEndpoint(known).routes(),
        *Granting(authority.context, authority.oauth).routes(),
        *Metadata(authority.context, known).routes(),
    ]
