"""Teams and who is in them, in the database."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, bindparam, delete, exists, func, insert, or_, select, update

from watchword.domain.accounts import User
from watchword.domain.ids import OrganizationId, TeamId, TeamMemberId, UserId
from watchword.domain.teams import Privacy, Team, TeamMember, TeamRole
from watchword.store.engine import Statement
from watchword.store.maintainers import MaintainerRows
from watchword.store.mapping import Mapper
from watchword.store.page import Page
from watchword.store.tables import users
from watchword.store.tables_teams import team_members, teams

TEAMS = Mapper(teams, Team)
PLACES = Mapper(team_members, TeamMember)
_USERS = Mapper(users, User)

_t, _m = teams.c, team_members.c
_OWN = _t.organization_id == bindparam("organization_id_")
_ONE = (_OWN, _t.id == bindparam("id_"))
_IN = _m.organization_id == bindparam("organization_id_")
_PLACE = (_IN, _m.team_id == bindparam("team_id_"), _m.user_id == bindparam("user_id_"))
_FIXED = ("organization_id", "id", "created_at", "created_by")


def _has(parameter: str) -> ColumnElement[bool]:
    """Whether a person is in the team of the row."""
    return exists().where(
        _m.organization_id == _t.organization_id,
        _m.team_id == _t.id,
        _m.user_id == bindparam(parameter),
    )


_ALL = select(*TEAMS.columns).where(_OWN).order_by(_t.id)
_LISTED = _ALL.limit(bindparam("limit_")).offset(bindparam("offset_"))
_SEEN = or_(_t.privacy == Privacy.VISIBLE.value, _has("seen_by_"))
# By whether it is asked who sees them, and who is in them.
_LISTS = {
    (False, False): Statement(_LISTED),
    (True, False): Statement(_LISTED.where(_SEEN)),
    (False, True): Statement(_LISTED.where(_has("of_"))),
    (True, True): Statement(_LISTED.where(_SEEN, _has("of_"))),
}

_ADD = Statement(insert(teams))
_FIND = Statement(select(*TEAMS.columns).where(*_ONE))
_BY_SLUG = Statement(select(*TEAMS.columns).where(_OWN, _t.slug == bindparam("slug_")))
_DEFAULTS = Statement(_ALL.where(_t.is_default_team == 1))
_COUNT = Statement(select(func.count()).select_from(teams).where(_OWN))
_SAVE = Statement(
    update(teams)
    .where(*_ONE)
    .values({name: bindparam(f"{name}_") for name in _t.keys() if name not in _FIXED})  # noqa: SIM118 - no mapping
)
_DELETE = Statement(delete(teams).where(*_ONE))
_EMPTY = Statement(delete(team_members).where(_IN, _m.team_id == bindparam("id_")))
_ADD_MEMBER = Statement(insert(team_members))
_MEMBER = Statement(select(*PLACES.columns).where(*_PLACE))
_MEMBER_BY_ID = Statement(select(*PLACES.columns).where(_IN, _m.id == bindparam("id_")))
_MEMBERS = Statement(
    select(*PLACES.columns, *_USERS.columns)
    .join(users, users.c.id == _m.user_id)
    .where(_IN, _m.team_id == bindparam("team_id_"))
    .order_by(_m.created_at, _m.user_id)
    .limit(bindparam("limit_"))
    .offset(bindparam("offset_"))
)
# Ordered here, it would be read by the order's index: every place in the organization.
_PLACES = Statement(select(*PLACES.columns).where(_IN, _m.user_id == bindparam("user_id_")))
_SET_ROLE = Statement(update(team_members).where(*_PLACE).values(role=bindparam("role_")))
_REMOVE_MEMBER = Statement(delete(team_members).where(*_PLACE))


def _place(organization_id: OrganizationId, team_id: TeamId, user_id: UserId) -> dict[str, str]:
    return {"organization_id_": organization_id, "team_id_": team_id, "user_id_": user_id}


class TeamRows(MaintainerRows):
    """`store.base_teams.Teams` on a connection."""

    async def add(self, team: Team) -> None:
        await self._cx.run(_ADD, TEAMS.encode(team))

    async def find(self, organization_id: OrganizationId, team_id: TeamId) -> Team | None:
        row = await self._cx.one(_FIND, {"organization_id_": organization_id, "id_": team_id})
        return TEAMS.decode(row) if row else None

    async def by_slug(self, organization_id: OrganizationId, slug: str) -> Team | None:
        row = await self._cx.one(_BY_SLUG, {"organization_id_": organization_id, "slug_": slug})
        return TEAMS.decode(row) if row else None

    async def list(
        self, organization_id: OrganizationId, seen_by: UserId | None, of: UserId | None, page: Page
    ) -> Sequence[Team]:
        parameters = {
            "organization_id_": organization_id,
            "limit_": page.limit,
            "offset_": page.offset,
            "seen_by_": seen_by,
            "of_": of,
        }
        rows = await self._cx.all(_LISTS[seen_by is not None, of is not None], parameters)
        return [TEAMS.decode(row) for row in rows]

    async def defaults(self, organization_id: OrganizationId) -> Sequence[Team]:
        return [
            TEAMS.decode(row) for row in await self._cx.all(_DEFAULTS, {"organization_id_": organization_id})
        ]

    async def count(self, organization_id: OrganizationId) -> int:
        row = await self._cx.one(_COUNT, {"organization_id_": organization_id})
        return int(row[0]) if row else 0

    async def save(self, team: Team) -> None:
        await self._cx.run(_SAVE, {f"{name}_": value for name, value in TEAMS.encode(team).items()})

    async def delete(self, organization_id: OrganizationId, team_id: TeamId) -> bool:
        parameters = {"organization_id_": organization_id, "id_": team_id}
        await self._cx.run(_EMPTY, parameters)
        return await self._cx.run(_DELETE, parameters) == 1

    async def add_member(self, member: TeamMember) -> None:
        await self._cx.run(_ADD_MEMBER, PLACES.encode(member))

    async def member(
        self, organization_id: OrganizationId, team_id: TeamId, user_id: UserId
    ) -> TeamMember | None:
        row = await self._cx.one(_MEMBER, _place(organization_id, team_id, user_id))
        return PLACES.decode(row) if row else None

    async def member_by_id(
        self, organization_id: OrganizationId, member_id: TeamMemberId
    ) -> TeamMember | None:
        row = await self._cx.one(_MEMBER_BY_ID, {"organization_id_": organization_id, "id_": member_id})
        return PLACES.decode(row) if row else None

    async def members(
        self, organization_id: OrganizationId, team_id: TeamId, page: Page
    ) -> Sequence[tuple[TeamMember, User]]:
        parameters = {
            "organization_id_": organization_id,
            "team_id_": team_id,
            "limit_": page.limit,
            "offset_": page.offset,
        }
        cut = len(PLACES.columns)
        rows = await self._cx.all(_MEMBERS, parameters)
        return [(PLACES.decode(row[:cut]), _USERS.decode(row[cut:])) for row in rows]

    async def places(self, organization_id: OrganizationId, user_id: UserId) -> Sequence[TeamMember]:
        rows = await self._cx.all(_PLACES, {"organization_id_": organization_id, "user_id_": user_id})
        return sorted(map(PLACES.decode, rows), key=lambda place: place.id)

    async def set_role(
        self, organization_id: OrganizationId, team_id: TeamId, user_id: UserId, role: TeamRole
    ) -> bool:
        parameters = _place(organization_id, team_id, user_id) | {"role_": role.value}
        return await self._cx.run(_SET_ROLE, parameters) == 1

    async def remove_member(self, organization_id: OrganizationId, team_id: TeamId, user_id: UserId) -> bool:
        return await self._cx.run(_REMOVE_MEMBER, _place(organization_id, team_id, user_id)) == 1
