"""Applications of OAuth, codes under way and connected applications in the database."""

from collections.abc import Sequence

from sqlalchemy import BindParameter, bindparam, delete, insert, select, update

from watchword.domain.ids import OrganizationId, ResourceId, TokenId, UserId
from watchword.domain.oauth import AuthorizationCode, DeviceCode, OAuthGrant
from watchword.domain.oauthapplications import Application
from watchword.store.engine import Connection, Statement
from watchword.store.mapping import Mapper
from watchword.store.page import Page
from watchword.store.tables_oauth import oauth_applications, oauth_codes, oauth_device_codes, oauth_grants

APPLICATIONS = Mapper(oauth_applications, Application)
CODES = Mapper(oauth_codes, AuthorizationCode)
DEVICES = Mapper(oauth_device_codes, DeviceCode)
GRANTS = Mapper(oauth_grants, OAuthGrant)

_a, _c, _d, _g = oauth_applications.c, oauth_codes.c, oauth_device_codes.c, oauth_grants.c
_LIMIT: BindParameter[int] = bindparam("limit_")
_OFFSET: BindParameter[int] = bindparam("offset_")
_OWN = _a.organization_id == bindparam("organization_id_")
_THERE = _a.ended_at == 0
_ONE_APPLICATION = (_OWN, _a.id == bindparam("id_"), _THERE)

_ADD_APPLICATION = Statement(insert(oauth_applications))
_APPLICATION = Statement(select(*APPLICATIONS.columns).where(*_ONE_APPLICATION))
_BY_CLIENT = Statement(select(*APPLICATIONS.columns).where(_a.client_id == bindparam("client_id_"), _THERE))
_APPLICATIONS = Statement(
    select(*APPLICATIONS.columns).where(_OWN, _THERE).order_by(_a.id).limit(_LIMIT).offset(_OFFSET)
)
_CHANGED = (
    "name",
    "redirect_uris",
    "secret_digest",
    "flows",
    "scopes",
    "token_seconds",
    "refresh",
    "updated_at",
)
_SAVE_APPLICATION = Statement(
    update(oauth_applications)
    .where(*_ONE_APPLICATION)
    .values({name: bindparam(f"{name}_") for name in _CHANGED})
)
_END_APPLICATION = Statement(
    update(oauth_applications).where(*_ONE_APPLICATION).values(ended_at=bindparam("at_"))
)

_ADD_CODE = Statement(insert(oauth_codes))
_CODE = Statement(select(*CODES.columns).where(_c.digest == bindparam("digest_")))
_TAKE_CODE = Statement(
    update(oauth_codes)
    .where(_c.digest == bindparam("digest_"), _c.used_at == 0, _c.expires_at > bindparam("at_"))
    .values(used_at=bindparam("at_"))
)
_FORGET_CODES = Statement(delete(oauth_codes).where(_c.expires_at < bindparam("before_")))

_ADD_DEVICE = Statement(insert(oauth_device_codes))
_DEVICE = Statement(select(*DEVICES.columns).where(_d.digest == bindparam("digest_")))
_OF_USER_CODE = Statement(select(*DEVICES.columns).where(_d.user_digest == bindparam("user_digest_")))
_POLL = Statement(
    update(oauth_device_codes)
    .where(_d.digest == bindparam("digest_"))
    .values(polled_at=bindparam("at_"), wait_seconds=bindparam("wait_seconds_"))
)
_WAITING = (
    _d.user_digest == bindparam("user_digest_"),
    _d.approved_at == 0,
    _d.denied_at == 0,
    _d.expires_at > bindparam("at_"),
)
_APPROVE = Statement(
    update(oauth_device_codes)
    .where(*_WAITING)
    .values(
        approved_at=bindparam("at_"),
        organization_id=bindparam("organization_id_"),
        user_id=bindparam("user_id_"),
        grant_id=bindparam("grant_id_"),
        scopes=bindparam("scopes_"),
    )
)
_DENY = Statement(
    update(oauth_device_codes)
    .where(*_WAITING)
    .values(denied_at=bindparam("at_"), user_id=bindparam("user_id_"))
)
_TAKE_DEVICE = Statement(
    update(oauth_device_codes)
    .where(
        _d.digest == bindparam("digest_"),
        _d.approved_at > 0,
        _d.used_at == 0,
        _d.expires_at > bindparam("at_"),
    )
    .values(used_at=bindparam("at_"))
)
_FORGET_DEVICES = Statement(delete(oauth_device_codes).where(_d.expires_at < bindparam("before_")))

