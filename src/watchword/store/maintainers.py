"""Maintainers of clusters in the database."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, insert, select, union

from watchword.domain.accounts import User
from watchword.domain.ids import ClusterId, MaintainerId, OrganizationId, TeamId, UserId
from watchword.domain.teams import Maintainer, Team
from watchword.store.base_teams import Appointment
from watchword.store.engine import Connection, Row, Statement
from watchword.store.mapping import Mapper
from watchword.store.page import Page
from watchword.store.tables import users
from watchword.store.tables_teams import maintainers, team_members, teams

MAINTAINERS = Mapper(maintainers, Maintainer)
_USERS, _TEAMS = Mapper(users, User), Mapper(teams, Team)

_m = maintainers.c
_OWN = _m.organization_id == bindparam("organization_id_")
_ONE = (_OWN, _m.id == bindparam("id_"))
_JOINED = (
    select(*MAINTAINERS.columns, *_USERS.columns, *_TEAMS.columns)
    .outerjoin(users, users.c.id == _m.user_id)
    .outerjoin(teams, (teams.c.organization_id == _m.organization_id) & (teams.c.id == _m.team_id))
)
_LISTED = _JOINED.where(_OWN).order_by(_m.id).limit(bindparam("limit_")).offset(bindparam("offset_"))

_ADD = Statement(insert(maintainers))
_FIND = Statement(_JOINED.where(*_ONE))
_LIST = Statement(_LISTED)
_LIST_CLUSTER = Statement(_LISTED.where(_m.cluster_id == bindparam("cluster_id_")))
_OF_USER = Statement(select(*MAINTAINERS.columns).where(_OWN, _m.user_id == bindparam("id_")))
_OF_TEAM = Statement(select(*MAINTAINERS.columns).where(_OWN, _m.team_id == bindparam("id_")))
_THEIR_TEAMS = select(team_members.c.team_id).where(
    team_members.c.organization_id == bindparam("organization_id_"),
    team_members.c.user_id == bindparam("id_"),
)
# Asked at every call of a member: two halves, each by its index, where an OR would read them all.
_MAINTAINED = Statement(
    union(
        select(_m.cluster_id).where(_OWN, _m.user_id == bindparam("id_")),
        select(_m.cluster_id).where(_OWN, _m.team_id.in_(_THEIR_TEAMS)),
    )
)
_REMOVE = Statement(delete(maintainers).where(*_ONE))
_DROP = Statement(delete(maintainers).where(_OWN, _m.cluster_id == bindparam("cluster_id_")))

_USER_AT = len(MAINTAINERS.columns)
_TEAM_AT = _USER_AT + len(_USERS.columns)


def _appointment(row: Row) -> Appointment:
    """A joined row; the side that is not there has a null key."""
    person, team = row[_USER_AT:_TEAM_AT], row[_TEAM_AT:]
    return Appointment(
        MAINTAINERS.decode(row[:_USER_AT]),
        _USERS.decode(person) if person[0] is not None else None,
        _TEAMS.decode(team) if team[0] is not None else None,
    )


def _age(maintainer: Maintainer) -> str:
    return maintainer.id


class MaintainerRows:
    """The part of `store.base_teams.Teams` that has to do with maintainers of clusters."""

    def __init__(self, connection: Connection) -> None:
        self._cx = connection

    async def add_maintainer(self, maintainer: Maintainer) -> None:
        await self._cx.run(_ADD, MAINTAINERS.encode(maintainer))

    async def appointment(
        self, organization_id: OrganizationId, maintainer_id: MaintainerId
    ) -> Appointment | None:
        row = await self._cx.one(_FIND, {"organization_id_": organization_id, "id_": maintainer_id})
        return _appointment(row) if row else None

    async def appointments(
        self, organization_id: OrganizationId, cluster_id: ClusterId | None, page: Page
    ) -> Sequence[Appointment]:
        parameters = {"organization_id_": organization_id, "limit_": page.limit, "offset_": page.offset}
        if cluster_id is None:
            rows = await self._cx.all(_LIST, parameters)
        else:
            rows = await self._cx.all(_LIST_CLUSTER, parameters | {"cluster_id_": cluster_id})
        return [_appointment(row) for row in rows]

    async def maintainers_of_user(
        self, organization_id: OrganizationId, user_id: UserId
    ) -> Sequence[Maintainer]:
        rows = await self._cx.all(_OF_USER, {"organization_id_": organization_id, "id_": user_id})
        return sorted(map(MAINTAINERS.decode, rows), key=_age)

    async def maintainers_of_team(
        self, organization_id: OrganizationId, team_id: TeamId
    ) -> Sequence[Maintainer]:
        rows = await self._cx.all(_OF_TEAM, {"organization_id_": organization_id, "id_": team_id})
        return sorted(map(MAINTAINERS.decode, rows), key=_age)

    async def maintained(self, organization_id: OrganizationId, user_id: UserId) -> frozenset[ClusterId]:
        rows = await self._cx.all(_MAINTAINED, {"organization_id_": organization_id, "id_": user_id})
        return frozenset(ClusterId(row[0]) for row in rows)

    async def remove_maintainer(self, organization_id: OrganizationId, maintainer_id: MaintainerId) -> bool:
        return await self._cx.run(_REMOVE, {"organization_id_": organization_id, "id_": maintainer_id}) == 1

    async def drop_maintainers(self, organization_id: OrganizationId, cluster_id: ClusterId) -> None:
        await self._cx.run(_DROP, {"organization_id_": organization_id, "cluster_id_": cluster_id})
