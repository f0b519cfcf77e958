"""The presented API access token: what it is, and its end by whoever holds it."""

import msgspec
from litestar import delete, get

from watchword.domain.events import Actor
from watchword.rest.call import Call, RestRequest, needs
from watchword.rest.formats import utc_text
from watchword.services.context import Caller
from watchword.services.queries import Unit, holder_of, people, user_actor
from watchword.services.revoking import revoke


class TokenOwner(msgspec.Struct, kw_only=True):
    """Whose token it is."""

    name: str
    email: str


class AccessToken(msgspec.Struct, kw_only=True):
    """The presented token; never its value."""

    uuid: str
    scopes: list[str]
    description: str
    created_at: str | None
    expires_at: str | None
    user: TokenOwner


@get("/v2/access-token", opt=needs("access_token.read"), summary="Get the current token")
async def get_access_token(request: RestRequest) -> AccessToken:
    """What the presented token is; any live token may ask, whatever its scopes."""
    call = Call.of(request)
    token = call.presented.holder

    async def work(tx: Unit) -> AccessToken:
        user = await holder_of(tx, call.presented)
        return AccessToken(
            uuid=token.id,
            scopes=sorted(call.presented.scopes),
            description=token.description,
            created_at=utc_text(token.created_at),
            expires_at=utc_text(token.expires_at),
            user=TokenOwner(name=user.name, email=user.email),
        )

    return await call.context.store.read(work)


@delete("/v2/access-token", opt=needs("access_token.revoke"), summary="Revoke the current token")
async def revoke_access_token(request: RestRequest) -> None:
    """Revoke the presented token everywhere; who holds it may always do that, whatever its scopes."""
    call = Call.of(request)
    token = call.presented.holder

    async def work(tx: Unit) -> None:
        found = await people(tx, [token.user_id])
        actor = user_actor(found[token.user_id]) if token.user_id in found else Actor("token", token.id)
        caller = Caller(actor, call.address, call.request_id)
        await revoke(call.context, tx, caller, token, token.user_id, "revoked by its holder")

    await call.context.store.write(work)


HANDLERS = (get_access_token, revoke_access_token)
