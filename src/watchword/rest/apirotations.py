"""Rotations of API access tokens; see `rest.rotations`. Nobody gets a value that may do more than theirs."""

from watchword.domain.tokens import Token
from watchword.rest.apitokens import TOKEN
from watchword.rest.call import Call
from watchword.rest.rotations import handlers
from watchword.services.apitokens import find_api_token, require_rotation
from watchword.services.queries import Access, Unit


async def _find(call: Call, tx: Unit, access: Access) -> Token:
    found = await find_api_token(tx, access, call.path("token"))
    if call.request.method != "GET":
        await require_rotation(tx, access, found.token)
    return found.token


HANDLERS = handlers(TOKEN, "an API access token", "api_token.list", "api_token.rotate", _find)
