"""What people's tools ask for: tokens by authorization, device code or refresh token; revocation."""

from dataclasses import dataclass

from watchword.crypto.values import Secret
from watchword.domain.events import SYSTEM
from watchword.domain.oauth import AUTHORIZATION_CODE, DEVICE_CODE, REFRESH_TOKEN
from watchword.edge.http import Request, Response
from watchword.edge.router import Route
from watchword.oauth.answers import answer, refuse
from watchword.oauth.forms import OAuthCall
from watchword.oauth.token import GrantHandler
from watchword.services.context import Caller, Context
from watchword.services.oauthcodes import Redemption
from watchword.services.oauthdoor import OAuthDoor

DEVICE_AUTHORIZATION = "/oauth/device_authorization"
REVOKE = "/oauth/revoke"
# Where people type the code; the console has it (`web.oauthdevice`).
VERIFICATION = "/oauth/device"


@dataclass(frozen=True, slots=True)
class Granting:
    """The grants of people's tools."""

    context: Context
    door: OAuthDoor

    def grants(self) -> dict[str, GrantHandler]:
        """Rows of the token endpoint's table."""
        return {
            AUTHORIZATION_CODE: self.redeem,
            DEVICE_CODE: self.poll,
            REFRESH_TOKEN: self.refresh,
        }

    def routes(self) -> list[Route]:
        """Routes beside the token endpoint; a client says in the form who it is."""
        return [
            Route("POST", DEVICE_AUTHORIZATION, self.start_device, (), refuse=refuse),
            Route("POST", REVOKE, self.revoke, (), refuse=refuse),
        ]

    async def redeem(self, call: OAuthCall) -> Response:
        """RFC 6749 §4.1.3, with the verifier of RFC 7636 §4.5."""
        asked = Redemption(Secret(call.need("code")), call.need("redirect_uri"), call.get("code_verifier"))
        given = await self.door.redeem(_caller(call), call.credentials, asked)
        return answer(given.body())

    async def poll(self, call: OAuthCall) -> Response:
        """RFC 8628 §3.4."""
        code = Secret(call.need("device_code"))
        given = await self.door.poll(_caller(call), call.credentials, code)
        return answer(given.body())

    async def refresh(self, call: OAuthCall) -> Response:
        """RFC 6749 §6."""
        value = Secret(call.need("refresh_token"))
        given = await self.door.refresh(_caller(call), call.credentials, value, call.get("scope"))
        return answer(given.body())

    async def start_device(self, request: Request) -> Response:
        """RFC 8628 §3.1.

        Raises:
            OAuthError: the client is not known or may not do this, or it asks for nothing that it may have.
            TooMany: the address has begun or failed too often.
        """
        call = await OAuthCall.read(request)
        started = await self.door.start_device(_caller(call), call.credentials, call.get("scope"))
        page = self.context.installation.url + VERIFICATION
        return answer(
            {
                "device_code": started.device_code.reveal(),
                "user_code": started.user_code,
                "verification_uri": page,
                "verification_uri_complete": f"{page}/{started.user_code}",
                "expires_in": started.expires_in,
                "interval": started.interval,
            }
        )

    async def revoke(self, request: Request) -> Response:
        """RFC 7009 §2: the end of one token of a connection is the end of the connection.

        Raises:
            OAuthError: the client is not known, or the token is not its own.
            TooMany: the address has failed too often.
        """
        call = await OAuthCall.read(request)
        await self.door.revoke(_caller(call), call.credentials, Secret(call.need("token")))
        return Response(200, b"{}")


def _caller(call: OAuthCall) -> Caller:
    """Who asks; the person behind it is named where one is found."""
    request = call.request
    return Caller(SYSTEM, request.address, request.id, request.agent)