_ONE_GRANT = (
    _g.organization_id == bindparam("organization_id_"),
    _g.id == bindparam("id_"),
)
_ADD_GRANT = Statement(insert(oauth_grants))
_GRANT = Statement(select(*GRANTS.columns).where(*_ONE_GRANT))
_OF_USER = Statement(
    select(*GRANTS.columns)
    .where(_g.user_id == bindparam("user_id_"), _g.ended_at == 0)
    .order_by(_g.id.desc())
    .limit(_LIMIT)
    .offset(_OFFSET)
)
_OF_CLIENT = Statement(
    select(*GRANTS.columns)
    .where(
        _g.organization_id == bindparam("organization_id_"),
        _g.client_id == bindparam("client_id_"),
        _g.ended_at == 0,
    )
    .order_by(_g.granted_at, _g.id)
    .limit(_LIMIT)
    .offset(_OFFSET)
)
_RENEW = Statement(
    update(oauth_grants)
    .where(*_ONE_GRANT, _g.refresh_id == bindparam("former_"), _g.ended_at == 0)
    .values(
        access_id=bindparam("access_id_"), refresh_id=bindparam("refresh_id_"), refreshed_at=bindparam("at_")
    )
)
_END_GRANT = Statement(
    update(oauth_grants)
    .where(*_ONE_GRANT, _g.ended_at == 0)
    .values(ended_at=bindparam("at_"), ended_by=bindparam("by_"), ended_reason=bindparam("reason_"))
)


