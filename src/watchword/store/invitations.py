"""Invitations and banners in the database."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, insert, select, text, update

from watchword.domain.ids import InvitationId, OrganizationId, UserId
from watchword.domain.invitations import Invitation, InvitationState
from watchword.domain.teams import Banner
from watchword.store.engine import Connection, Statement, upsert
from watchword.store.mapping import Mapper
from watchword.store.page import Page
from watchword.store.tables_teams import banners, invitations

INVITATIONS = Mapper(invitations, Invitation)
BANNERS = Mapper(banners, Banner)

_i = invitations.c
_OWN = _i.organization_id == bindparam("organization_id_")
_ONE = (_OWN, _i.id == bindparam("id_"))
# As the index has it, word for word; a partial index is used only then.
_PENDING = text("invitations.state = 'pending'")
_LIVE = (_PENDING, _i.expires_at > bindparam("now_"))
_ALL = select(*INVITATIONS.columns).where(_OWN).order_by(_i.id.desc())

_ADD = Statement(insert(invitations))
_FIND = Statement(select(*INVITATIONS.columns).where(*_ONE))
_BY_DIGEST = Statement(select(*INVITATIONS.columns).where(_i.digest == bindparam("digest_")))
_LIST = Statement(_ALL.limit(bindparam("limit_")).offset(bindparam("offset_")))
_LIST_PENDING = Statement(select(*INVITATIONS.columns).where(_OWN, *_LIVE))
_EXPIRE = Statement(
    update(invitations)
    .where(_OWN, _PENDING, _i.expires_at <= bindparam("now_"))
    .values(state=InvitationState.EXPIRED.value)
)
_ACCEPT = Statement(
    update(invitations)
    .where(*_ONE, *_LIVE)
    .values(state=InvitationState.ACCEPTED.value, accepted_at=bindparam("now_"), accepted_by=bindparam("by_"))
)
_REVOKE = Statement(
    update(invitations)
    .where(*_ONE, *_LIVE)
    .values(state=InvitationState.REVOKED.value, revoked_at=bindparam("now_"), revoked_by=bindparam("by_"))
)
_RENEW = Statement(
    update(invitations)
    .where(*_ONE, *_LIVE)
    .values(digest=bindparam("digest_"), expires_at=bindparam("until_"))
)
_BANNER = Statement(
    select(*BANNERS.columns).where(banners.c.organization_id == bindparam("organization_id_"))
)
_SAVE_BANNER = upsert(banners, (), ("message", "updated_at", "updated_by"))
_DROP_BANNER = Statement(delete(banners).where(banners.c.organization_id == bindparam("organization_id_")))


class InvitationRows:
    """The part of `store.base_members.Members` that has to do with invitations and banners."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add_invitation(self, invitation: Invitation) -> None:
        await self._cx.run(_ADD, INVITATIONS.encode(invitation))

    async def invitation(
        self, organization_id: OrganizationId, invitation_id: InvitationId
    ) -> Invitation | None:
        row = await self._cx.one(_FIND, {"organization_id_": organization_id, "id_": invitation_id})
        return INVITATIONS.decode(row) if row else None

    async def invitation_by_digest(self, digest: bytes) -> Invitation | None:
        row = await self._cx.one(_BY_DIGEST, {"digest_": digest})
        return INVITATIONS.decode(row) if row else None

    async def invitations(self, organization_id: OrganizationId, page: Page) -> Sequence[Invitation]:
        parameters = {"organization_id_": organization_id, "limit_": page.limit, "offset_": page.offset}
        return [INVITATIONS.decode(row) for row in await self._cx.all(_LIST, parameters)]

    async def pending(self, organization_id: OrganizationId, now: int) -> Sequence[Invitation]:
        parameters = {"organization_id_": organization_id, "now_": now}
        found = [INVITATIONS.decode(row) for row in await self._cx.all(_LIST_PENDING, parameters)]
        return sorted(found, key=lambda one: one.id, reverse=True)

    async def expire(self, organization_id: OrganizationId, now: int) -> None:
        await self._cx.run(_EXPIRE, {"organization_id_": organization_id, "now_": now})

    async def accept(
        self, organization_id: OrganizationId, invitation_id: InvitationId, at: int, by: UserId
    ) -> bool:
        parameters = {"organization_id_": organization_id, "id_": invitation_id, "now_": at, "by_": by}
        return await self._cx.run(_ACCEPT, parameters) == 1

    async def revoke(
        self, organization_id: OrganizationId, invitation_id: InvitationId, at: int, by: UserId | None
    ) -> bool:
        parameters = {"organization_id_": organization_id, "id_": invitation_id, "now_": at, "by_": by}
        return await self._cx.run(_REVOKE, parameters) == 1

    async def renew(
        self,
        organization_id: OrganizationId,
        invitation_id: InvitationId,
        at: int,
        digest: bytes,
        expires_at: int,
    ) -> bool:
        parameters = {
            "organization_id_": organization_id,
            "id_": invitation_id,
            "now_": at,
            "digest_": digest,
            "until_": expires_at,
        }
        return await self._cx.run(_RENEW, parameters) == 1

    async def banner(self, organization_id: OrganizationId) -> Banner | None:
        row = await self._cx.one(_BANNER, {"organization_id_": organization_id})
        return BANNERS.decode(row) if row else None

    async def save_banner(self, banner: Banner) -> None:
        await self._cx.run(_SAVE_BANNER, BANNERS.encode(banner))

    async def drop_banner(self, organization_id: OrganizationId) -> bool:
        return await self._cx.run(_DROP_BANNER, {"organization_id_": organization_id}) == 1
