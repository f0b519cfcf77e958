"""The grant type of token exchange (RFC 8693, with assertions of RFC 7523)."""

from dataclasses import dataclass

from watchword.crypto.values import Secret
from watchword.domain.events import SYSTEM
from watchword.domain.exchanges import ACCESS_TOKEN_TYPE, GRANT_TYPE
from watchword.edge.http import Response
from watchword.oauth.answers import answer
from watchword.oauth.forms import OAuthCall
from watchword.oauth.token import TOKEN, GrantHandler
from watchword.services.authority import Authority
from watchword.services.context import Caller
from watchword.services.tokenexchange import ExchangeCall, Exchanger


@dataclass(frozen=True, slots=True)
class Exchange:
    """Handles the grant type."""

    authority: Authority

    def grants(self) -> dict[str, GrantHandler]:
        """Its row of the token endpoint's table."""
        return {GRANT_TYPE: self.exchange}

    async def exchange(self, call: OAuthCall) -> Response:
        """An assertion for an access token of a person; there is no refresh token."""
        context, request = self.authority.context, call.request
        asked = ExchangeCall(
            assertion_type=call.need("client_assertion_type"),
            assertion=Secret(call.need("client_assertion")),
            subject=call.need("subject_token"),
            subject_type=call.need("subject_token_type"),
            audience=call.need("audience"),
            scope=call.get("scope"),
            expires_in=call.get("expires_in"),
        )
        caller = Caller(SYSTEM, request.address, request.id, request.agent)
        exchanger = Exchanger(context, self.authority.key_sets)
        given = await exchanger.exchange(caller, context.installation.url + TOKEN, asked)
        return answer(
            {
                "access_token": given.value.reveal(),
                "issued_token_type": ACCESS_TOKEN_TYPE,
                "token_type": "Bearer",
                "expires_in": given.expires_in,
                "scope": given.scope,
            }
        )
