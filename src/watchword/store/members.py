"""Members of organizations in the database."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, exists, func, or_, select, update

from watchword.domain.accounts import Member, Role, SsoMode, User
from watchword.domain.ids import OrganizationId, UserId
from watchword.domain.securitypolicy import Grant
from watchword.store.accounts import MEMBERS, USERS
from watchword.store.engine import Row, Statement
from watchword.store.invitations import InvitationRows
from watchword.store.page import Page
from watchword.store.policies import GRANTS
from watchword.store.tables import members, organizations, token_grants, tokens, users

_m, _g = members.c, token_grants.c
_OWN = _m.organization_id == bindparam("organization_id_")
_ONE = (_OWN, _m.user_id == bindparam("id_"))
_PEOPLE = select(*MEMBERS.columns, *USERS.columns).join(users, users.c.id == _m.user_id).where(_OWN)
_others = members.alias("others")
_ANOTHER = exists().where(
    _others.c.organization_id == bindparam("organization_id_"),
    _others.c.user_id != bindparam("id_"),
    _others.c.role == Role.ADMIN.value,
)

_LIST = Statement(
    _PEOPLE.order_by(_m.created_at, _m.user_id).limit(bindparam("limit_")).offset(bindparam("offset_"))
)
_FIND = Statement(_PEOPLE.where(_m.user_id == bindparam("id_")))
_BY_EMAIL = Statement(_PEOPLE.where(func.lower(users.c.email) == bindparam("email_")))
_HOLD = Statement(
    update(organizations)
    .where(organizations.c.id == bindparam("organization_id_"))
    .values(name=organizations.c.name)
)
_PROMOTE = Statement(update(members).where(*_ONE).values(role=Role.ADMIN.value))
_DEMOTE = Statement(update(members).where(*_ONE, _ANOTHER).values(role=Role.MEMBER.value))
_SET_SSO = Statement(update(members).where(*_ONE).values(sso_mode=bindparam("mode_")))
_REMOVE = Statement(delete(members).where(*_ONE, or_(_m.role != Role.ADMIN.value, _ANOTHER)))
# A token's row stands in its home, which need not be this organization.
_GRANTS = Statement(
    select(*GRANTS.columns)
    .join(tokens, (tokens.c.organization_id == _g.home_id) & (tokens.c.id == _g.token_id))
    .where(
        _g.organization_id == bindparam("organization_id_"),
        _g.ended_at == 0,
        tokens.c.user_id == bindparam("id_"),
    )
    .order_by(_g.token_id)
)


def _person(row: Row) -> tuple[Member, User]:
    cut = len(MEMBERS.columns)
    return MEMBERS.decode(row[:cut]), USERS.decode(row[cut:])


class MemberRows(InvitationRows):
    """`store.base_members.Members` on a connection."""

    async def list(self, organization_id: OrganizationId, page: Page) -> Sequence[tuple[Member, User]]:
        parameters = {"organization_id_": organization_id, "limit_": page.limit, "offset_": page.offset}
        return [_person(row) for row in await self._cx.all(_LIST, parameters)]

    async def find(self, organization_id: OrganizationId, user_id: UserId) -> tuple[Member, User] | None:
        row = await self._cx.one(_FIND, {"organization_id_": organization_id, "id_": user_id})
        return _person(row) if row else None

    async def by_email(self, organization_id: OrganizationId, email: str) -> tuple[Member, User] | None:
        row = await self._cx.one(_BY_EMAIL, {"organization_id_": organization_id, "email_": email})
        return _person(row) if row else None

    async def hold(self, organization_id: OrganizationId) -> None:
        await self._cx.run(_HOLD, {"organization_id_": organization_id})

    async def promote(self, organization_id: OrganizationId, user_id: UserId) -> bool:
        return await self._cx.run(_PROMOTE, {"organization_id_": organization_id, "id_": user_id}) == 1

    async def demote(self, organization_id: OrganizationId, user_id: UserId) -> bool:
        return await self._cx.run(_DEMOTE, {"organization_id_": organization_id, "id_": user_id}) == 1

    async def set_sso(self, organization_id: OrganizationId, user_id: UserId, mode: SsoMode) -> bool:
        parameters = {"organization_id_": organization_id, "id_": user_id, "mode_": mode.value}
        return await self._cx.run(_SET_SSO, parameters) == 1

    async def remove(self, organization_id: OrganizationId, user_id: UserId) -> bool:
        return await self._cx.run(_REMOVE, {"organization_id_": organization_id, "id_": user_id}) == 1

    async def grants(self, organization_id: OrganizationId, user_id: UserId) -> Sequence[Grant]:
        rows = await self._cx.all(_GRANTS, {"organization_id_": organization_id, "id_": user_id})
        return [GRANTS.decode(row) for row in rows]
