"""Portals and their codes in the database."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, insert, or_, select, text, update

from watchword.domain.ids import OrganizationId, ResourceId, UserId
from watchword.domain.kinds import Kind
from watchword.domain.portals import Portal, PortalCode
from watchword.domain.tokens import State, Token
from watchword.store.engine import Connection, Statement
from watchword.store.mapping import Mapper
from watchword.store.page import Page
from watchword.store.tables import tokens
from watchword.store.tables_portals import portal_codes, portals
from watchword.store.tokens import TOKENS

PORTALS = Mapper(portals, Portal)
CODES = Mapper(portal_codes, PortalCode)

_p, _c, _t = portals.c, portal_codes.c, tokens.c
_ONE = (_p.organization_id == bindparam("organization_id_"), _p.id == bindparam("id_"))
_OF_PORTAL = (_c.organization_id == bindparam("organization_id_"), _c.portal_id == bindparam("id_"))
_ONE_CODE = (*_OF_PORTAL, _c.digest == bindparam("digest_"))
_CHANGED = ("slug", "name", "description", "query", "allowed_networks", "user_invokable", "updated_at")

_ADD = Statement(insert(portals))
_FIND = Statement(select(*PORTALS.columns).where(*_ONE))
_BY_SLUG = Statement(
    select(*PORTALS.columns).where(
        _p.organization_id == bindparam("organization_id_"), _p.slug == bindparam("slug_")
    )
)
_LIST = Statement(
    select(*PORTALS.columns)
    .where(_p.organization_id == bindparam("organization_id_"))
    .order_by(_p.id)
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_SAVE = Statement(update(portals).where(*_ONE).values({name: bindparam(f"{name}_") for name in _CHANGED}))
_HOLD = Statement(update(portals).where(*_ONE).values(updated_at=_p.updated_at))
_BELONGING = (
    _t.organization_id == bindparam("organization_id_"),
    _t.resource_id == bindparam("id_"),
    text("tokens.resource_id IS NOT NULL"),
)
_TOKENS = Statement(
    select(*TOKENS.columns)
    .where(*_BELONGING, _t.kind == bindparam("kind_"))
    .order_by(_t.id.desc())
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
_LIVE_TOKENS = Statement(
    select(*TOKENS.columns)
    .where(
        *_BELONGING,
        _t.state == State.ACTIVE.value,
        or_(_t.expires_at == 0, _t.expires_at > bindparam("now_")),
    )
    .order_by(_t.id)
)
_DELETE = Statement(delete(portals).where(*_ONE))
_ADD_CODE = Statement(insert(portal_codes))
_CODE = Statement(select(*CODES.columns).where(*_ONE_CODE))
_UNDECIDED = (*_ONE_CODE, _c.approved_at == 0, _c.denied_at == 0, _c.expires_at > bindparam("now_"))
_APPROVE = Statement(
    update(portal_codes).where(*_UNDECIDED).values(approved_at=bindparam("now_"), decided_by=bindparam("by_"))
)
_DENY = Statement(
    update(portal_codes).where(*_UNDECIDED).values(denied_at=bindparam("now_"), decided_by=bindparam("by_"))
)
_USE_CODE = Statement(
    update(portal_codes)
    .where(*_ONE_CODE, _c.approved_at > 0, _c.used_at == 0, _c.expires_at > bindparam("now_"))
    .values(used_at=bindparam("now_"))
)
_DROP_CODES = Statement(delete(portal_codes).where(*_OF_PORTAL))
_FORGET_CODES = Statement(delete(portal_codes).where(_c.expires_at < bindparam("before_")))


class PortalRows:
    """`store.base_portals.Portals` on a connection."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add(self, portal: Portal) -> None:
        await self._cx.run(_ADD, PORTALS.encode(portal))

    async def find(self, organization_id: OrganizationId, portal_id: ResourceId) -> Portal | None:
        row = await self._cx.one(_FIND, {"organization_id_": organization_id, "id_": portal_id})
        return PORTALS.decode(row) if row else None

    async def by_slug(self, organization_id: OrganizationId, slug: str) -> Portal | None:
        row = await self._cx.one(_BY_SLUG, {"organization_id_": organization_id, "slug_": slug})
        return PORTALS.decode(row) if row else None

    async def list(self, organization_id: OrganizationId, page: Page) -> Sequence[Portal]:
        parameters = {"organization_id_": organization_id, "limit_": page.limit, "offset_": page.offset}
        return [PORTALS.decode(row) for row in await self._cx.all(_LIST, parameters)]

    async def save(self, portal: Portal) -> None:
        row = PORTALS.encode(portal)
        names = ("organization_id", "id", *_CHANGED)
        await self._cx.run(_SAVE, {f"{name}_": row[name] for name in names})

    async def hold(self, organization_id: OrganizationId, portal_id: ResourceId) -> bool:
        return await self._cx.run(_HOLD, {"organization_id_": organization_id, "id_": portal_id}) == 1

    async def tokens(
        self, organization_id: OrganizationId, portal_id: ResourceId, kind: Kind, page: Page
    ) -> Sequence[Token]:
        parameters = {
            "organization_id_": organization_id,
            "id_": portal_id,
            "kind_": kind.value,
            "limit_": page.limit,
            "offset_": page.offset,
        }
        return [TOKENS.decode(row) for row in await self._cx.all(_TOKENS, parameters)]

    async def live_tokens(
        self, organization_id: OrganizationId, portal_id: ResourceId, now: int
    ) -> Sequence[Token]:
        parameters = {"organization_id_": organization_id, "id_": portal_id, "now_": now}
        return [TOKENS.decode(row) for row in await self._cx.all(_LIVE_TOKENS, parameters)]

    async def delete(self, organization_id: OrganizationId, portal_id: ResourceId) -> bool:
        await self.drop_codes(organization_id, portal_id)
        return await self._cx.run(_DELETE, {"organization_id_": organization_id, "id_": portal_id}) == 1

    async def add_code(self, code: PortalCode) -> None:
        await self._cx.run(_ADD_CODE, CODES.encode(code))

    async def code(
        self, organization_id: OrganizationId, portal_id: ResourceId, digest: bytes
    ) -> PortalCode | None:
        parameters = {"organization_id_": organization_id, "id_": portal_id, "digest_": digest}
        row = await self._cx.one(_CODE, parameters)
        return CODES.decode(row) if row else None

    async def decide(
        self,
        organization_id: OrganizationId,
        portal_id: ResourceId,
        digest: bytes,
        by: UserId,
        now: int,
        *,
        approve: bool,
    ) -> bool:
        parameters = {
            "organization_id_": organization_id,
            "id_": portal_id,
            "digest_": digest,
            "by_": by,
            "now_": now,
        }
        return await self._cx.run(_APPROVE if approve else _DENY, parameters) == 1

    async def use_code(
        self, organization_id: OrganizationId, portal_id: ResourceId, digest: bytes, now: int
    ) -> bool:
        parameters = {
            "organization_id_": organization_id,
            "id_": portal_id,
            "digest_": digest,
            "now_": now,
        }
        return await self._cx.run(_USE_CODE, parameters) == 1

    async def drop_codes(self, organization_id: OrganizationId, portal_id: ResourceId) -> None:
        await self._cx.run(_DROP_CODES, {"organization_id_": organization_id, "id_": portal_id})

    async def forget_codes(self, before: int) -> None:
        await self._cx.run(_FORGET_CODES, {"before_": before})