class OAuthRows:
    """`store.base_oauth.OAuth` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    # -- applications --------------------------------------------------------------------------------

    async def add_application(self, application: Application) -> None:
        await self._cx.run(_ADD_APPLICATION, APPLICATIONS.encode(application))

    async def application(
        self, organization_id: OrganizationId, application_id: ResourceId
    ) -> Application | None:
        row = await self._cx.one(_APPLICATION, {"organization_id_": organization_id, "id_": application_id})
        return APPLICATIONS.decode(row) if row else None

    async def application_by_client(self, client_id: str) -> Application | None:
        row = await self._cx.one(_BY_CLIENT, {"client_id_": client_id})
        return APPLICATIONS.decode(row) if row else None

    async def applications(self, organization_id: OrganizationId, page: Page) -> Sequence[Application]:
        parameters = {"organization_id_": organization_id, "limit_": page.limit, "offset_": page.offset}
        return [APPLICATIONS.decode(row) for row in await self._cx.all(_APPLICATIONS, parameters)]

    async def save_application(self, application: Application) -> bool:
        written = APPLICATIONS.encode(application)
        parameters = {f"{name}_": written[name] for name in _CHANGED}
        named = {"organization_id_": application.organization_id, "id_": application.id}
        return await self._cx.run(_SAVE_APPLICATION, parameters | named) == 1

    async def end_application(
        self, organization_id: OrganizationId, application_id: ResourceId, at: int
    ) -> bool:
        parameters = {"organization_id_": organization_id, "id_": application_id, "at_": at}
        return await self._cx.run(_END_APPLICATION, parameters) == 1

    # -- codes ---------------------------------------------------------------------------------------

    async def add_code(self, code: AuthorizationCode) -> None:
        await self._cx.run(_ADD_CODE, CODES.encode(code))

    async def code(self, digest: bytes) -> AuthorizationCode | None:
        row = await self._cx.one(_CODE, {"digest_": digest})
        return CODES.decode(row) if row else None

    async def take_code(self, digest: bytes, at: int) -> bool:
        return await self._cx.run(_TAKE_CODE, {"digest_": digest, "at_": at}) == 1

    async def add_device(self, device: DeviceCode) -> None:
        await self._cx.run(_ADD_DEVICE, DEVICES.encode(device))

    async def device(self, digest: bytes) -> DeviceCode | None:
        row = await self._cx.one(_DEVICE, {"digest_": digest})
        return DEVICES.decode(row) if row else None

    async def device_of_user(self, user_digest: bytes) -> DeviceCode | None:
        row = await self._cx.one(_OF_USER_CODE, {"user_digest_": user_digest})
        return DEVICES.decode(row) if row else None

    async def poll_device(self, digest: bytes, at: int, wait_seconds: int) -> None:
        await self._cx.run(_POLL, {"digest_": digest, "at_": at, "wait_seconds_": wait_seconds})

    async def approve_device(
        self,
        user_digest: bytes,
        at: int,
        organization_id: OrganizationId,
        user_id: UserId,
        grant_id: ResourceId,
        scopes: str,
    ) -> bool:
        parameters = {
            "user_digest_": user_digest,
            "at_": at,
            "organization_id_": organization_id,
            "user_id_": user_id,
            "grant_id_": grant_id,
            "scopes_": scopes,
        }
        return await self._cx.run(_APPROVE, parameters) == 1

    async def deny_device(self, user_digest: bytes, at: int, user_id: UserId) -> bool:
        parameters = {"user_digest_": user_digest, "at_": at, "user_id_": user_id}
        return await self._cx.run(_DENY, parameters) == 1

    async def take_device(self, digest: bytes, at: int) -> bool:
        return await self._cx.run(_TAKE_DEVICE, {"digest_": digest, "at_": at}) == 1

    async def forget_codes(self, before: int) -> None:
        await self._cx.run(_FORGET_CODES, {"before_": before})
        await self._cx.run(_FORGET_DEVICES, {"before_": before})

    # -- connected applications ----------------------------------------------------------------------

    async def add_grant(self, grant: OAuthGrant) -> None:
        await self._cx.run(_ADD_GRANT, GRANTS.encode(grant))

    async def grant(self, organization_id: OrganizationId, grant_id: ResourceId) -> OAuthGrant | None:
        row = await self._cx.one(_GRANT, {"organization_id_": organization_id, "id_": grant_id})
        return GRANTS.decode(row) if row else None

    async def grants_of_user(self, user_id: UserId, page: Page) -> Sequence[OAuthGrant]:
        parameters = {"user_id_": user_id, "limit_": page.limit, "offset_": page.offset}
        return [GRANTS.decode(row) for row in await self._cx.all(_OF_USER, parameters)]

    async def grants_of_client(
        self, organization_id: OrganizationId, client_id: str, page: Page
    ) -> Sequence[OAuthGrant]:
        window = {"limit_": page.limit, "offset_": page.offset}
        parameters = {"organization_id_": organization_id, "client_id_": client_id, **window}
        return [GRANTS.decode(row) for row in await self._cx.all(_OF_CLIENT, parameters)]

    async def renew_grant(
        self,
        organization_id: OrganizationId,
        grant_id: ResourceId,
        former: TokenId,
        access_id: TokenId,
        refresh_id: TokenId,
        at: int,
    ) -> bool:
        parameters = {
            "organization_id_": organization_id,
            "id_": grant_id,
            "former_": former,
            "access_id_": access_id,
            "refresh_id_": refresh_id,
            "at_": at,
        }
        return await self._cx.run(_RENEW, parameters) == 1

    async def end_grant(
        self, organization_id: OrganizationId, grant_id: ResourceId, at: int, by: UserId | None, reason: str
    ) -> bool:
        named = {"organization_id_": organization_id, "id_": grant_id}
        return await self._cx.run(_END_GRANT, {**named, "at_": at, "by_": by, "reason_": reason}) == 1
